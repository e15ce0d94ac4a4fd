"""Whose fault it is when a container runtime or the hub fails under a task (design section 7, "Verdicts").

What happens before the spec runs belongs to the infrastructure. The task itself retries it with back-off; what is left
after that arrives here. The task is then given back softly with the reason, so that another host may try. When another
host has refused it for the same reason it is not this host's fault alone, and the task fails as kojid would fail it. A
site with one host must not pass a task to itself for ever: a few refusals here count like one elsewhere.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

HERE_LIMIT = 3
"""Refusals by this host for one reason after which the task fails."""


class Verdict(enum.StrEnum):
    """What becomes of the task."""

    REFUSE = "refuse"
    """`refuseTask(soft=True)`: another host may try."""
    FAIL = "fail"
    """`failTask`, with the error's own text."""


@dataclass(frozen=True)
class Refusal:
    """One row of `scheduler.getTaskRefusals`."""

    host_id: int
    reason: str
    """The code before the colon of the message, as `refusal_message` writes it."""
    by_host: bool = True

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Refusal:
        """Read the hub's row."""
        return cls(
            host_id=int(row["host_id"]),
            reason=str(row.get("msg") or "").partition(":")[0],
            by_host=bool(row.get("by_host")),
        )


def refusal_message(reason: str, brief: str) -> str:
    """One line: the reason code, then what happened."""
    return f"{reason}: {' '.join(brief.split())}"


def judge(reason: str, host_id: int, refusals: Iterable[Refusal], refused_here: int) -> Verdict:
    """Decide about an infrastructure failure; `refused_here`: how often we refused this task for `reason` before."""
    elsewhere = any(r.by_host and r.host_id != host_id and r.reason == reason for r in refusals)
    return Verdict.FAIL if elsewhere or refused_here >= HERE_LIMIT else Verdict.REFUSE
