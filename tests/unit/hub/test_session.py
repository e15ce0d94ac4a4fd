"""A session at the hub: repeats, outages, interruption, renewal, loss."""

import gc
import threading
import time
from xmlrpc.client import Fault

import koji
import pytest

from koji_adjutant.errors import DaemonStopping, HubError, SessionLost, TaskCancelled
from koji_adjutant.hub.refusals import CallUncertain
from koji_adjutant.hub.session import AdjutantSession

OFFLINE = Fault(koji.ServerOffline.faultCode, "server is offline")


def in_thread(call):
    """Run `call` in a thread; returns the thread and a list that will hold what it raised."""
    raised = []

    def run():
        try:
            call()
        except Exception as error:  # noqa: BLE001 -- handed to the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_call_number_is_kept_when_a_call_is_repeated(hub, session):
    """A call whose connection was cut, or that got an error status, is sent again under the same number."""
    hub.trouble = ["drop", "drop", 503, None]
    assert session.echo("OK") == ["OK"]
    numbers = [number for _, number in hub.seen]
    assert len(numbers) == 4
    assert len(set(numbers)) == 1
    assert session.echo("next") == ["next"]
    assert hub.seen[-1][1] == numbers[0] + 1


def test_call_that_acted_and_lost_its_answer_is_uncertain(hub, session):
    """When the hub refuses the repeat of a call (RetryError), the caller learns that it must ask; nothing acts twice."""
    hub.trouble = ["lose"]
    with pytest.raises(CallUncertain) as caught:
        session.echo("once")
    assert "echo" in caught.value.brief
    assert [method for method, _ in hub.acted].count("echo") == 1


def test_outage_ends_after_max_retries_with_hub_error(hub, make_session):
    """Ordinary outages are retried max_retries times, then a retryable HubError names hub, call and cause."""
    session = make_session({"max_retries": 2})
    hub.trouble = [503] * 10
    with pytest.raises(HubError) as caught:
        session.echo("x")
    assert caught.value.retryable
    assert "3 tries" in caught.value.brief
    assert "503" in caught.value.details
    assert len(hub.seen) == 3


def test_answer_that_is_not_xmlrpc_is_retried(hub, session):
    """A page of a proxy in place of an answer is an outage, not a result."""
    hub.trouble = ["html", None]
    assert session.echo(1) == [1]


def test_offline_hub_is_waited_for_beyond_max_retries(hub, make_session):
    """Fault 1014 with offline_retry is waited out for ever and does not use up the tries."""
    session = make_session({"max_retries": 1, "offline_retry": True, "offline_retry_interval": 0})
    hub.trouble = [OFFLINE] * 20 + [503]
    assert session.echo(1) == [1]


def test_offline_hub_without_offline_retry_is_a_retryable_error(hub, session):
    """Without offline_retry the fault ends the call."""
    hub.trouble = [OFFLINE]
    with pytest.raises(HubError, match="offline") as caught:
        session.echo(1)
    assert caught.value.retryable


@pytest.mark.parametrize("trouble", [[503, 503], [OFFLINE]], ids=["retry", "offline"])
def test_interrupt_ends_a_retry_sleep(hub, make_session, trouble):
    """A stop is noticed within a second although the retry interval is an hour."""
    interrupt = threading.Event()
    session = make_session(
        {"retry_interval": 3600, "offline_retry": True, "offline_retry_interval": 3600}, interrupt=interrupt
    )
    hub.trouble = list(trouble)
    thread, raised = in_thread(lambda: session.echo(1))
    while hub.trouble:
        hub.arrived.wait(60)
    started = time.monotonic()
    interrupt.set()
    thread.join(5)
    assert time.monotonic() - started < 1
    assert isinstance(raised[0], DaemonStopping)


def test_interrupt_ends_the_wait_for_an_answer(hub, make_session):
    """A hub that takes the request and stays silent does not hold up a stop."""
    interrupt = threading.Event()
    session = make_session({"timeout": 600}, interrupt=interrupt)
    hub.trouble = ["hang"]
    hub.arrived.clear()
    thread, raised = in_thread(lambda: session.echo(1))
    hub.arrived.wait(60)
    started = time.monotonic()
    interrupt.set()
    thread.join(5)
    assert time.monotonic() - started < 1
    assert isinstance(raised[0], DaemonStopping)


def test_silent_hub_runs_into_the_timeout(hub, make_session):
    """The read time-out still holds although the answer is waited for in slices."""
    session = make_session({"max_retries": 0})
    # Not before the login, whose answer may take longer on a busy machine.
    session.opts["timeout"] = 0.2
    hub.trouble = ["hang"]
    with pytest.raises(HubError) as caught:
        session.echo(1)
    assert "timed out" in caught.value.details.lower()


def test_interrupted_chooses_the_error(make_session):
    """The owner of a thread says what its interruption means."""
    interrupt = threading.Event()
    session = make_session(interrupt=interrupt, interrupted=lambda: TaskCancelled("task 7 was cancelled"))
    interrupt.set()
    with pytest.raises(TaskCancelled, match="task 7"):
        session.echo(1)


def test_shielded_call_is_made_once_after_an_interrupt(hub, make_session):
    """A thread that ends may still say its last words; it does not wait for a hub that is away."""
    interrupt = threading.Event()
    session = make_session({"retry_interval": 3600, "offline_retry": True}, interrupt=interrupt)
    interrupt.set()
    with session.shielded():
        assert session.echo("bye") == ["bye"]
        hub.trouble = [503]
        with pytest.raises(HubError):
            session.echo("bye")
        hub.trouble = [OFFLINE]
        with pytest.raises(HubError):
            session.echo("bye")


def test_expired_session_is_renewed_once_and_keeps_its_numbers(hub, session):
    """AuthExpired logs in again under the same id and repeats the call; numbers go on, or the hub would refuse them all."""
    for _ in range(5):
        session.echo(1)
    number = session.sinfo["session-id"]
    hub.sessions[number]["expired"] = True
    assert session.echo(2) == [2]
    assert session.sinfo["session-id"] == number
    assert [method for method, _ in hub.seen][-3:] == ["echo", "login", "echo"]
    assert session.echo(3) == [3]


def test_renewal_rides_out_an_outage(hub, session):
    """A hub that restarts in the very moment of a renewal does not end the session."""
    hub.sessions[session.sinfo["session-id"]]["expired"] = True
    hub.trouble = [None, "drop", "drop", 502, None]
    assert session.echo(2) == [2]


def test_expired_twice_is_given_up(hub, session):
    """A renewal that does not help is not repeated for ever."""
    hub.trouble = [Fault(koji.AuthExpired.faultCode, "expired"), None, Fault(koji.AuthExpired.faultCode, "expired")]
    with pytest.raises(koji.AuthExpired):
        session.echo(1)


def test_stolen_session_is_lost(hub, session):
    """A session that another daemon closed by force raises SessionLost, without a try to renew it."""
    hub.sessions[session.sinfo["session-id"]]["closed"] = True
    with pytest.raises(SessionLost):
        session.echo(1)
    assert [method for method, _ in hub.seen] == ["echo"]


def test_stolen_session_is_lost_when_it_expired_as_well(hub, session):
    """A closed session that is found while it is renewed is lost too."""
    hub.trouble = [Fault(koji.AuthExpired.faultCode, "expired")]
    hub.sessions[session.sinfo["session-id"]]["closed"] = True
    with pytest.raises(SessionLost):
        session.echo(1)


def test_lock_of_another_daemon_is_lost_session_in_a_subsession(hub, session):
    """A subsession of a stolen session gets AuthLockError, or later 'requires an exclusive session': both mean the same."""
    session.exclusiveSession()
    child = session.subsession()
    for fault in (
        Fault(koji.AuthLockError.faultCode, "User locked by another session"),
        Fault(koji.AuthError.faultCode, "This method requires an exclusive session"),
    ):
        hub.trouble = [fault]
        with pytest.raises(SessionLost):
            child.echo(1)
    child.rsession.close()


def test_auth_lock_error_of_exclusive_session_stays_kojis(hub, session):
    """Asking for the lock is the one call whose refusal is not the loss of a session."""
    hub.trouble = [Fault(koji.AuthLockError.faultCode, "Cannot get exclusive session")]
    with pytest.raises(koji.AuthLockError):
        session.exclusiveSession()
    assert not session.covered


def test_faults_stay_kojis(hub, session):
    """A refusal of the hub keeps Koji's class, and is not retried."""
    hub.trouble = [Fault(koji.ActionNotAllowed.faultCode, "host 1 does not own task 2")]
    with pytest.raises(koji.ActionNotAllowed, match="does not own"):
        session.echo(1)
    assert len(hub.seen) == 1


def test_subsession_is_a_session_of_its_own(hub, session):
    """A subsession has its own id, connection, numbers, interrupt and limits, and inherits the cover of the lock."""
    session.exclusiveSession()
    mine = threading.Event()
    child = session.subsession(mine, timeout=30, max_retries=0)
    assert child.sinfo["session-id"] != session.sinfo["session-id"]
    assert child.rsession is not session.rsession
    assert child.covered
    assert child.opts["timeout"] == (30, 30)
    assert session.opts["timeout"] != (30, 30)
    mine.set()
    with pytest.raises(DaemonStopping):
        child.echo(1)
    assert session.echo(1) == [1]
    child.rsession.close()


def test_too_large_request_is_a_clear_error_without_retries(hub, session):
    """A request above MaxRequestLength, refused by the hub with 400, is not sent 120 times."""
    hub.trouble = [400] * 10
    with pytest.raises(HubError, match="too large") as caught:
        session.echo("x" * (4 * 1024 * 1024))
    assert "MaxRequestLength" in caught.value.resolution
    assert len(hub.seen) == 1


def test_small_request_refused_with_400_is_an_outage(hub, session):
    """Koji retries every HTTP error, as front ends give odd codes while they restart."""
    hub.trouble = [400, None]
    assert session.echo(1) == [1]


def test_close_logs_out_once_and_never_raises(hub, make_session):
    """Closing tells the hub, with the interrupt set too; a hub that is away does not matter."""
    interrupt = threading.Event()
    session = make_session(interrupt=interrupt)
    number = session.sinfo["session-id"]
    interrupt.set()
    session.close()
    session.close()
    assert hub.sessions[number]["closed"]
    assert [method for method, _ in hub.seen] == ["logout"]
    interrupt.clear()
    other = make_session()
    hub.trouble = [503]
    other.close()
    assert not other.logged_in


def test_garbage_collection_makes_no_calls(hub):
    """Koji logs out in `__del__`; a collected session of ours stays silent."""
    session = AdjutantSession(hub.url, {"user": "b", "password": "p"})
    session.login()
    session.rsession.close()
    hub.seen.clear()
    del session
    gc.collect()
    assert hub.seen == []


def test_on_call_is_told_method_seconds_and_error(hub, make_session):
    """The metric hook sees each call once, with the class of its error."""
    told = []
    session = make_session(on_call=lambda *call: told.append(call))
    told.clear()
    session.echo(1)
    with pytest.raises(koji.GenericError):
        session.nothing.here()
    assert [(method, error) for method, _, error in told] == [("echo", None), ("nothing.here", "GenericError")]
    assert all(seconds >= 0 for _, seconds, _ in told)


def test_multicall_works(hub, session):
    """A multicall of koji goes through the same loop, as one call."""
    hub.methods["multiCall"] = lambda calls: [[call["params"]] for call in calls]
    hub.trouble = [503]
    with session.multicall(strict=True) as multi:
        first, second = multi.echo(1), multi.echo(2)
    assert [first.result, second.result] == [[1], [2]]
    assert [method for method, _ in hub.seen] == ["multiCall", "multiCall"]
