"""Reads adjutant.yaml and the `ADJUTANT_*` variables into one validated model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from koji_adjutant.config.environment import CONFIG_VARIABLE, merge, read_overrides
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.config.problems import describe
from koji_adjutant.config.yaml_file import read_mapping
from koji_adjutant.errors import ConfigurationError

__all__ = ["DEFAULT_FILE", "AdjutantConfig", "config_file", "load_adjutant_config"]

DEFAULT_FILE = Path("/etc/koji-adjutant/adjutant.yaml")


def config_file(environ: Mapping[str, str]) -> Path:
    """Return the file that counts: the one `ADJUTANT_CONFIG` names, else the default."""
    return Path(environ.get(CONFIG_VARIABLE) or DEFAULT_FILE)


def load_adjutant_config(environ: Mapping[str, str]) -> AdjutantConfig:
    """Return the effective configuration: defaults, then the file, then variables. A missing default file is an empty one.

    Raises:
        ConfigurationError: everything that is wrong, one line each.
    """
    path = config_file(environ)
    content = _read(path, named=bool(environ.get(CONFIG_VARIABLE)))
    overrides = read_overrides(environ)
    problems = list(overrides.problems)
    try:
        config = AdjutantConfig.model_validate(merge(content, overrides.values))
    except ValidationError as error:
        problems += describe(error, AdjutantConfig, str(path), overrides.variables)
    if problems:
        raise _refusal(path, problems)
    return config


def _read(path: Path, *, named: bool) -> dict[str, Any]:
    try:
        return read_mapping(path)
    except FileNotFoundError as error:
        if not named:
            return {}
        raise ConfigurationError(
            f"{path}: there is no such file; {CONFIG_VARIABLE} names it",
            resolution=f"Make the file, or unset {CONFIG_VARIABLE} to use {DEFAULT_FILE}.",
        ) from error


def _refusal(path: Path, problems: list[str]) -> ConfigurationError:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigurationError(
        f"The configuration {path} has {count}:",
        details="\n".join(f"  {line}" for line in problems),
        resolution="Mend them, then run `koji-adjutant check`. All keys: docs/configuration.md.",
    )
