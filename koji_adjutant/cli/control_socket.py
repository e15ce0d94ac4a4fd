"""Arguments that lead to the daemon's control socket, for the subcommands that talk to it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from koji_adjutant.config.adjutant import load_adjutant_config
from koji_adjutant.config.environment import CONFIG_VARIABLE
from koji_adjutant.control.client import ControlClient
from koji_adjutant.errors import UsageError


def add_socket_arguments(parser: argparse.ArgumentParser, *, json_output: bool = True) -> None:
    """Add `--socket`, `--adjutant-config` and `--json`."""
    parser.add_argument(
        "--socket", metavar="PATH", help="the daemon's control socket (default: as adjutant.yaml has it)"
    )
    parser.add_argument(
        "--adjutant-config", metavar="FILE", help=f"file that names the socket (default: ${CONFIG_VARIABLE})"
    )
    if json_output:
        parser.add_argument("--json", action="store_true", help="print JSON")


def client_of(arguments: argparse.Namespace) -> ControlClient:
    """Return a client of the daemon that the arguments name.

    Raises:
        ConfigurationError: adjutant.yaml is wrong; with `--socket` it is not read.
        UsageError: the configuration turns the socket off.
    """
    if arguments.socket:
        return ControlClient(Path(arguments.socket))
    environ = dict(os.environ)
    if arguments.adjutant_config:
        environ[CONFIG_VARIABLE] = arguments.adjutant_config
    config = load_adjutant_config(environ)
    path = config.control.path(config.state_dir)
    if path is None:
        raise UsageError("the daemon has no control socket", resolution="control.socket in adjutant.yaml turns it off.")
    return ControlClient(path)


def print_json(data: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(data, indent=2) + "\n")
