"""`python3 -m tests.distro [--output DIR [--extra DEB]...]`: make the test distribution, or find it made; print its path."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.distro.debian import DistroError
from tests.distro.make import make_distro, the_distro


def main() -> int:
    """Make it in DIR, which must not be there or be empty, or in the user's cache."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.distro", description=__doc__)
    parser.add_argument("--output", type=Path, metavar="DIR", help="make a new one here, not in the user's cache")
    parser.add_argument(
        "--extra",
        action="append",
        default=[],
        metavar="DEB",
        help="with --output: this Debian package too, with all that it needs (maven, for one: 200 MB)",
    )
    parser.add_argument("--extra-group", default="extra", metavar="NAME", help="comps group that installs the extras")
    arguments = parser.parse_args()
    output: Path | None = arguments.output
    if arguments.extra and not output:
        parser.error("--extra makes a distribution of its own: --output names its directory")
    if output and output.exists() and any(output.iterdir()):
        parser.error(f"{output} is not empty")
    try:
        if output:
            make_distro(output.absolute(), arguments.extra, arguments.extra_group)
        else:
            output = the_distro().root
    except DistroError as error:
        sys.stderr.write(f"tests.distro: {error}\n")
        return 1
    sys.stdout.write(f"{output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
