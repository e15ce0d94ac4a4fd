"""Sessions: login, call numbers, the exclusive lock, subsessions, expiry (contract 1.6)."""

import koji
import pytest

from koji_adjutant.minihub import Credentials


def repeat_number(session, back=1):
    """Make the next call use the last number again."""
    session.callnum -= back


def test_login_gives_identity(hub):
    """A session knows who it is and that it is alone."""
    user = hub.user()
    session = hub.session(user)
    assert session.getLoggedInUser()["name"] == user.user
    info = session.getSessionInfo()
    assert (info["exclusive"], info["expired"], info["master"]) == (None, False, None)
    assert info["start_time"].startswith("20")
    assert session.showSession().startswith("session ")


def test_wrong_password(hub):
    """A wrong password is an AuthError with the hub's words."""
    user = hub.user()
    with pytest.raises(koji.AuthError, match="invalid username or password"):
        hub.client(Credentials(user.user, "wrong")).login()


def test_anonymous_calls(hub):
    """Without a session the harmless calls work and the others say so."""
    client = hub.client(hub.admin_credentials)
    assert client.echo("OK", 1, None) == ["OK", 1, None]
    assert client.getLoggedInUser() is None
    assert client.getAPIVersion() == 1
    assert "not logged in" in client.showSession() or "Session" in client.showSession()
    with pytest.raises(koji.AuthError, match="Not logged-in"):
        client.host.getID()
    with pytest.raises(koji.ActionNotAllowed, match=r"admin permission required \(user not logged in\)"):
        client.makeTask("sleep", [0])


def test_large_integers_and_none_travel(hub):
    """None, i8 and keyword arguments go both ways."""
    assert hub.admin.echo(2**40, None, {"a": [None, -(2**40)]}) == [2**40, None, {"a": [None, -(2**40)]}]


def test_logged_in_twice(hub):
    """A session that is logged in cannot log in."""
    with pytest.raises(koji.AuthError, match="Already logged in"):
        hub.admin.callMethod("login", "a", "b")


def test_unknown_method(hub):
    """A method that is not there is a GenericError naming it."""
    with pytest.raises(koji.GenericError, match="Invalid method: noSuchCall"):
        hub.admin.callMethod("noSuchCall")


def test_wrong_arguments(hub):
    """Missing arguments are a ParameterError."""
    with pytest.raises(koji.ParameterError, match="missing 1 required positional argument: 'task_id'"):
        hub.admin.getTaskInfo()


def test_other_errors_are_fault_1(hub):
    """An error without a class of Koji's is fault 1."""
    with pytest.raises(koji.xmlrpcplus.Fault) as caught:
        hub.admin.callMethod("fault")
    assert caught.value.faultCode == 1
    assert "test exception" in caught.value.faultString


def test_repeat_after_a_write_is_refused(builder):
    """The same call number again, after the call had an effect, is a RetryError."""
    builder.session.host.setHostData({"a": 1})
    repeat_number(builder.session)
    number = builder.session.callnum
    with pytest.raises(
        koji.RetryError, match=rf"unable to retry call {number} \(method host.setHostData\) for session"
    ):
        builder.session.host.setHostData({"a": 2})


def test_repeat_after_a_read_is_fine(builder):
    """The same call number again, after a call that wrote nothing, is answered."""
    assert builder.session.host.getID() == builder.id
    repeat_number(builder.session)
    assert builder.session.host.getID() == builder.id


def test_repeat_after_a_failed_call_is_fine(builder):
    """A call that failed wrote nothing, so its number is free."""
    with pytest.raises(koji.ParameterError):
        builder.session.host.updateHost(0.0, True, data="text")
    repeat_number(builder.session)
    builder.session.host.setHostData({"a": 1})


@pytest.mark.parametrize("method", ["updateHost", "taskWait", "taskSetWait", "setBuildRootState"])
def test_repeatable_methods(hub, builder, method):
    """The few methods that may be repeated after their effect."""
    parent = builder.open_task()
    builder.subtask(parent)
    root = builder.session.host.newBuildRoot(hub.repo(builder), "x86_64", task_id=parent)
    args = {
        "updateHost": (1.0, True),
        "taskWait": (parent,),
        "taskSetWait": (parent, None),
        "setBuildRootState": (root, "BUILDING"),
    }[method]
    first = builder.session.callMethod(f"host.{method}", *args)
    repeat_number(builder.session)
    assert builder.session.callMethod(f"host.{method}", *args) == first


def test_lower_number(builder):
    """A number below the one on record is a SequenceError."""
    builder.check_in()
    last = builder.session.callnum - 1
    repeat_number(builder.session, 2)
    number = builder.session.callnum
    with pytest.raises(koji.SequenceError, match=rf"{last} > {number} \(session \d+\)"):
        builder.session.echo()


def test_lock_is_exclusive(hub, builder):
    """A second session of the same host can do nothing, and does not get the lock."""
    second = hub.session(builder.credentials)
    with pytest.raises(koji.AuthLockError, match="User locked by another session"):
        second.host.getID()
    with pytest.raises(koji.AuthLockError, match="User locked by another session"):
        second.echo("OK")
    with pytest.raises(koji.AuthLockError, match="Cannot get exclusive session"):
        second.exclusiveSession()


def test_lock_by_force(hub, builder):
    """Force closes the session that had the lock."""
    second = hub.session(builder.credentials)
    second.exclusiveSession(force=True)
    assert second.host.getID() == builder.id
    with pytest.raises(koji.AuthError, match="Invalid session or bad credentials") as caught:
        builder.session.host.getID()
    assert type(caught.value) is koji.AuthError


def test_lock_twice(builder):
    """Who has the lock cannot take it."""
    with pytest.raises(koji.GenericError, match="session is already exclusive"):
        builder.session.exclusiveSession()


def test_host_calls_need_the_lock(hub):
    """A host without the lock is refused."""
    session = hub.session(hub.host())
    with pytest.raises(koji.AuthError, match="This method requires an exclusive session"):
        session.host.getID()


def test_host_calls_need_a_host(hub):
    """A person is refused."""
    session = hub.session(hub.user())
    session.exclusiveSession()
    with pytest.raises(koji.AuthError, match=r"User \d+ is not a host"):
        session.host.getID()


def test_subsession_shares_the_lock(builder):
    """A subsession may do host calls, and cannot take the lock itself."""
    child = builder.session.subsession()
    assert child.host.getID() == builder.id
    assert child.getSessionInfo()["master"] == builder.session.sinfo["session-id"]
    with pytest.raises(koji.GenericError, match="subsessions cannot become exclusive"):
        child.exclusiveSession()


def test_subsession_of_a_subsession(builder):
    """Its master is the first session."""
    grandchild = builder.session.subsession().subsession()
    assert grandchild.getSessionInfo()["master"] == builder.session.sinfo["session-id"]


def test_logout_ends_subsessions(builder):
    """Subsessions go with their master."""
    child = builder.session.subsession()
    builder.session.logout()
    with pytest.raises(koji.AuthError, match="Invalid session or bad credentials"):
        child.host.getID()


def test_logout_child(builder):
    """The master closes a subsession; of another session's child it says nothing and does nothing."""
    child = builder.session.subsession()
    second = builder.session.subsession()
    second.logoutChild(child.sinfo["session-id"])
    assert child.echo(1) == [1]
    builder.session.logoutChild(child.sinfo["session-id"])
    with pytest.raises(koji.AuthError, match="Invalid session or bad credentials"):
        child.echo(1)
    assert second.echo(2) == [2]


def test_wrong_key(builder):
    """A session needs its key."""
    builder.session.sinfo["session-key"] = "1-nonsense"
    with pytest.raises(koji.AuthError, match="Invalid session or bad credentials"):
        builder.session.echo()


def test_expired_session(hub, builder):
    """An expired session says so until it is renewed; renewal keeps id and lock, and the call number goes on."""
    child = builder.session.subsession()
    builder.check_in()
    session_id, credentials = builder.session.sinfo["session-id"], builder.credentials
    hub.expire(builder.session)
    with pytest.raises(koji.AuthExpired, match=f'session "{session_id}" has expired'):
        hub.once(builder.session, "host.getID")
    builder.session.logged_in = False
    arguments = (credentials.user, credentials.password)
    renewed = hub.once(builder.session, "login", *arguments, renew=True, exclusive=True)
    assert renewed["session-id"] == session_id
    assert renewed["session-key"] != builder.session.sinfo["session-key"]
    builder.session.sinfo, builder.session.logged_in = renewed, True
    assert hub.once(builder.session, "host.getID") == builder.id
    with pytest.raises(koji.AuthExpired):
        hub.once(child, "host.getID")


def test_renewed_session_keeps_its_numbers(hub, builder):
    """A client that counts from 0 after a renewal is out of sequence: the number on record stays."""
    builder.check_in()
    hub.expire(builder.session)
    with pytest.raises(koji.SequenceError, match=r"\d+ > 0 \(session \d+\)"):
        builder.session.host.getID()


def test_multicall(builder):
    """Calls in one: each with its result or fault, and a failed one undoes nothing."""
    task = builder.make_task()
    builder.session.multicall = True
    builder.session.getTaskInfo(task)
    builder.session.getTaskInfo(10**9, strict=True)
    builder.session.host.setHostData({"seen": 1})
    first, second, third = builder.session.multiCall()
    assert first[0]["id"] == task
    assert (second["faultCode"], second["faultString"]) == (1000, "query returned no rows")
    assert third == [None]


def test_permissions(hub):
    """What a user may do is asked by name."""
    user = hub.user()
    session = hub.session(user)
    assert session.hasPerm("admin") is False
    with pytest.raises(koji.ActionNotAllowed, match=rf"admin permission required \(logged in as {user.user}\)"):
        session.makeTask("sleep", [0])
    hub.admin.grantPermission(user.user, "repo")
    assert session.getPerms() == ["repo"]
    assert "admin" in {perm["name"] for perm in session.getAllPerms()}
