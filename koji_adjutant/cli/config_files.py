"""Arguments that name the two configuration files, and the loading of both, for the subcommands that need them."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from koji_adjutant.config.adjutant import AdjutantConfig, config_file, load_adjutant_config
from koji_adjutant.config.environment import CONFIG_VARIABLE
from koji_adjutant.config.kojid_cli import load_kojid_options
from koji_adjutant.config.kojid_options import DEFAULT_CONFIG_FILE, KojidOptions
from koji_adjutant.errors import AdjutantError


@dataclass(frozen=True)
class Loaded:
    """What could be loaded; each part is None where `errors` says why."""

    kojid_file: str
    adjutant_file: Path
    options: KojidOptions | None
    config: AdjutantConfig | None
    errors: tuple[AdjutantError, ...]


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--config` and `--adjutant-config`."""
    parser.add_argument(
        "-c", "--config", metavar="FILE", default=DEFAULT_CONFIG_FILE, help="kojid.conf to read (default: %(default)s)"
    )
    parser.add_argument(
        "--adjutant-config", metavar="FILE", help=f"adjutant.yaml to read (default: ${CONFIG_VARIABLE})"
    )


def load_files(arguments: argparse.Namespace) -> Loaded:
    """Load both files; what is wrong with one does not hide the other."""
    environ = dict(os.environ)
    if arguments.adjutant_config:
        environ[CONFIG_VARIABLE] = arguments.adjutant_config
    errors: list[AdjutantError] = []
    options = config = None
    try:
        options = load_kojid_options(["--config", arguments.config])
    except AdjutantError as error:
        errors.append(_without_usage(error))
    try:
        config = load_adjutant_config(environ)
    except AdjutantError as error:
        errors.append(error)
    return Loaded(arguments.config, config_file(environ), options, config, tuple(errors))


def _without_usage(error: AdjutantError) -> AdjutantError:
    """Drop kojid's usage line, which is not the usage of this command."""
    error.brief = error.brief.rpartition("error: ")[2]
    return error
