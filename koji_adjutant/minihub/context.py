"""What one hub call works with, and the table of the calls there are.

A call is a function whose first argument is the `Context`; its other parameters have the names of the real hub's API,
because clients pass them as keywords. `exported("getTaskInfo")` puts it in the table under the hub's name for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import koji

from koji_adjutant.minihub.database import Database
from koji_adjutant.minihub.options import HubOptions

Handler = Callable[..., Any]
_HandlerT = TypeVar("_HandlerT", bound=Handler)

METHODS: dict[str, Handler] = {}


def exported(*names: str) -> Callable[[_HandlerT], _HandlerT]:
    """Register a function under the hub's names for it."""

    def register(function: _HandlerT) -> _HandlerT:
        for name in names:
            METHODS[name] = function
        return function

    return register


@dataclass
class State:
    """What a running hub has: its data, directory, settings and clock. `lock` is held by whoever uses `db`."""

    db: Database
    topdir: str
    options: HubOptions
    now: Callable[[], float]
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def paths(self) -> Any:
        """Koji's own map of the directory."""
        return koji.PathInfo(topdir=self.topdir)

    @property
    def work(self) -> Path:
        """Where uploads go."""
        return Path(self.topdir) / "work"

    def task_directory(self, task_id: int) -> Path:
        """Where the files of a task are."""
        return Path(str(self.paths.task(task_id)))

    def build_directory(self, build: Mapping[str, Any]) -> Path:
        """Where the packages and logs of a build are."""
        return Path(str(self.paths.build(build)))

    def rpm_path(self, build: Mapping[str, Any], rpm: Mapping[str, Any], sigkey: str = "") -> Path:
        """Where an rpm of a build is, or its copy signed with a key."""
        relative = self.paths.signed(rpm, sigkey) if sigkey else self.paths.rpm(rpm)
        return self.build_directory(build) / str(relative)

    def new_event(self) -> int:
        """Events order what happened; a buildroot's or repo's birth is one."""
        return self.db.insert("events", time=self.now())

    def tag_changed(self, tag_id: int) -> int:
        """A new event, on record as a change of this tag: its repos are older than the tag from now on."""
        event = self.new_event()
        self.db.insert("tag_updates", tag_id=tag_id, update_event=event)
        return event


@dataclass
class Session:
    """Who calls. Not logged in unless `logged_in`; `id` alone means an expired session that may be renewed."""

    logged_in: bool = False
    id: int | None = None
    user_id: int | None = None
    user_name: str = ""
    usertype: int = 0
    master: int | None = None
    exclusive: bool = False
    lock_error: str = ""
    call_number: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass
class Context:
    """One call: the hub's state and the caller."""

    state: State
    session: Session
    method: str | None

    @property
    def db(self) -> Database:
        return self.state.db

    def now(self) -> float:
        return self.state.now()

    def assert_login(self) -> None:
        if not self.session.logged_in:
            raise koji.ActionNotAllowed("you must be logged in for this operation")

    def has_perm(self, name: str) -> bool:
        """False for who is not logged in; admin does not imply the others here, as in the real hub."""
        return self.session.logged_in and bool(
            self.db.value(
                "SELECT 1 FROM user_perms JOIN permissions ON permissions.id = perm_id WHERE user_id = ? AND name = ?",
                (self.session.user_id, name),
            )
        )

    def assert_perm(self, name: str) -> None:
        if self.has_perm(name) or self.has_perm("admin"):
            return
        who = f"logged in as {self.session.user_name}" if self.session.logged_in else "user not logged in"
        raise koji.ActionNotAllowed(f"{name} permission required ({who})")


def isoformat(timestamp: float | None) -> str | None:
    """A time as the hub writes times."""
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC).isoformat(" ")


def require(row: dict[str, Any] | None) -> dict[str, Any]:
    """The row, or the fault of a strict query of the real hub."""
    if row is None:
        raise koji.GenericError("query returned no rows")
    return row


def convert(value: Any, cast: type, *, none_allowed: bool = False) -> Any:
    """Value as `cast`; ParameterError with the real hub's words when it cannot be one."""
    if value is None and none_allowed:
        return None
    if value is None:
        raise koji.ParameterError(f"Invalid type, expected type {cast}")
    try:
        return cast(value)
    except (ValueError, TypeError) as error:
        raise koji.ParameterError(f"Invalid type for value '{value}': {type(value)}, expected type {cast}") from error


def apply_query_options(rows: list[dict[str, Any]], options: dict[str, Any] | None) -> Any:
    """`queryOpts` of the API: order, offset, limit, countOnly."""
    chosen = options or {}
    for name in reversed([part for part in str(chosen.get("order") or "").split(",") if part]):
        key = name.lstrip("-")
        rows = sorted(rows, key=lambda row: (row[key] is None, row[key]), reverse=name.startswith("-"))
    rows = rows[int(chosen.get("offset") or 0) :]
    if chosen.get("limit"):
        rows = rows[: int(chosen["limit"])]
    return len(rows) if chosen.get("countOnly") else rows
