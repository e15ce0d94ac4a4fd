"""What an error of a command is to the client that asked."""

from __future__ import annotations

import structlog

from koji_adjutant.control.protocol import ControlError, Failure, Fault
from koji_adjutant.errors import AdjutantError, ContainerError, HubError, Interrupted
from koji_adjutant.manager.loop_errors import Reaction, rule_for

log = structlog.get_logger(__name__)


def failure_of(error: Exception) -> Failure:
    """Return what the client is told; an error that nobody foresaw is logged with its traceback."""
    if isinstance(error, AdjutantError):
        return Failure(error.brief, error.details, error.resolution, _fault(error))
    rule = rule_for(error)
    if rule.reaction is Reaction.SURVIVE:
        fault = Fault.REFUSED if isinstance(error, OSError) else Fault.INFRASTRUCTURE
        return Failure(f"{rule.text}: {error}", fault=fault)
    log.error("control.command_failed", error=str(error), exc_info=error)
    return Failure(
        f"an error nobody foresaw: {error!r}",
        resolution="The daemon's log has its traceback.",
        fault=Fault.INFRASTRUCTURE,
    )


def _fault(error: AdjutantError) -> Fault:
    if isinstance(error, ControlError):
        return error.fault
    if isinstance(error, Interrupted):
        return Fault.AWAY
    return Fault.INFRASTRUCTURE if isinstance(error, HubError | ContainerError) else Fault.REFUSED
