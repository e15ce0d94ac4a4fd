"""kojid's command line over kojid.conf: same options, same texts, same order of checks (contract 1.1 and 1.2)."""

from __future__ import annotations

import optparse
import os
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from koji_adjutant.config.kojid_conf import OPTIONS, config_files, read_kojid_conf
from koji_adjutant.config.kojid_options import DEFAULT_CONFIG_FILE, MAVEN_REPO_IGNORE, KojidOptions
from koji_adjutant.errors import ConfigurationError, UsageError

CERT_DEFAULTS: Mapping[str, str] = {"cert": "/etc/kojid/client.crt", "serverca": "/etc/kojid/serverca.crt"}
"""Used when the option is not set and the file exists."""
_FLAGS = ("force_lock", "verbose", "debug", "debug_task", "debug_xmlrpc", "skip_main")


def load_kojid_options(
    argv: Sequence[str], *, prog: str = "kojid", cert_defaults: Mapping[str, str] = CERT_DEFAULTS
) -> KojidOptions:
    """Return the effective options of `argv` (without the program's name) and the file it names.

    `--help` prints and raises `SystemExit(0)`. Nothing is created: see `ensure_workdir`.

    Raises:
        UsageError: what optparse would exit 2 for; `brief` is all that kojid prints.
        ConfigurationError: what kojid would exit 1 for.
    """
    parser = _parser(prog)
    given, rest = parser.parse_args(list(argv))
    if rest:
        parser.error("incorrect number of arguments")
    values: dict[str, Any] = {**read_kojid_conf(given.configfile), **_from_command_line(given)}
    _require(parser, values, given.configfile)
    for name, path in cert_defaults.items():
        if values.get(name) is None and os.path.exists(path):
            values[name] = path
    return KojidOptions(**_typed(values), warnings=_obsolete(given, values))


def ensure_workdir(options: KojidOptions) -> None:
    """Make `workdir` and its parents, if missing, as kojid does before it logs in. Safe to repeat.

    Raises:
        ConfigurationError: it cannot be made, or is no directory.
    """
    try:
        os.makedirs(options.workdir, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"workdir {options.workdir} cannot be made: {error.strerror}",
            resolution=f"Set workdir in {options.configfile} to a directory the daemon may write.",
        ) from error


class _Parser(optparse.OptionParser):
    def error(self, msg: str) -> NoReturn:
        raise UsageError(f"{self.get_usage()}\n{self.get_prog_name()}: error: {msg}")


def _parser(prog: str) -> _Parser:
    parser = _Parser(prog=prog)
    add = parser.add_option
    add(
        "-c",
        "--config",
        dest="configfile",
        metavar="FILE",
        default=DEFAULT_CONFIG_FILE,
        help="read this configuration file instead",
    )
    add("--user", help="user of a password login")
    add("--password", help="password of a password login")
    add("-f", "--fg", dest="foreground", action="store_true", default=False, help="stay in the foreground")
    add("--force-lock", action="store_true", default=False, help="take the exclusive session from another daemon")
    add("-v", "--verbose", action="store_true", default=False, help="log level INFO")
    add("-d", "--debug", action="store_true", default=False, help="log level DEBUG")
    add("--debug-task", action="store_true", default=False, help="log level DEBUG for tasks only")
    add("--debug-xmlrpc", action="store_true", default=False, help="log XML-RPC traffic")
    add("--debug-mock", action="store_true", default=False, help=optparse.SUPPRESS_HELP)
    add("--skip-main", action="store_true", default=False, help="log in and stop: a test of the connection")
    add("--maxjobs", type="int", help="limit of open tasks")
    add("--minspace", type="int", help="free space needed, in MB")
    add("--sleeptime", type="int", help="polling interval in seconds")
    add("--admin-emails", metavar="EMAILS", help="comma-separated addresses that get errors by mail")
    for name, text in _TEXTS.items():
        add(f"--{name}", help=text)
    add("--plugin", action="append", help="load this plugin (may be repeated)")
    add("-s", "--server", help="URL of the hub")
    add("--pkgurl", help=optparse.SUPPRESS_HELP)
    return parser  # fmt: skip


_TEXTS = {
    "topdir": "where the hub's files are mounted",
    "topurl": "where the hub's files are served",
    "workdir": "directory of task work",
    "chroot-tmpdir": "temporary directory in the buildroot",
    "pluginpath": "colon-separated directories of plugins",
    "mockdir": "directory of buildroots",
    "mockuser": "owner of checked-out sources",
}


def _from_command_line(given: optparse.Values) -> dict[str, Any]:
    values = {name: value for name, value in vars(given).items() if name in OPTIONS and value is not None}
    values.update({name: getattr(given, name) for name in ("configfile", "foreground", *_FLAGS)})
    return values


def _require(parser: _Parser, values: Mapping[str, Any], configfile: str) -> None:
    for name in ("server", "topurl"):
        if not (values.get(name) or "").strip():
            try:
                parser.error(f"the {name} option is required")
            except UsageError as error:
                error.resolution = _where(name, configfile)
                raise


def _where(name: str, configfile: str) -> str:
    files = config_files(configfile)
    unreadable = [file for file in files if not os.access(file, os.R_OK)]
    if not files:
        return f"{configfile} does not exist: make it, with {name} = URL in [kojid], or name another with --config."
    if unreadable:
        return f"{', '.join(unreadable)} cannot be read: let the daemon's user read it."
    return f"Set {name} = URL in [kojid] of {configfile}, or give --{name} URL."


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    typed = dict(values)
    topurls = tuple(values["topurl"].split())
    typed["topurls"], typed["topurl"] = topurls, topurls[0]
    typed["plugin"] = tuple(values.get("plugin", ()))
    typed["literal_task_arches"] = tuple(values.get("literal_task_arches", "").split())
    typed["maven_repo_ignore"] = tuple(values.get("maven_repo_ignore", " ".join(MAVEN_REPO_IGNORE)).split())
    typed["mock_bootstrap_image"] = bool(values.get("mock_bootstrap_image"))
    return typed


def _obsolete(given: optparse.Values, values: Mapping[str, Any]) -> tuple[str, ...]:
    marks = {"pkgurl": values.get("pkgurl"), "debug-mock": given.debug_mock}
    return tuple(f"The {name} option is obsolete" for name, value in marks.items() if value)
