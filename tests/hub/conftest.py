"""The hub the tests of this folder ask: an embedded one, or the real one that ADJUTANT_TEST_HUB names.

ADJUTANT_TEST_HUB is the path of a lab.json: a file that says where a real hub is (`hub`, `topurl`), which tag it has
(`target`-build) and how to reach its database (`psql`), because passwords of hosts have no other way in. The administrator
is `admin`, the password of every user NAME-pw. Hosts are made for each test and disabled after it.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import koji
import koji.xmlrpcplus
import pytest

from koji_adjutant.minihub import Credentials, MiniHub
from tests.support.hub_builds import BuildDesk


class HubUnderTest:
    """What every test needs of a hub, whichever it is. Sessions are closed at the end."""

    def __init__(self, url: str, topurl: str, admin: Credentials) -> None:
        self.url, self.topurl = url, topurl
        self.admin_credentials = admin
        self.channel = f"test-{secrets.token_hex(4)}"
        self._sessions: list[Any] = []
        self._hosts: list[str] = []
        self.tasks: list[int] = []
        self.admin = self.session(admin)

    def set_password(self, user: str, password: str) -> None:
        raise NotImplementedError

    def expire(self, session: Any) -> None:
        """Make the hub think that the session is too old."""
        raise NotImplementedError

    def repo(self, builder: Any) -> int:
        """Id of a repo for buildroots."""
        raise NotImplementedError

    def external_repo(self) -> str:
        """Name of an external repo nobody has used yet."""
        raise NotImplementedError

    def client(self, credentials: Credentials) -> Any:
        """A client that does not repeat calls by itself."""
        options = {"user": credentials.user, "password": credentials.password}
        session = koji.ClientSession(self.url, options | {"anon_retry": False, "max_retries": 1, "timeout": 120})
        self._sessions.append(session)
        return session

    def session(self, credentials: Credentials) -> Any:
        session = self.client(credentials)
        session.login()
        return session

    def user(self) -> Credentials:
        """A new user without permissions."""
        credentials = Credentials(f"user-{secrets.token_hex(4)}", secrets.token_hex(8))
        self.admin.createUser(credentials.user)
        self.set_password(credentials.user, credentials.password)
        return credentials

    def host(self, arches: str = "x86_64", capacity: float = 4.0) -> Credentials:
        """A new host, in this test's channel only: nobody's tasks but the test's come to it."""
        credentials = Credentials(f"host-{secrets.token_hex(4)}", secrets.token_hex(8))
        self.admin.addHost(credentials.user, arches)
        self.admin.editHost(credentials.user, capacity=capacity)
        self.admin.addHostToChannel(credentials.user, self.channel, create=True)
        self.admin.removeHostFromChannel(credentials.user, "default")
        self.set_password(credentials.user, credentials.password)
        self._hosts.append(credentials.user)
        return credentials

    def builder(self, *, ready: bool = True, **host: Any) -> Builder:
        """A host that is logged in, holds the lock and has checked in."""
        return Builder(self, self.host(**host), ready=ready)

    def close(self) -> None:
        for task_id in self.tasks:
            self.admin.cancelTaskFull(task_id, strict=False)
        for name in self._hosts:
            self.admin.disableHost(name)
        for session in self._sessions:
            with suppress(Exception):
                session.logout()
            session.rsession.close()

    @staticmethod
    def once(session: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        """One request for one call: no renewal, no repetition."""
        request = session._prepCall(method, args, kwargs)
        try:
            return session._sendCall(*request)
        except koji.xmlrpcplus.Fault as fault:
            raise koji.convertFault(fault) from fault


class EmbeddedHub(HubUnderTest):
    """The one in this process."""

    def __init__(self, mini: MiniHub) -> None:
        self.mini = mini
        super().__init__(mini.url, mini.topurl, mini.admin)

    def set_password(self, user: str, password: str) -> None:
        self.mini.add_user(user, password)

    def expire(self, session: Any) -> None:
        self.mini.expire_session(session.sinfo["session-id"])

    def repo(self, builder: Any) -> int:
        self.mini.add_tag("empty-build", None)
        return self.mini.add_repo("empty-build")

    def external_repo(self) -> str:
        name = f"ext-{secrets.token_hex(4)}"
        self.mini.add_tag("empty-build", None)
        self.mini.add_external_repo(name, "http://127.0.0.1/nothing/", tag="empty-build")
        return name


class RealHub(HubUnderTest):
    """A real one; its database is changed only where its API has no call."""

    def __init__(self, lab: dict[str, Any]) -> None:
        self._psql = [*shlex.split(lab["psql"]), "--quiet", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-c"]
        self._tag = lab["target"] + "-build"
        super().__init__(lab["hub"], lab["topurl"], Credentials("admin", "admin-pw"))

    def _sql(self, statement: str) -> None:
        subprocess.run([*self._psql, statement], check=True, timeout=60)

    def set_password(self, user: str, password: str) -> None:
        self._sql(f"UPDATE users SET password = '{password}' WHERE name = '{user}'")

    def expire(self, session: Any) -> None:
        number = int(session.sinfo["session-id"])
        self._sql(f"UPDATE sessions SET expired = true WHERE id = {number} OR master = {number}")

    def repo(self, builder: Any) -> int:
        return int(builder.session.host.repoInit(self._tag)[0])

    def external_repo(self) -> str:
        name = f"ext-{secrets.token_hex(4)}"
        self.admin.createExternalRepo(name, "http://127.0.0.1/nothing/")
        return name


class Builder:
    """A host with an exclusive session."""

    def __init__(self, hub: HubUnderTest, credentials: Credentials, *, ready: bool) -> None:
        self.hub, self.credentials, self.name = hub, credentials, credentials.user
        self.session = hub.session(credentials)
        self.session.exclusiveSession(force=True)
        self.id = self.session.host.getID()
        if ready:
            self.check_in()

    def check_in(self, load: float = 0.0, *, ready: bool = True, **data: Any) -> None:
        self.session.host.updateHost(load, ready, data={"methods": ["sleep"], "maxjobs": 10} | data)

    def make_task(self, method: str = "sleep", arglist: Any = (0,), **options: Any) -> int:
        """A FREE task in the test's channel; cancelled at the end."""
        task_id = int(self.hub.admin.makeTask(method, list(arglist), channel=self.hub.channel, **options))
        self.hub.tasks.append(task_id)
        return task_id

    def open_task(self, method: str = "sleep", arglist: Any = (0,), **options: Any) -> int:
        """A task this host holds OPEN."""
        task_id = self.make_task(method, arglist, **options)
        assert self.session.host.openTask(task_id)["state"] == koji.TASK_STATES["OPEN"]
        return task_id

    def subtask(self, parent: int, **options: Any) -> int:
        return int(self.session.host.subtask("sleep", [0], parent, **options))

    def close(self, task_id: int, result: Any = None) -> None:
        self.session.host.closeTask(task_id, response(result))

    def upload(self, task_id: int, name: str, data: bytes, offset: int = 0, **options: Any) -> Any:
        directory = koji.pathinfo.taskrelpath(task_id)
        return self.session.rawUpload(data, offset, path=directory, name=name, overwrite=True, **options)


def response(result: Any) -> str:
    """The document a builder sends as a task's result."""
    return str(koji.xmlrpcplus.dumps((result,), methodresponse=1))


def fault_document(code: int, text: str) -> str:
    """The document a builder sends for a task that failed."""
    return str(koji.xmlrpcplus.dumps(koji.xmlrpcplus.Fault(code, text)))


@pytest.fixture
def minihub(tmp_path: Path) -> Iterator[MiniHub]:
    """An embedded hub, whatever ADJUTANT_TEST_HUB says."""
    with MiniHub(tmp_path / "minihub") as mini:
        yield mini


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[HubUnderTest]:
    """The hub under test."""
    lab = os.environ.get("ADJUTANT_TEST_HUB")
    if lab:
        under_test: HubUnderTest = RealHub(json.loads(Path(lab).read_text(encoding="utf-8")))
    else:
        under_test = EmbeddedHub(request.getfixturevalue("minihub"))
    yield under_test
    under_test.close()


@pytest.fixture
def builder(hub: HubUnderTest) -> Builder:
    """A ready host."""
    return hub.builder()


@pytest.fixture
def other(hub: HubUnderTest) -> Builder:
    """A second host, not ready."""
    return hub.builder(ready=False)


@pytest.fixture
def desk(hub: HubUnderTest, builder: Builder, tmp_path: Path) -> BuildDesk:
    """Tags, a target, and packages to make builds of."""
    return BuildDesk(hub, builder, tmp_path)


@pytest.fixture
def builder_of() -> Iterator[Any]:
    """Makes a builder of an embedded hub, for what only that one can show."""
    hubs: list[HubUnderTest] = []

    def make(mini: MiniHub, **host: Any) -> Builder:
        hubs.append(EmbeddedHub(mini))
        return hubs[-1].builder(**host)

    yield make
    for under_test in hubs:
        under_test.close()


@pytest.fixture
def documents() -> Any:
    """Functions that make result documents: `documents.response(value)`, `documents.fault(code, text)`."""

    class Documents:
        response = staticmethod(response)
        fault = staticmethod(fault_document)

    return Documents
