"""`python -m koji_adjutant.minihub --directory D --port P`: a hub by itself, until interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

import structlog

from koji_adjutant.errors import AdjutantError
from koji_adjutant.minihub.hub import MiniHub


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="minihub", description="An embedded Koji hub.")
    parser.add_argument("--directory", required=True, help="where its data is, or will be")
    parser.add_argument("--port", type=int, default=0, help="default: the port of last time, else a free one")
    parser.add_argument("--host", default="127.0.0.1", help="name or address in its URLs")
    parser.add_argument("--bind", help="address to listen on; default: the host")
    parser.add_argument("--admin-password", help="default: the one of last time, else a random one")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; prints how to reach it as JSON. 1 when it cannot run."""
    options = _arguments(argv)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for the answer
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        hub = MiniHub(
            options.directory, port=options.port, host=options.host, bind=options.bind,
            admin_password=options.admin_password,
        )  # fmt: skip
        hub.start()
    except AdjutantError as error:
        sys.stderr.write(f"Error: {error}\n")
        return error.exit_code
    sys.stdout.write(hub.described() + "\n")
    sys.stdout.flush()
    ended.wait()
    hub.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
