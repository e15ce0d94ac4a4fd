"""The builder plugins of kojid.conf: found out about at the start, run in processes of their own (design section 7).

No plugin is ever imported by the daemon. A plugin that is missing or broken keeps the daemon from starting, as under kojid:
it may be what guards a farm (scmpolicy). One that cannot work here is refused by name, with what to use instead.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xmlrpc.client import Fault

import koji
import koji.plugin
import koji.xmlrpcplus
import structlog

from koji_adjutant.errors import ConfigurationError
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.tasks.buildroot_record import BuildrootRecord
from koji_adjutant.tasks.plugin_facade import ABSENT
from koji_adjutant.tasks.plugin_process import PluginProcess

if TYPE_CHECKING:
    from koji_adjutant.config.kojid_options import KojidOptions

NATIVE: Mapping[str, str] = {"runroot": "runroot", "save_failed_tree": "saveFailedTree"}
"""Shipped plugins whose method this builder has itself: plugin -> method."""
_CALLBACK = re.compile(r"^\s*@(koji\.)?(plugin\.)?callback\(", re.MULTILINE)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PluginHandler:
    """A task handler of a plugin."""

    name: str
    methods: tuple[str, ...]
    weight: float
    foreground: bool


@dataclass(frozen=True)
class PluginSet:
    """The plugins in use. Thread-safe."""

    names: tuple[str, ...]
    pluginpath: str
    handlers: tuple[PluginHandler, ...] = ()
    callbacks: frozenset[str] = frozenset()

    def request(self, do: str, session: AdjutantSession, options: KojidOptions, **more: Any) -> dict[str, Any]:
        """Return a request for a child that talks to the hub with `session`, which is the child's from then on."""
        return {
            "do": do,
            "names": list(self.names),
            "pluginpath": self.pluginpath,
            "options": plain_options(options),
            "session": {
                "baseurl": session.baseurl,
                "opts": dict(session.opts),
                "sinfo": session.sinfo,
                "callnum": session.callnum,
                "auth_method": session.auth_method,
            },
            **more,
        }

    def register_callbacks(self, options: KojidOptions) -> None:
        """Let koji's callbacks lead to the plugins' processes; once, at the start."""
        for kind in sorted(self.callbacks):
            koji.plugin.register_callback(kind, partial(self._call, options))

    def _call(self, options: KojidOptions, kind: str, /, *args: Any, session: AdjutantSession, **kwargs: Any) -> None:
        """Run the callbacks of one type. Raises koji.CallbackError as the plugin made it, and what an interruption is."""
        arguments = {"args": list(args), "kwargs": {name: _plain(value) for name, value in kwargs.items()}}
        of_child = session.subsession(threading.Event())
        try:
            document = koji.xmlrpcplus.dumps((arguments,), methodresponse=1, allow_none=1)
            request = self.request("callbacks", of_child, options, type=kind, arguments=document)
            what = f"{kind} callbacks of {', '.join(self.names)}"
            reply = PluginProcess(request, what=what).end(session.interrupt, session.interrupted)
        finally:
            of_child.rsession.close()
        result_of(reply)


def load_plugins(names: Sequence[str], pluginpath: str) -> PluginSet:
    """Find out, in a process, what the plugins of kojid.conf bring.

    Raises:
        ConfigurationError: a plugin cannot be loaded.
    """
    for name in names:
        if name in NATIVE:
            log.info(
                "plugin.native", plugin=name, reason=f"{NATIVE[name]} is this builder's own; the plugin is not loaded"
            )
    wanted = [name for name in names if name not in NATIVE]
    if not wanted:
        return PluginSet((), pluginpath)
    request = {"do": "describe", "names": wanted, "pluginpath": pluginpath}
    described = PluginProcess(request, what="the plugins' loading").end()["plugins"]
    usable = [found for found in described if not _refused(found, pluginpath)]
    handlers = tuple(_usable_handlers(usable))
    for found in usable:
        methods = [method for handler in found["handlers"] for method in handler["methods"]]
        log.info("plugin.loaded", plugin=found["name"], methods=methods, callbacks=found["callbacks"])
    kinds = frozenset(kind for found in usable for kind in found["callbacks"])
    _check_callbacks(usable)
    return PluginSet(tuple(found["name"] for found in usable), pluginpath, handlers, kinds)


def result_of(reply: Mapping[str, Any]) -> Any:
    """Return the value of a child's reply, or raise its fault as koji's error."""
    try:
        (value,), _ = koji.xmlrpcplus.loads(reply["document"])
    except Fault as fault:
        raise koji.convertFault(fault) from None
    return value


def plain_options(options: KojidOptions) -> dict[str, Any]:
    """Return the options as JSON takes them."""
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def _refused(found: Mapping[str, Any], pluginpath: str) -> bool:
    """Whether a plugin is left out although the daemon starts: one of which only tasks are lost, which other hosts do."""
    if not found["error"]:
        return False
    if found["lacks"] and not _has_callbacks(found["name"], pluginpath):
        log.error(
            "plugin.refused",
            plugin=found["name"],
            reason=f"it takes from kojid what is not here ({found['error']}): {_absent(found['error'])}; its task methods are "
            "refused and run on a host with kojid",
        )
        return True
    raise ConfigurationError(
        f"Loading plugin {found['name']} failed: {found['error']}",
        details=f"pluginpath is {pluginpath}",
        resolution="Mend it, or take it out of kojid.conf's `plugin`.",
    )


def _absent(error: str) -> str:
    return next((f"{name}: {why}" for name, why in ABSENT.items() if f"'{name}'" in error), "docs/task-methods.md")


def _has_callbacks(name: str, pluginpath: str) -> bool:
    found = [path for path in (Path(part) / f"{name}.py" for part in pluginpath.split(":")) if path.is_file()]
    return not found or bool(_CALLBACK.search(found[0].read_text(encoding="utf-8", errors="replace")))


def _usable_handlers(plugins: Iterable[Mapping[str, Any]]) -> Iterable[PluginHandler]:
    for plugin in plugins:
        for row in plugin["handlers"]:
            if row["foreground"]:
                reason = "it wants to run in the daemon's own loop; refused"
                log.error("plugin.method_refused", plugin=plugin["name"], methods=row["methods"], reason=reason)
            elif row["methods"]:
                yield PluginHandler(row["name"], tuple(row["methods"]), row["weight"], row["foreground"])


def _check_callbacks(plugins: Iterable[Mapping[str, Any]]) -> None:
    for plugin in plugins:
        unknown = sorted(set(plugin["callbacks"]) - set(koji.plugin.callbacks))
        if unknown:
            raise ConfigurationError(
                f'plugin {plugin["name"]}: "{unknown[0]}" is not a valid callback type',
                resolution="Mend it, or take it out of kojid.conf's `plugin`.",
            )


def _plain(value: Any) -> Any:
    """Return what XML-RPC takes of a callback's argument: of an object its plain attributes, as a plugin may read them."""
    if value is None or isinstance(value, str | int | float | bool | list | tuple | dict):
        return value
    if isinstance(value, BuildrootRecord):
        return value.for_plugins()
    return {key: each for key, each in vars(value).items() if isinstance(each, str | int | float | bool)}
