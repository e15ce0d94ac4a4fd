"""What a follower sees of a step in one look, and how it is decoded from hostile bytes.

A frame comes from `adjutant-runner read` through a stream that may be cut, doubled or truncated: it counts only whole and
with its checksum. The status in it was written by the runner, but lies where the root user of a container can write:
decoded as data, every field checked.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from dataclasses import dataclass
from typing import Any

from koji_adjutant.container.steps import StepEnd, StepStatus
from koji_adjutant.container.wire_values import counted, counted_or_none
from koji_adjutant.errors import ExecError

MAGIC = b"ADJFRAME1"
MAX_STATUS_BYTES = 65536
_HEADER = re.compile(rb"ADJFRAME1 ([0-9a-f]{32}|-) ([01])((?: -?[0-9]{1,20}){10}) ([0-9]{1,10})\n")
_MAX_MESSAGE = 8192


@dataclass(frozen=True)
class LogPart:
    """Some bytes of a log from `offset` on; `total` is the log's size at that moment."""

    offset: int
    data: bytes
    total: int

    @property
    def at_end(self) -> bool:
        return self.offset + len(self.data) >= self.total


@dataclass(frozen=True)
class MemoryRecord:
    """Memory of the step's container as its runner last noted it, in bytes; 0 is unknown or unlimited."""

    limit: int = 0
    peak: int = 0
    kills: int = 0


@dataclass(frozen=True)
class StepFrame:
    """One look at a step. `run_id` None: it was never started. `alive`: its runner still lives."""

    run_id: str | None
    alive: bool
    out: LogPart
    err: LogPart | None
    status: StepStatus | None
    memory: MemoryRecord = MemoryRecord()

    @property
    def at_end(self) -> bool:
        return self.out.at_end and (self.err is None or self.err.at_end)

    @property
    def has_data(self) -> bool:
        return bool(self.out.data) or bool(self.err and self.err.data)


def decode_frame(frame: bytes) -> StepFrame:
    """Decode one frame.

    Raises:
        ExecError: `unknown-end` (retryable): it is cut, damaged or something else.
    """
    match = _HEADER.match(frame)
    if match is None:
        raise _broken(f"no header in {frame[:60]!r}")
    numbers = [int(number) for number in match[3].split()]
    out_offset, out_length, out_total, err_offset, err_length, err_total, limit, peak, kills, status_length = numbers
    body = frame[match.end() :]
    if len(body) != out_length + err_length + max(0, status_length):
        raise _broken(f"{len(body)} bytes follow the header {match[0]!r}")
    if zlib.crc32(body, zlib.crc32(frame[: match.start(4)])) != int(match[4]):
        raise _broken("wrong checksum")
    run_id = None if match[1] == b"-" else match[1].decode()
    err = LogPart(err_offset, body[out_length : out_length + err_length], err_total) if err_offset >= 0 else None
    return StepFrame(
        run_id=run_id,
        alive=match[2] == b"1",
        out=LogPart(out_offset, body[:out_length], out_total),
        err=err,
        status=decode_status(body[out_length + err_length :], run_id) if status_length >= 0 else None,
        memory=MemoryRecord(limit, peak, kills),
    )


def decode_status(text: bytes, run_id: str | None) -> StepStatus | None:
    """The status of run `run_id`, or None if these bytes are not one."""
    try:
        fields = json.loads(text.decode("ascii"))
        return _status(fields) if isinstance(fields, dict) and fields.get("run_id") == run_id else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def decode_memory(text: bytes) -> MemoryRecord:
    """The runner's note about memory (three numbers); empty if these bytes are not one."""
    match = re.fullmatch(rb"\s*([0-9]{1,20})\s+([0-9]{1,20})\s+([0-9]{1,20})\s*", text)
    return MemoryRecord(*(int(number) for number in match.groups())) if match else MemoryRecord()


def _status(fields: dict[str, Any]) -> StepStatus:
    return StepStatus(
        run_id=str(fields["run_id"]),
        end=StepEnd(fields["end"]),
        exit_code=counted_or_none(fields["exit_code"], 255),
        signal=counted_or_none(fields["signal"], 64),
        started_at=_time(fields["started_at"]),
        ended_at=_time(fields["ended_at"]),
        out_bytes=counted(fields["out_bytes"]),
        err_bytes=counted(fields["err_bytes"]),
        dropped_bytes=counted(fields["dropped_bytes"]),
        oom_kills=counted(fields["oom_kills"]),
        peak_memory=counted(fields["peak_memory"]),
        message=_message(fields["message"]),
    )


def _time(value: object) -> float:
    if type(value) not in {int, float} or not math.isfinite(value):  # type: ignore[arg-type] # checked in the same line
        raise ValueError(value)
    return float(value)  # type: ignore[arg-type] # checked above


def _message(value: object) -> str:
    """The runner escapes each byte that is not plain ASCII: put the bytes together again, as names of files are."""
    if not isinstance(value, str):
        raise TypeError(value)
    return value.encode("latin-1")[:_MAX_MESSAGE].decode("utf-8", "backslashreplace")


def _broken(why: str) -> ExecError:
    return ExecError(f"a frame of a step is broken: {why}", reason="unknown-end", retryable=True)
