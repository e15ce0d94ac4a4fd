"""What of adjutant.yaml may change while the daemon runs (SIGHUP): a pure comparison of two configurations."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING

import structlog

from koji_adjutant.config.adjutant import load_adjutant_config
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.errors import ConfigurationError
from koji_adjutant.manager.starter import Settings

if TYPE_CHECKING:
    from koji_adjutant.config.kojid_options import KojidOptions

log = structlog.get_logger(__name__)

FIXED = frozenset({"runtime", "state_dir", "static_dir", "podman", "kubernetes", "hosts", "monitoring", "control"})
"""Sections that connections and paths of the running daemon were made from: they take a restart."""


def reloaded(old: AdjutantConfig, new: AdjutantConfig) -> tuple[AdjutantConfig, list[str], list[str]]:
    """Return the configuration to go on with, the keys that changed, and the changed keys that take a restart."""
    differing = [name for name in type(old).model_fields if getattr(old, name) != getattr(new, name)]
    changed = [name for name in differing if name not in FIXED]
    kept = [name for name in differing if name in FIXED]
    return old.model_copy(update={name: getattr(new, name) for name in changed}), changed, kept


class LiveSettings:
    """The settings in force. Thread-safe; tasks that run keep what they started with."""

    def __init__(self, options: KojidOptions, config: AdjutantConfig, environ: Mapping[str, str] = os.environ) -> None:
        self._lock = Lock()
        self._settings = Settings(options, config)
        self._environ = environ

    def __call__(self) -> Settings:
        with self._lock:
            return self._settings

    def reload(self, on_changed: Callable[[Settings], None] = lambda _: None) -> bool:
        """Read adjutant.yaml again; a file that is wrong changes nothing and is logged. Return whether it could be used."""
        try:
            new = load_adjutant_config(self._environ)
        except ConfigurationError as error:
            log.exception("config.not_reloaded", error=str(error))
            return False
        with self._lock:
            config, changed, kept = reloaded(self._settings.config, new)
            self._settings = Settings(self._settings.options, config)
            settings = self._settings
        log.warning("config.reloaded", changed=changed, restart_needed_for=kept)
        on_changed(settings)
        return True
