"""The effective values of both files, fit to be shown: secrets are hidden."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.config.secrets import masked


def effective(config: AdjutantConfig, options: KojidOptions) -> dict[str, dict[str, Any]]:
    """Return plain data (fit for JSON) under `kojid` and `adjutant`; passwords and credentials in URLs are masked."""
    return {"kojid": effective_kojid(options), "adjutant": effective_adjutant(config)}


def effective_kojid(options: KojidOptions) -> dict[str, Any]:
    """Return kojid's options as plain data, masked."""
    # dataclasses.asdict would deep-copy, which a mapping proxy refuses
    return _shown({field.name: _plain(getattr(options, field.name)) for field in dataclasses.fields(options)})


def effective_adjutant(config: AdjutantConfig) -> dict[str, Any]:
    """Return the settings of adjutant.yaml as plain data, masked."""
    return _shown(config.model_dump(mode="json"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: masked(name, value) for name, value in values.items()}
