"""The daemon's session at the hub under test: identity, lock, renewal, loss."""

import threading

import koji
import pytest

from koji_adjutant.errors import HubError, SessionLost
from koji_adjutant.hub.identity import identify
from koji_adjutant.hub.login import check_echo, connect, take_exclusive
from tests.support.login_options import login_options


@pytest.fixture
def host(hub):
    return hub.host()


@pytest.fixture
def log_in(hub, host):
    """Return a function that logs in as the host, as one more daemon would."""
    sessions = []

    def connected(credentials=host):
        options = login_options(hub.url, user=credentials.user, password=credentials.password)
        sessions.append(connect(options, interrupt=threading.Event()))
        return sessions[-1]

    yield connected
    for session in sessions:
        session.close()


def test_start_of_a_daemon(hub, host, log_in):
    """Login, lock, echo and identity, in kojid's order."""
    session = log_in()
    take_exclusive(session, force=False)
    check_echo(session)
    found = identify(session, login_options(hub.url))
    assert found.host_name == host.user
    assert found.host_id == hub.admin.getHost(host.user)["id"]
    assert found.session_start_ts == session.getSessionInfo()["start_ts"]


def test_user_that_is_no_host(hub, log_in):
    """A user without a host row is told so, with the remedy."""
    session = log_in(hub.user())
    take_exclusive(session, force=False)
    with pytest.raises(HubError, match=r"User \d+ is not a host") as caught:
        identify(session, login_options(hub.url))
    assert "add-host" in caught.value.resolution


def test_second_daemon_of_one_name(log_in):
    """Without --force-lock the second is refused; with it the first and its subsessions are lost."""
    first, second = log_in(), log_in()
    take_exclusive(first, force=False)
    child = first.subsession()
    with pytest.raises(HubError, match=r"Unable to get lock\. Trying using --force-lock"):
        take_exclusive(second, force=False)
    take_exclusive(second, force=True)
    for session in (first, child):
        with pytest.raises(SessionLost):
            session.host.getHost()
    second.close()
    with pytest.raises(SessionLost):
        child.host.getHost()


def test_renewed_session_goes_on(hub, host, log_in):
    """After expiry the session and its subsession renew themselves; calls with effects go on being accepted."""
    session = log_in()
    take_exclusive(session, force=False)
    child = session.subsession()
    for one in (session, child):
        for _ in range(5):
            one.host.updateHost(0.0, True)
    numbers = [one.sinfo["session-id"] for one in (session, child)]
    hub.expire(session)
    for one in (child, session):
        for _ in range(3):
            one.host.updateHost(0.0, True)
    assert [one.sinfo["session-id"] for one in (session, child)] == numbers
    assert session.getSessionInfo()["exclusive"]


def test_logout_ends_the_subsessions(log_in):
    """They die with their master."""
    session = log_in()
    take_exclusive(session, force=False)
    child = session.subsession()
    session.close()
    with pytest.raises(SessionLost):
        child.host.getHost()


def test_koji_alone_loses_its_session_by_renewal(hub, host):
    """Why ours keeps the call number: koji's client starts at 0 again, and the hub refuses every call after it."""
    session = hub.session(host)
    session.exclusiveSession(force=True)
    for _ in range(5):
        session.host.updateHost(0.0, True)
    hub.expire(session)
    with pytest.raises(koji.SequenceError):
        session.host.updateHost(0.0, True)
