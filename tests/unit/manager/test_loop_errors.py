"""Which errors end the main loop (contract 2.2, 1.8)."""

from __future__ import annotations

from xmlrpc.client import Fault

import koji
import koji.tasks
import pytest
import requests

from koji_adjutant.errors import DaemonStopping, HubError, JournalError, RuntimeUnavailable, SessionLost
from koji_adjutant.hub.refusals import CallUncertain
from koji_adjutant.manager.loop_errors import UNFORESEEN_LIMIT, Reaction, gives_up, rule_for


@pytest.mark.parametrize(
    ("error", "reaction"),
    [
        (SystemExit(), Reaction.STOP),
        (KeyboardInterrupt(), Reaction.STOP),
        (koji.tasks.ServerExit(), Reaction.STOP),
        (DaemonStopping("x"), Reaction.STOP),
        (koji.tasks.ServerRestart(), Reaction.RESTART),
        (SessionLost("x"), Reaction.ABANDON),
        (koji.AuthLockError("x"), Reaction.ABANDON),
        (koji.AuthExpired("x"), Reaction.ABANDON),
        (koji.AuthError("x"), Reaction.ABANDON),
        (koji.SequenceError("x"), Reaction.ABANDON),
        (koji.GSSAPIAuthError("x"), Reaction.ABANDON),
        (koji.RetryError("x"), Reaction.SURVIVE),
        (CallUncertain("x"), Reaction.SURVIVE),
        (koji.ServerOffline("x"), Reaction.SURVIVE),
        (koji.GenericError("x"), Reaction.SURVIVE),
        (Fault(1, "x"), Reaction.SURVIVE),
        (HubError("x", retryable=True), Reaction.SURVIVE),
        (requests.ConnectionError("x"), Reaction.SURVIVE),
        (RuntimeUnavailable("x"), Reaction.SURVIVE),
        (JournalError("x"), Reaction.SURVIVE),
        (OSError(28, "no space"), Reaction.SURVIVE),
        (TypeError("x"), Reaction.UNFORESEEN),
        (KeyError("x"), Reaction.UNFORESEEN),
    ],
)
def test_reaction(error: BaseException, reaction: Reaction) -> None:
    """The table names a reaction for each error; what it does not know is unforeseen."""
    assert rule_for(error).reaction is reaction


def test_unforeseen_errors_end_the_loop_only_when_they_repeat() -> None:
    """A fault of ours is survived a few times in a row, then it must not hide any longer."""
    rule = rule_for(KeyError("x"))
    assert [gives_up(rule, n) for n in (1, UNFORESEEN_LIMIT - 1, UNFORESEEN_LIMIT)] == [False, False, True]
    assert not gives_up(rule_for(koji.GenericError("x")), 10_000)
    assert gives_up(rule_for(SessionLost("x")), 1)
