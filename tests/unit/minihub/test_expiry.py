"""Sessions that grow old."""

import koji
import pytest


def test_session_expires_with_its_children(hub, clock, builder):
    """After SessionRenewalTimeout a session and its subsessions are expired; renewal counts from then."""
    session_id = builder.headers["id"]
    clock.pass_by(1440 * 60)
    assert builder("host.getID") == 1
    clock.pass_by(1)
    with pytest.raises(koji.AuthExpired, match=f'session "{session_id}" has expired'):
        builder("host.getID")
    password = hub.state.db.value("SELECT password FROM users WHERE name = 'builder'")
    renewed = builder("login", "builder", password, renew=True, exclusive=True)
    builder.headers["key"] = renewed["session-key"]
    assert str(renewed["session-id"]) == session_id
    assert builder("host.getID") == 1
    clock.pass_by(1440 * 60)
    assert builder("host.getID") == 1


def test_expired_session_still_locks(hub, clock, builder):
    """An expired holder of the lock keeps others out until one uses force."""
    clock.pass_by(1440 * 60 + 1)
    with pytest.raises(koji.AuthExpired):
        builder("host.getID")
    again = type(builder)(hub).login("builder", hub.state.db.value("SELECT password FROM users WHERE name = 'builder'"))
    with pytest.raises(koji.AuthLockError):
        again("exclusiveSession")
    again("exclusiveSession", force=True)
    assert again("host.getID") == 1


def test_subsession_of_a_closed_master(hub, clock, builder):
    """It cannot be renewed: the answer is None."""
    child = builder("subsession")
    caller = type(builder)(hub)
    caller.headers = {"id": str(child["session-id"]), "key": child["session-key"]}
    hub.expire_session(child["session-id"])
    hub.state.db.run("UPDATE sessions SET closed = 1 WHERE id = ?", (int(builder.headers["id"]),))
    password = hub.state.db.value("SELECT password FROM users WHERE name = 'builder'")
    assert caller("login", "builder", password, renew=True) is None


def test_disabled_user(hub, builder):
    """A user that may not log in may not go on either."""
    hub.state.db.run("UPDATE users SET status = 1 WHERE name = 'builder'")
    with pytest.raises(koji.AuthError, match="logins by builder are not allowed"):
        builder("host.getID")
