"""The process in which plugins of kojid run: started anew for each task and each callback, so that nothing of it lasts.

    python -m koji_adjutant.tasks.plugin_child

stdin: eight hexadecimal digits, so many bytes of JSON (the request), then a byte for each wake-up; its end is the end of the
daemon, and of this process. stdout: the reply, JSON. stderr, and what plugins print: lines for the daemon's log.
A plugin finds in `__main__` what of kojid's own module works here (contract 1.10).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any

import koji
import koji.daemon
import koji.plugin
import koji.tasks
import koji.xmlrpcplus

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.tasks.faults import encode_fault, encode_result
from koji_adjutant.tasks.plugin_facade import kojid_names

WAKE_AGAIN = (0.0, 1.0, 5.0)
"""Seconds after which a wake-up is sent: koji's wait loses one that comes between its question and its pause."""

Handlers = dict[str, type[koji.tasks.BaseTaskHandler]]


def load(names: list[str], pluginpath: str) -> list[dict[str, Any]]:
    """Load plugins in order; return what each brings, or the error that it raised."""
    tracker = koji.plugin.PluginTracker(path=pluginpath.split(":"))
    return [_load_one(tracker, name) for name in names]


def _load_one(tracker: koji.plugin.PluginTracker, name: str) -> dict[str, Any]:
    try:
        module = tracker.load(name)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything; it is reported by name
        return {"name": name, "error": f"{type(error).__name__}: {error}", "lacks": _lacks(error)}
    entries = list(vars(module).values())
    handlers = [entry for entry in entries if isinstance(entry, type) and issubclass(entry, koji.tasks.BaseTaskHandler)]
    functions = [entry for entry in entries if callable(entry) and hasattr(entry, "callbacks")]
    return {"name": name, "handlers": handlers, "functions": functions}


def _lacks(error: Exception) -> bool:
    """Whether a plugin wants something of kojid's own module that is not here."""
    return isinstance(error, ImportError) and error.name == "__main__"


def describe(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say what plugins bring, as data."""
    return [
        {
            "name": each["name"],
            "error": each.get("error", ""),
            "lacks": each.get("lacks", False),
            "handlers": [_handler(handler) for handler in each.get("handlers", ())],
            "callbacks": [kind for function in each.get("functions", ()) for kind in function.callbacks],
        }
        for each in found
    ]


def _handler(handler: Any) -> dict[str, Any]:
    return {
        "name": handler.__name__,
        "methods": list(getattr(handler, "Methods", ())),
        "foreground": bool(getattr(handler, "Foreground", False)),
        "weight": float(getattr(handler, "_taskWeight", 1.0)),
    }


def handlers_by_method(found: list[dict[str, Any]]) -> Handlers:
    """Return handlers by method; a later one replaces an earlier one (contract 1.10)."""
    return {
        method: handler
        for each in found
        for handler in each.get("handlers", ())
        for method in getattr(handler, "Methods", ())
    }


def run_task(request: Mapping[str, Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    """Run one task to its end, as kojid's own child would."""
    options, session = _options(request["options"]), _session(request["session"])
    try:
        info = session.getTaskInfo(request["task_id"], request=True, strict=True)
        kind = handlers_by_method(found)[info["method"]]
        handler = kind(info["id"], info["method"], info["request"], session, options)
        check = getattr(handler, "checkHost", None)
        if check is not None and not check(session.host.getHost()):
            return {"kind": "unfit", "text": "failed host check"}
        if handler.weight() != getattr(kind, "_taskWeight", 1.0):
            session.host.setTaskWeight(info["id"], handler.weight())
        return {"kind": "result", "document": encode_result(handler.run())}
    finally:
        session.close()


def run_callbacks(request: Mapping[str, Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    """Run the callbacks of one type."""
    for each in found:
        for function in each.get("functions", ()):
            for kind in function.callbacks:
                koji.plugin.register_callback(kind, function)
    _options(request["options"])
    session = _session(request["session"])
    try:
        (arguments,), _ = koji.xmlrpcplus.loads(request["arguments"])
        koji.plugin.run_callbacks(request["type"], *arguments["args"], **arguments["kwargs"], session=session)
    finally:
        session.close()
    return {"kind": "result", "document": encode_result(None)}


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the request asks for; every end has a reply."""
    try:
        found = load(request["names"], request["pluginpath"])
        if request["do"] == "describe":
            return {"kind": "described", "plugins": describe(found)}
        _check(found)
        return {"task": run_task, "callbacks": run_callbacks}[request["do"]](request, found)
    except koji.tasks.RefuseTask as error:
        return {"kind": "refuse", "text": str(error)}
    except (koji.tasks.ServerRestart, koji.tasks.ServerExit) as error:
        return {
            "kind": "fault",
            "document": encode_fault(koji.GenericError(f"a plugin may not raise {type(error).__name__}")),
        }
    except BaseException as error:  # noqa: BLE001 - top of the process: it reports
        traceback.print_exc()
        return {"kind": "fault", "document": encode_fault(error)}


def _check(found: list[dict[str, Any]]) -> None:
    broken = [f"{each['name']}: {each['error']}" for each in found if "error" in each]
    if broken:
        raise koji.PluginError(f"Loading plugin {broken[0]}")


def _options(values: Mapping[str, Any]) -> KojidOptions:
    options = KojidOptions(**_restored(values))
    koji.pathinfo.topdir = options.topdir
    return options


def _session(values: Mapping[str, Any]) -> AdjutantSession:
    session = AdjutantSession(
        values["baseurl"], opts=_restored(values["opts"]), sinfo=values["sinfo"], auth_method=values["auth_method"]
    )
    session.callnum = values["callnum"]
    return session


def _restored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Undo what JSON has made of tuples; neither options nor a session's have lists."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _watch(lifeline: int, main: int) -> None:
    """Pass wake-ups on; end everything when the daemon has gone."""
    while os.read(lifeline, 1):
        for pause in WAKE_AGAIN:
            time.sleep(pause)
            signal.pthread_kill(main, signal.SIGUSR2)
    os.killpg(0, signal.SIGKILL)


def _read(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(fd, size - len(data))
        if not piece:
            raise EOFError("the daemon has gone")
        data += piece
    return data


def main() -> None:
    """Read the request, answer it."""
    lifeline, reply = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    # Whatever the daemon's threads block or ignore, a plugin and its children begin with nothing of it.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGUSR2, lambda *_: None)
    request = json.loads(_read(lifeline, int(_read(lifeline, 8), 16)))
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    threading.Thread(target=_watch, args=(lifeline, threading.get_ident()), daemon=True).start()
    with os.fdopen(reply, "wb") as stream:
        stream.write(json.dumps(answer(request)).encode())


def _become_kojid() -> None:
    """Give plugins what they take from `__main__`."""
    for name, value in kojid_names().items():
        setattr(sys.modules["__main__"], name, value)


if __name__ == "__main__":
    _become_kojid()
    main()
