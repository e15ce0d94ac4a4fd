"""`MiniHub`: a hub in this process, made from Python.

    hub = MiniHub(directory)
    hub.start()
    tag = hub.add_tag("f42-build", "x86_64", groups={"build": ["bash", "rpm-build"]})
    hub.add_external_repo("f42", "https://…/x86_64/os/", tag="f42-build")
    repo = hub.add_repo("f42-build")
    builder = hub.add_host("builder", "x86_64")
    … koji.ClientSession(hub.url, {"user": builder.user, "password": builder.password}) …
    hub.stop()

The directory is the hub: start another MiniHub on it and everything is there again.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import structlog

from koji_adjutant.errors import HubError
from koji_adjutant.minihub.contents import Contents, Credentials
from koji_adjutant.minihub.context import State
from koji_adjutant.minihub.database import Database
from koji_adjutant.minihub.faults import CallHook, nothing
from koji_adjutant.minihub.options import HubOptions
from koji_adjutant.minihub.rpc import Dispatcher
from koji_adjutant.minihub.server import FILES_PATH, HUB_PATH, HubServer

_log = structlog.get_logger(__name__)


class MiniHub(Contents):
    """An embedded hub. The Python calls may be used before and after `start`, from any thread."""

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        bind: str | None = None,
        options: HubOptions | None = None,
        clock: Callable[[], float] = time.time,
        admin_password: str | None = None,
    ) -> None:
        """Open or make the hub in `directory`.

        `host` goes into URLs, `bind` is listened on (default: `host`). Port 0 means the port this directory had last
        time, else a free one: repodata may name it. Without `admin_password` the one on record is kept, or a random one made.
        Raises HubError when the directory or its data cannot be used.
        """
        self.directory = Path(directory).resolve()
        topdir = self.directory / "topdir"
        self._make_directories(topdir)
        database = Database(str(self.directory / "hub.db"))
        super().__init__(State(db=database, topdir=str(topdir), options=options or HubOptions(), now=clock))
        self._dispatcher = Dispatcher(self.state)
        self._server: HubServer | None = None
        self._thread: threading.Thread | None = None
        self._host, self._bind = host, bind or host
        self.port = port or int(self.state.db.data("port") or 0)
        self.admin = self._ensure_admin(admin_password)

    def _make_directories(self, topdir: Path) -> None:
        try:
            for name in ("work", "repos", "packages"):
                (topdir / name).mkdir(parents=True, exist_ok=True)
            self.directory.chmod(0o700)  # passwords are in the data
        except OSError as error:
            raise HubError(
                f"{self.directory} cannot hold an embedded hub: {error.strerror}", resolution="Name another directory."
            ) from error

    def _ensure_admin(self, password: str | None) -> Credentials:
        with self.state.lock, self.state.db.transaction():
            known = self.state.db.row("SELECT id, password FROM users WHERE name = 'admin'")
            chosen = password or (known and known["password"]) or secrets.token_urlsafe(18)
            if known:
                self.state.db.run("UPDATE users SET password = ? WHERE name = 'admin'", (chosen,))
            else:
                admin = self.state.db.insert("users", name="admin", password=chosen)
                self.state.db.insert("user_perms", user_id=admin, perm_id=1)
                self.state.new_event()
        return Credentials("admin", chosen)

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}{HUB_PATH}"

    @property
    def topurl(self) -> str:
        return f"http://{self._host}:{self.port}{FILES_PATH}"

    @property
    def before_call(self) -> CallHook:
        return self._dispatcher.before_call

    @before_call.setter
    def before_call(self, hook: CallHook | None) -> None:
        self._dispatcher.before_call = hook or nothing

    @property
    def after_call(self) -> CallHook:
        return self._dispatcher.after_call

    @after_call.setter
    def after_call(self, hook: CallHook | None) -> None:
        self._dispatcher.after_call = hook or nothing

    def start(self) -> None:
        """Listen. Raises HubError when the port is taken; does nothing when listening already."""
        if self._server is not None:
            return
        try:
            self._server = HubServer((self._bind, self.port), self._dispatcher)
        except OSError as error:
            raise HubError(
                f"The embedded hub cannot listen on {self._bind}:{self.port}: {error.strerror}",
                resolution="End the other program on that port, or name another port.",
            ) from error
        self.port = int(self._server.server_address[1])
        with self.state.lock, self.state.db.transaction():
            self.state.db.set_data("port", self.port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="minihub", daemon=True
        )
        self._thread.start()
        _log.info("hub.started", url=self.url, directory=str(self.directory))

    def pause(self) -> None:
        """Stop listening and cut every connection, as a hub that is down; `start` brings it back on the same port."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        server.close_connections()
        if self._thread is not None:
            self._thread.join()

    def stop(self) -> None:
        """Stop for good; calls that are being done are done first. Safe to repeat."""
        self.pause()
        with self.state.lock:
            self.state.db.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.stop()

    def expire_session(self, session_id: int) -> None:
        """The next call of this session gets AuthExpired."""
        with self.state.lock, self.state.db.transaction():
            self.state.db.run("UPDATE sessions SET expired = 1 WHERE id = ? OR master = ?", (session_id, session_id))

    def write_profile(self, path: str | os.PathLike[str], name: str = "koji") -> None:
        """A profile for the `koji` command; user and password still go on its command line."""
        text = f"[{name}]\nserver = {self.url}\ntopurl = {self.topurl}\nauthtype = password\nanon_retry = no\n"
        Path(path).write_text(text, encoding="utf-8")

    def described(self) -> str:
        """Everything somebody needs to use the hub, as JSON."""
        found = {"hub": self.url, "topurl": self.topurl, "topdir": str(self.topdir), "user": self.admin.user}
        return json.dumps(found | {"password": self.admin.password}, indent=1)
