"""Which errors end the main loop, and how (contract 2.2 and 1.8).

kojid catches everything else and goes on, which hides a fault that repeats and can silently stop check-ins. Here errors
of the hub, the runtime and the machine are survived with a growing pause; an error nobody foresaw may repeat a few times
and then ends the daemon with its traceback. Builds survive that: nothing is freed, and the next daemon adopts them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from xmlrpc.client import Fault

import koji
import koji.tasks
import requests

from koji_adjutant.errors import AdjutantError, DaemonStopping, SessionLost

UNFORESEEN_LIMIT = 5
"""So many passes in a row may end with an error that is not in the table."""


class Reaction(enum.StrEnum):
    """What the loop does about an error."""

    SURVIVE = "survive"
    """Log it, wait, pass again."""
    STOP = "stop"
    """As if SIGTERM had come: exit 0."""
    RESTART = "restart"
    """exec ourselves."""
    ABANDON = "abandon"
    """Exit 1; touch no container, free nothing."""
    UNFORESEEN = "unforeseen"
    """Survive a few times in a row, then ABANDON with the traceback."""


@dataclass(frozen=True)
class Rule:
    """The first rule whose class fits decides; `text` is kojid's word in the log where it has one."""

    kind: tuple[type[BaseException], ...]
    reaction: Reaction
    text: str


RULES = (
    Rule((SystemExit, KeyboardInterrupt, koji.tasks.ServerExit, DaemonStopping), Reaction.STOP, "Exiting"),
    Rule((koji.tasks.ServerRestart,), Reaction.RESTART, "Restarting"),
    Rule((SessionLost, koji.AuthLockError), Reaction.ABANDON, "Another daemon took this host's session"),
    Rule((koji.AuthExpired,), Reaction.ABANDON, "Session expired"),
    # kojid exits here. What was asked has been done and only the answer is lost, so the next pass reads the state anew.
    Rule((koji.RetryError,), Reaction.SURVIVE, "The hub had already carried the call out"),
    Rule((koji.AuthError,), Reaction.ABANDON, "Authentication error"),
    Rule((koji.GenericError, Fault, requests.exceptions.RequestException), Reaction.SURVIVE, "The hub call failed"),
    Rule((AdjutantError, OSError), Reaction.SURVIVE, "The pass failed"),
    Rule((BaseException,), Reaction.UNFORESEEN, "Unforeseen error"),
)


def rule_for(error: BaseException) -> Rule:
    """Return the rule that decides about `error`; there is always one."""
    return next(rule for rule in RULES if isinstance(error, rule.kind))


def gives_up(rule: Rule, failures: int) -> bool:
    """Whether the loop ends with exit code 1 after `failures` failed passes in a row."""
    if rule.reaction is Reaction.UNFORESEEN:
        return failures >= UNFORESEEN_LIMIT
    return rule.reaction is Reaction.ABANDON
