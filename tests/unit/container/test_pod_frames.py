"""Frames of a pod's streams: whole, in order and checked, or the end is unknown."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from koji_adjutant.container.pod_frames import HEADER, MAX_PAYLOAD, End, FrameDecoder, FrameWriter
from koji_adjutant.errors import ExecError

END: dict[str, Any] = {
    "end": "exited",
    "exit_code": 3,
    "signal": None,
    "size": 0,
    "out_bytes": 6,
    "err_bytes": 2,
    "message": "",
}


def frames(end: dict[str, Any] | None = None) -> list[bytes]:
    """A short stream, frame by frame."""
    writer = FrameWriter()
    text = json.dumps(END if end is None else end).encode()
    return [
        writer.frame(b"O", b"abc"),
        writer.frame(b"E", b"\xff\0"),
        writer.frame(b"O", b"def"),
        writer.frame(b"S", text),
    ]


def decode(*chunks: bytes) -> tuple[list[tuple[bytes, bytes]], FrameDecoder]:
    """What came out, and the decoder."""
    decoder = FrameDecoder("`it`")
    found = [(frame.kind, frame.data) for chunk in chunks for frame in decoder.feed(chunk)]
    decoder.finish()
    return found, decoder


def assert_unknown(*chunks: bytes) -> ExecError:
    """These chunks are no stream."""
    with pytest.raises(ExecError) as caught:
        decode(*chunks)
    assert (caught.value.reason, caught.value.retryable) == ("unknown-end", True)
    return caught.value


def test_whole_stream_in_any_chunks() -> None:
    """However a stream is cut into chunks, the same frames come out of it."""
    whole = b"".join(frames())
    expected = [(b"O", b"abc"), (b"E", b"\xff\0"), (b"O", b"def")]
    for size in (*range(1, 30), len(whole)):
        found, decoder = decode(*(whole[start : start + size] for start in range(0, len(whole), size)))
        assert found == expected
        assert decoder.end is not None
        assert (decoder.end.end, decoder.end.exit_code) == (End.EXITED, 3)


def test_every_cut_is_noticed() -> None:
    """A stream that ends at any byte but its last has no end; nothing is taken for a success."""
    whole = b"".join(frames())
    for length in range(len(whole)):
        assert_unknown(whole[:length])


def test_every_changed_byte_is_noticed() -> None:
    """One wrong byte anywhere is no stream."""
    whole = b"".join(frames())
    for index in range(len(whole)):
        assert_unknown(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])


@pytest.mark.parametrize(
    "order",
    [[0, 0, 1, 2, 3], [0, 2, 3], [1, 0, 2, 3], [0, 2, 1, 3], [2, 1, 0, 3], [0, 1, 2, 3, 3], [0, 1, 2, 3, 0], [3]],
    ids=str,
)
def test_frames_doubled_missing_or_out_of_order(order: list[int]) -> None:
    """Each frame in its place and once: the checksum runs over the whole stream."""
    made = frames()
    assert_unknown(*(made[index] for index in order))


def test_damaged_stream_gives_nothing_after_the_damage() -> None:
    """What was whole before comes out, and no byte of what follows."""
    made = frames()
    decoder = FrameDecoder("`it`")
    assert [frame.data for frame in decoder.feed(made[0])] == [b"abc"]
    with pytest.raises(ExecError):
        decoder.feed(made[2])
    assert decoder.end is None


def test_runtimes_own_words_are_shown() -> None:
    """What the runtime prints instead of frames is in the error."""
    error = assert_unknown(b"OCI runtime exec failed: no such file")
    assert "OCI runtime exec failed" in error.details
    assert "`it`" in error.brief


@pytest.mark.parametrize("header", [(b"AF1", b"O", MAX_PAYLOAD + 1, 0), (b"AF1", b"X", 0, 0), (b"AF2", b"O", 0, 0)])
def test_impossible_header(header: tuple[bytes, bytes, int, int]) -> None:
    """A length beyond the limit, another type or another version ends it at once, not after gigabytes."""
    with pytest.raises(ExecError):
        FrameDecoder("`it`").feed(HEADER.pack(*header))


@pytest.mark.parametrize(
    "changes",
    [
        {"end": "fine"},
        {"exit_code": None},
        {"exit_code": 256},
        {"exit_code": True},
        {"exit_code": "0"},
        {"exit_code": None, "signal": 65},
        {"end": "timeout"},
        {"out_bytes": 5},
        {"err_bytes": -1},
        {"size": 1 << 80},
        {"message": 3},
        {"message": "\u20ac"},
    ],
    ids=str,
)
def test_forged_end(changes: dict[str, Any]) -> None:
    """A field of another type, out of its range or against what came is no end."""
    assert_unknown(*frames(END | changes))


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 5000])
def test_nonsense_is_no_end(text: bytes) -> None:
    """A last frame that is no object of ours is none."""
    assert_unknown(FrameWriter().frame(b"S", text))


def test_memory_is_bounded() -> None:
    """A long stream in small chunks is never held."""
    decoder = FrameDecoder("`it`")
    writer = FrameWriter()
    tracemalloc.start()
    try:
        for _ in range(200):
            frame = writer.frame(b"O", bytes(MAX_PAYLOAD))
            for start in range(0, len(frame), 4096):
                decoder.feed(frame[start : start + 4096])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20


def test_message_with_odd_bytes() -> None:
    """The runner escapes bytes; names come back as they are, what is no UTF-8 stays visible."""
    escaped = "".join(chr(byte) for byte in "no é".encode() + b"\xff")
    _, decoder = decode(*frames(END | {"message": escaped}))
    assert decoder.end is not None
    assert decoder.end.message == "no é\\xff"


def test_too_long_a_frame_is_not_made() -> None:
    """A frame has a limit on both sides."""
    with pytest.raises(ValueError, match="no frame"):
        FrameWriter().frame(b"O", bytes(MAX_PAYLOAD + 1))
