"""`koji-adjutant config`: the effective values of both files, secrets hidden."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import yaml

from koji_adjutant.cli.config_files import Loaded, add_file_arguments, load_files
from koji_adjutant.config.effective import effective_adjutant, effective_kojid

EXAMPLES = """\
koji-adjutant config
koji-adjutant config --json | jq .adjutant.images
koji-adjutant config -c ./kojid.conf --adjutant-config ./adjutant.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    add_file_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print what could be loaded, then fail with what could not."""
    loaded = load_files(arguments)
    shown = _effective(loaded)
    sys.stdout.write(json.dumps(shown, indent=2) + "\n" if arguments.json else _text(loaded, shown))
    sys.stdout.flush()
    if loaded.errors:
        raise loaded.errors[0]
    return 0


def _effective(loaded: Loaded) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if loaded.options is not None:
        shown["kojid"] = effective_kojid(loaded.options)
    if loaded.config is not None:
        shown["adjutant"] = effective_adjutant(loaded.config)
    return shown


def _text(loaded: Loaded, shown: dict[str, Any]) -> str:
    files = {"kojid": loaded.kojid_file, "adjutant": str(loaded.adjutant_file)}
    parts = [
        f"# {files[name]}\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}"
        for name, values in shown.items()
    ]
    return "\n".join(parts)
