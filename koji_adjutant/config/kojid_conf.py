"""Reads section `[kojid]` exactly as kojid does (contract 1.3 and 1.4), one error at a time and in its words."""

from __future__ import annotations

import configparser
import dataclasses
import difflib
import os
from typing import Any

from koji_adjutant.config.kojid_options import COMMAND_LINE_ONLY, KojidOptions
from koji_adjutant.errors import ConfigurationError

INTEGERS = frozenset(
    {
        "sleeptime", "maxjobs", "minspace", "retry_interval", "max_retries", "offline_retry_interval",
        "failed_buildroot_lifetime", "timeout", "rpmbuild_timeout", "oz_install_timeout", "task_avail_delay",
        "buildroot_basic_cleanup_delay", "buildroot_final_cleanup_delay",
    }
)  # fmt: skip
BOOLEANS = frozenset(
    {
        "offline_retry", "use_createrepo_c", "createrepo_skip_stat", "createrepo_update", "use_fast_upload",
        "support_rpm_source_layout", "build_arch_can_fail", "no_ssl_verify", "log_timestamps", "allow_noverifyssl",
        "allowed_scms_use_config", "allowed_scms_use_policy", "allow_password_in_scm_url", "distrepo_skip_stat",
        "copy_old_repodata",
    }
)  # fmt: skip
OPTIONS = (
    frozenset(field.name for field in dataclasses.fields(KojidOptions)) - COMMAND_LINE_ONLY - {"topurls", "rlimits"}
)
"""Names a line of kojid.conf may set, beside `plugins` and `RLIMIT_*`."""
_SECTION = "kojid"


def read_kojid_conf(path: str) -> dict[str, Any]:
    """Return the options set by the file (or the sorted `*.conf` of the directory) `path`, typed as kojid types them.

    `plugin` is a list of names, `rlimits` a mapping; all other options that are no number and no truth value stay text.
    A file that is missing or cannot be read is an empty one, as in kojid.

    Raises:
        ConfigurationError: what kojid would exit 1 for; `brief` is its text.
    """
    parser = _parse(config_files(path))
    for section in parser.sections():
        if section != _SECTION:
            raise ConfigurationError(
                f"invalid section found in config file: {section}",
                resolution=f"Only [kojid] may stand in {path}; what is new goes to /etc/koji-adjutant/adjutant.yaml.",
            )
    return _options(parser, path) if parser.has_section(_SECTION) else {}


def config_files(path: str) -> list[str]:
    """Return the files that are read for `path`; none if there is nothing there."""
    if not os.path.isdir(path):
        return [path] if os.path.isfile(path) else []
    try:
        names = sorted(name for name in os.listdir(path) if name.endswith(".conf"))
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be listed: {error.strerror}", resolution="Let the daemon's user read the directory."
        ) from error
    return [full for name in names if os.path.isfile(full := os.path.join(path, name))]


def _parse(files: list[str]) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    for file in files:
        try:
            parser.read(file, encoding="utf-8")
        except configparser.Error as error:
            raise ConfigurationError(
                f"{file}: {error.message}", resolution="Mend the file: `[kojid]`, then lines of `option = value`."
            ) from error
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"{file}: not UTF-8 at byte {error.start}", resolution="Save the file as UTF-8 text."
            ) from error
    return parser


def _options(parser: configparser.RawConfigParser, path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in parser.items(_SECTION):
        if name in INTEGERS:
            found[name] = _integer(name, value, path)
        elif name in BOOLEANS:
            found[name] = _boolean(parser, name, path)
        elif name in ("plugin", "plugins"):
            found["plugin"] = value.split()
        elif name in OPTIONS:
            found[name] = value
        elif name.startswith("rlimit_"):
            found.setdefault("rlimits", {})[name.upper()] = value
        else:
            raise _unknown(name, path)
    return found


def _integer(name: str, value: str, path: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise ConfigurationError(
            f"value for {name} option must be a valid integer", resolution=f"{path} has {value!r}: write a number."
        ) from error


def _boolean(parser: configparser.RawConfigParser, name: str, path: str) -> bool:
    try:
        return parser.getboolean(_SECTION, name)
    except ValueError as error:
        raise ConfigurationError(
            f"value for {name} option must be a boolean: {error}",
            resolution=f"Write True or False (or yes/no, on/off, 1/0) in {path}.",
        ) from error


def _unknown(name: str, path: str) -> ConfigurationError:
    near = difflib.get_close_matches(name, OPTIONS, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return ConfigurationError(
        f"unknown config option: {name}",
        resolution=f"{hint}Mend or remove the line in {path}; what kojid has no word for goes to "
        "/etc/koji-adjutant/adjutant.yaml.",
    )
