"""Frames between this daemon and `adjutant-runner` in a pod, both ways (`runner/streams.h` has the format).

The exec of Kubernetes is a stream that lies: it is cut without a word, ends as a success when the link died, and carries the
runtime's own error texts among the output. So nothing counts but frames with a running checksum, and no stream is whole
without its last frame. What comes is decoded as data of a stranger, in memory bounded by one frame.
"""

from __future__ import annotations

import enum
import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from koji_adjutant.container.wire_values import counted, counted_or_none
from koji_adjutant.errors import ExecError

MAGIC = b"AF1"
HEADER = struct.Struct(">3scII")
MAX_PAYLOAD = 65536
_SIGNED = 8
"""Bytes of the header that the checksum covers."""
_MAX_MESSAGE = 8192


class End(enum.StrEnum):
    """How a call of the runner ended, in its own words."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    NOT_STARTED = "not-started"
    DAMAGED = "damaged"
    """The request did not arrive whole; nothing was started."""
    STDIN_CUT = "stdin-cut"
    """Our stream ended before the command's input was whole; the command was killed."""
    HANGUP = "hangup"
    """Our stream ended; the command was killed (`ExecRequest.hangup`)."""
    CANCELLED = "cancelled"
    """The runner was asked to end by a signal; the command was killed."""
    OK = "ok"
    MISSING = "missing"
    NOT_REGULAR = "not-regular"
    LINK_OUTSIDE = "link-outside"
    TOO_LARGE = "too-large"
    DISK_FULL = "disk-full"
    READ_ONLY = "read-only"
    NOT_PERMITTED = "not-permitted"
    BROKEN_STREAM = "broken-stream"
    FAILED = "failed"


@dataclass(frozen=True)
class StreamEnd:
    """The last frame. `size`: bytes of a file (`get`), entries of a directory (`list`). `message` is for people."""

    end: End
    exit_code: int | None
    signal: int | None
    size: int
    out_bytes: int
    err_bytes: int
    message: str


@dataclass(frozen=True)
class Frame:
    """One frame: type `O`, `E`, `S`, or of an entry of `put`."""

    kind: bytes
    data: bytes


class FrameWriter:
    """Makes the frames of one stream, in order."""

    def __init__(self) -> None:
        self._crc = 0

    def frame(self, kind: bytes, data: bytes = b"") -> bytes:
        """The next frame, at most `MAX_PAYLOAD` bytes of data."""
        if len(data) > MAX_PAYLOAD:
            raise ValueError(f"{len(data)} bytes are no frame")
        signed = HEADER.pack(MAGIC, kind, len(data), 0)[:_SIGNED]
        self._crc = zlib.crc32(data, zlib.crc32(signed, self._crc))
        return signed + struct.pack(">I", self._crc) + data


class FrameDecoder:
    """Decodes the runner's stdout from chunks of any size. One thread.

    `end` is set once the last frame has come, and is the only thing to believe.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._held = bytearray()
        self._crc = 0
        self._counts = {b"O": 0, b"E": 0}
        self.end: StreamEnd | None = None

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames of output (`O`, `E`) that are whole with this chunk.

        Raises:
            ExecError: `unknown-end` (retryable): these bytes are not the next ones of such a stream.
        """
        self._held += chunk
        frames: list[Frame] = []
        position = 0
        while (frame := self._next(position)) is not None:
            position += HEADER.size + len(frame.data)
            if frame.kind == b"S":
                self.end = self._decode_end(frame.data)
            else:
                self._counts[frame.kind] += len(frame.data)
                frames.append(frame)
        del self._held[:position]
        return frames

    def finish(self) -> StreamEnd:
        """The stream has ended: its end, if it is known.

        Raises:
            ExecError: `unknown-end` (retryable): it was cut.
        """
        if self.end is None or self._held:
            raise self._broken(f"it was cut after {self._counts[b'O'] + self._counts[b'E']} bytes of output")
        return self.end

    def _next(self, position: int) -> Frame | None:
        header = bytes(self._held[position : position + HEADER.size])
        if not header:
            return None
        if self.end is not None or not MAGIC.startswith(header[: len(MAGIC)]):
            raise self._broken(f"unexpected bytes {bytes(self._held[position : position + 200])!r}")
        if len(header) < HEADER.size:
            return None
        _, kind, length, crc = HEADER.unpack(header)
        if kind not in {b"O", b"E", b"S"} or length > MAX_PAYLOAD:
            raise self._broken(f"an impossible header {header!r}")
        data = bytes(self._held[position + HEADER.size : position + HEADER.size + length])
        if len(data) < length:
            return None
        self._check(header[:_SIGNED], data, crc)
        return Frame(kind, data)

    def _check(self, signed: bytes, data: bytes, crc: int) -> None:
        self._crc = zlib.crc32(data, zlib.crc32(signed, self._crc))
        if self._crc != crc:
            raise self._broken("wrong checksum: bytes are changed, missing or doubled")

    def _decode_end(self, text: bytes) -> StreamEnd:
        try:
            end = _stream_end(json.loads(text.decode("ascii")))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._broken(f"an end that cannot be understood: {text[:200]!r}") from error
        if (end.out_bytes, end.err_bytes) != (self._counts[b"O"], self._counts[b"E"]):
            raise self._broken(f"{self._counts} bytes came of {end.out_bytes} and {end.err_bytes}")
        return end

    def _broken(self, why: str) -> ExecError:
        return ExecError(
            f"the end of {self._what} is unknown: its stream broke", details=why, reason="unknown-end", retryable=True
        )


def _stream_end(fields: Any) -> StreamEnd:
    end = StreamEnd(
        end=End(fields["end"]),
        exit_code=counted_or_none(fields["exit_code"], 255),
        signal=counted_or_none(fields["signal"], 64),
        size=counted(fields["size"]),
        out_bytes=counted(fields["out_bytes"]),
        err_bytes=counted(fields["err_bytes"]),
        message=_message(fields["message"]),
    )
    if (end.end is End.EXITED) is (end.exit_code is None and end.signal is None):
        raise ValueError(end)
    return end


def _message(value: object) -> str:
    """The runner escapes each byte that is not plain ASCII: put the bytes together again, as names of files are."""
    if not isinstance(value, str):
        raise TypeError(value)
    return value.encode("latin-1")[:_MAX_MESSAGE].decode("utf-8", "backslashreplace")
