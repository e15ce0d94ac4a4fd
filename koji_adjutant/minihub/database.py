"""One SQLite file: every committed call is on disk, whatever happens to the process afterwards.

WAL with `synchronous=NORMAL` loses nothing to a killed process (what was written is the kernel's); only a power cut may
take the last calls with it, which a hub for one person can bear. One connection, used under one lock: calls are short.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from koji_adjutant.errors import HubError
from koji_adjutant.minihub import schema

Row = dict[str, Any]
Values = Sequence[Any] | Mapping[str, Any]

sqlite3.register_converter("BOOLEAN", lambda raw: raw == b"1")
sqlite3.register_converter("JSON", json.loads)


class Database:
    """Thin words around one connection; not safe for threads: the hub's lock is held around every use."""

    def __init__(self, path: str) -> None:
        """Open or create; raises HubError when the file cannot be opened or is not a hub's."""
        try:
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, detect_types=sqlite3.PARSE_DECLTYPES
            )
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute("PRAGMA foreign_keys=ON")
            self._create(path)
        except sqlite3.Error as error:
            raise HubError(
                f"{path} cannot be used as an embedded hub's data: {error}",
                resolution="Name another directory, or remove this one if nothing in it is needed.",
            ) from error

    def _create(self, path: str) -> None:
        if self.value("SELECT count(*) FROM sqlite_master WHERE name = 'sys_data'"):
            self._check_version(path)
            return
        with self.transaction():
            for statement in schema.TABLES.split(";\n"):
                if statement.strip():
                    self._connection.execute(statement)
            for channel in schema.CHANNELS:
                self.insert("channels", name=channel)
            for name, description in schema.PERMISSIONS.items():
                self.insert("permissions", name=name, description=description)
            self.insert("external_repo", **schema.INTERNAL_REPO)
            self._connection.execute(f"PRAGMA user_version = {schema.VERSION}")

    def _check_version(self, path: str) -> None:
        version = self.value("PRAGMA user_version")
        if version != schema.VERSION:
            raise HubError(
                f"{path} holds an embedded hub of another version (layout {version}, this program has {schema.VERSION})",
                resolution="Name another directory, or remove this one if nothing in it is needed.",
            )

    def close(self) -> None:
        self._connection.close()

    @property
    def changes(self) -> int:
        """Rows changed since the file was opened: tells whether a call wrote anything."""
        return self._connection.total_changes

    @contextmanager
    def transaction(self, worth_keeping: Callable[[], bool] = lambda: True) -> Iterator[None]:
        """Commit at the end, roll back at an exception or when the end finds nothing worth keeping."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT" if worth_keeping() else "ROLLBACK")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A transaction within a transaction: one call of a multicall."""
        self._connection.execute("SAVEPOINT call")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO call")
            raise
        finally:
            self._connection.execute("RELEASE call")

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        return [dict(row) for row in self._connection.execute(sql, values)]

    def row(self, sql: str, values: Values = ()) -> Row | None:
        found = self._connection.execute(sql, values).fetchone()
        return None if found is None else dict(found)

    def value(self, sql: str, values: Values = ()) -> Any:
        """First column of the first row; None when there is no row."""
        found = self._connection.execute(sql, values).fetchone()
        return None if found is None else found[0]

    def run(self, sql: str, values: Values = ()) -> int:
        """Execute; the number of rows it touched."""
        return self._connection.execute(sql, values).rowcount

    def insert(self, table: str, **columns: Any) -> int:
        """Insert one row; its id."""
        names = ", ".join(columns)
        marks = ", ".join("?" for _ in columns)
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names come from this package
        return int(self._connection.execute(sql, tuple(columns.values())).lastrowid or 0)

    def data(self, name: str) -> Any:
        """One remembered value of the hub itself."""
        return self.value("SELECT data FROM sys_data WHERE name = ?", (name,))

    def set_data(self, name: str, value: Any) -> None:
        self.run("INSERT OR REPLACE INTO sys_data (name, data) VALUES (?, ?)", (name, json.dumps(value)))


def marks(values: Sequence[Any]) -> str:
    """`?, ?, ?` for an IN clause."""
    return ", ".join("?" for _ in values)
