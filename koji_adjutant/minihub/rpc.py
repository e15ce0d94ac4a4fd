"""From the body of a request to the body of an answer: one call, one transaction.

As in the real hub (kojihub/kojixmlrpc.py): the call number is committed together with what the call wrote; a call that
wrote nothing or failed leaves no trace of its number and may be repeated.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping
from typing import Any, BinaryIO

import koji
import koji.util
import koji.xmlrpcplus
import structlog

# Imported for the calls they bring.
from koji_adjutant.minihub import (  # noqa: F401
    archive_types,
    archives,
    build_calls,
    buildroots,
    builds,
    cancels,
    changes,
    client_tasks,
    dist_repos,
    history,
    host_calls,
    hosts,
    image_builds,
    maven_builds,
    maven_tags,
    notifications,
    outputs,
    package_lists,
    policies,
    promotion,
    repo_init,
    repo_queue,
    repo_states,
    repos,
    rpm_queries,
    rpms,
    scheduler,
    sessions,
    signatures,
    tag_edits,
    tagged,
    tagging,
    tags,
    targets,
    task_queries,
    uploads,
    users,
)
from koji_adjutant.minihub.context import METHODS, Context, Session, State, exported
from koji_adjutant.minihub.faults import Call, CallHook, DropConnection, HttpError, nothing

_log = structlog.get_logger(__name__)

Headers = Mapping[str, str | None]


class Dispatcher:
    """Answers calls; safe for threads: one call at a time holds the hub's lock, hooks run outside it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.before_call: CallHook = nothing
        self.after_call: CallHook = nothing

    def answer_call(self, body: bytes, headers: Headers) -> str:
        """XML-RPC document in, document out; a fault is a document. Raises HttpError for what is no call."""
        if len(body) > self.state.options.max_request_length:
            raise HttpError(400, "Invalid request: Request too long")
        try:
            params, method = koji.xmlrpcplus.loads(body)
        except Exception as error:
            raise HttpError(400, f"Invalid request: {error}") from error
        args, kwargs = koji.decode_args(*params)
        call = Call(str(method), tuple(args), dict(kwargs), *_numbers(headers))
        return self._answer(call, headers, lambda ctx: _invoke(ctx, call))

    def answer_upload(self, upload: uploads.Upload, body: BinaryIO, size: int, headers: Headers) -> str:
        """Raw upload; `body` is what the client sent, whole."""
        call = Call("rawUpload", (upload.path, upload.name, upload.offset, size), {}, *_numbers(headers))
        return self._answer(call, headers, lambda ctx: uploads.raw_upload(ctx, upload, body), method=None)

    def _answer(self, call: Call, headers: Headers, act: Any, method: str | None = "") -> str:
        named = call.method if method == "" else method
        try:
            self.before_call(call)
            with self.state.lock:
                result = self._perform(headers, named, act)
            self.after_call(call)
            return str(koji.xmlrpcplus.dumps((result,), methodresponse=1))
        except (DropConnection, HttpError):
            raise
        except Exception as error:  # noqa: BLE001 - the top of a request: every error becomes its fault
            return str(koji.xmlrpcplus.dumps(fault_of(error, call.method)))

    def _perform(self, headers: Headers, method: str | None, act: Any) -> Any:
        session = self._session(headers, method)
        sessions.check_lock(session, method)
        database, before = self.state.db, self.state.db.changes
        numbered = session.logged_in and session.call_number is not None
        with database.transaction(lambda: database.changes > before + numbered):
            if numbered:
                database.run("UPDATE sessions SET callnum = ? WHERE id = ?", (session.call_number, session.id))
            return _plain(act(Context(self.state, session, method)))

    def _session(self, headers: Headers, method: str | None) -> Session:
        error: koji.GenericError | None = None
        with self.state.db.transaction():  # an expiry found out now is kept, whatever becomes of the call
            try:
                return sessions.find_session(self.state, headers, method)
            except koji.GenericError as found:
                error = found
        raise error


def _plain(result: Any) -> Any:
    return list(result) if isinstance(result, tuple) else result


def _numbers(headers: Headers) -> tuple[int | None, int | None]:
    session, number = headers.get("id"), headers.get("callnum")
    return (int(session) if session else None), (int(number) if number else None)


def _invoke(ctx: Context, call: Call) -> Any:
    handler = METHODS.get(call.method)
    if handler is None:
        raise koji.GenericError(f"Invalid method: {call.method}")
    return koji.util.call_with_argcheck(handler, (ctx, *call.args), call.kwargs)


@exported("multiCall", "system.multicall")
def multi_call(ctx: Context, calls: list[dict[str, Any]]) -> list[Any]:
    """Each call for itself: [result] or a fault as a dict; one that fails undoes nothing of the others."""
    results: list[Any] = []
    for one in calls:
        args, kwargs = koji.decode_args(*one["params"])
        call = Call(one["methodName"], tuple(args), dict(kwargs), None, None)
        try:
            sessions.check_lock(ctx.session, call.method)
            with ctx.db.savepoint():
                results.append([_plain(_invoke(Context(ctx.state, ctx.session, call.method), call))])
        except Exception as error:  # noqa: BLE001 - one of many calls: its error is its result
            fault = fault_of(error, call.method)
            results.append({"faultCode": fault.faultCode, "faultString": fault.faultString})
    return results


@exported("system.listMethods")
def list_methods(_ctx: Context) -> list[str]:
    """Names of all calls."""
    return sorted(METHODS)


@exported("_listapi")
def list_api(_ctx: Context) -> list[dict[str, Any]]:
    """The calls with their parameters (`koji list-api`)."""
    found = []
    for name, handler in sorted(METHODS.items()):
        parameters = list(inspect.signature(handler).parameters.values())[1:]
        args = [p.name if p.default is p.empty else [p.name, p.default] for p in parameters]
        shown = ", ".join(p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters)
        found.append({"name": name, "doc": handler.__doc__, "args": args, "argdesc": f"({shown})"})
    return found


def fault_of(error: Exception, method: str) -> Any:
    """The fault of an error: Koji's own keep code and text, anything else is fault 1 with a traceback."""
    if isinstance(error, koji.xmlrpcplus.Fault):
        return error
    if isinstance(error, koji.GenericError):
        return koji.xmlrpcplus.Fault(error.faultCode, str(error))
    _log.warning("hub.call_failed", method=method, error=repr(error))
    return koji.xmlrpcplus.Fault(1, "".join(traceback.format_exception(error)))
