"""`adjutant-runner exec`, the real program: what a command is given, and what is known of it afterwards."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest

from koji_adjutant.container.pod_calls import encode_exec, exec_argv
from koji_adjutant.container.pod_frames import End, FrameDecoder
from tests.support.runner_calls import (
    RUNNER,
    call,
    decode,
    execute,
    needs_root,
    needs_runner,
    read_until_frame,
    request,
    started,
)

pytestmark = [needs_runner, needs_root]

DEADLY = sorted({*range(1, 65)} - {17, 18, 19, 20, 21, 22, 23, 28})
ODD = ["", " ", "a b", "'", '"', "$HOME", "$(PATH)", "`id`", "=", "new\nline", "\\", "ünï ☃", "*", "--", "\udcff\udcfe"]
SHOW_ARGS = "import os,sys; sys.stdout.buffer.write(b'\\0'.join(os.fsencode(a) for a in sys.argv[1:]))"
MEBI = 1 << 20


def gone(pid: int) -> bool:
    """Whether this process lives no more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def peak_memory(pid: int) -> int:
    """KiB that a process has used at most, 0 when it has ended."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(found[1]) if (found := re.search(r"VmHWM:\s*(\d+) kB", text)) else 0


def test_every_exit_code() -> None:
    """Each of 0..255 arrives; the runner's own exit code says only that the last frame was written."""
    for code in range(256):
        found = execute("sh", "-c", f"exit {code}")
        assert (found.end.end, found.end.exit_code, found.end.signal, found.code) == (End.EXITED, code, None, 0)


def test_death_by_every_signal_is_no_exit_code() -> None:
    """The last frame names the signal, none of which the command inherits as ignored or blocked."""
    for number in DEADLY:
        found = execute("sh", "-c", f"kill -{number} $$; sleep 4321")
        assert (found.end.end, found.end.exit_code, found.end.signal) == (End.EXITED, None, number)


def test_streams_apart_byte_for_byte() -> None:
    """Any bytes, without a final newline, each stream by itself."""
    found = execute("sh", "-c", r"printf '\000\377\r\n\200o'; printf '\376\000e' >&2")
    assert (found.out, found.err) == (b"\0\xff\r\n\x80o", b"\xfe\0e")
    assert (found.end.out_bytes, found.end.err_bytes) == (6, 3)


def test_streams_can_be_opened_by_name() -> None:
    """/dev/stdin, /dev/stdout and /dev/stderr belong to the command's user."""
    found = execute("sh", "-c", "cat /dev/stdin > /dev/stdout; echo e > /dev/stderr", stdin=b"in", uid=1000, gid=1000)
    assert (found.out, found.err, found.end.exit_code) == (b"in", b"e\n", 0)


def test_arguments_and_environment_byte_for_byte() -> None:
    """Odd strings arrive as they are; the environment is what was asked and nothing else."""
    assert execute(sys.executable, "-c", SHOW_ARGS, *ODD).out == b"\0".join(os.fsencode(each) for each in ODD)
    env = {"PATH": "/usr/bin:/bin", **{f"V{number}": value for number, value in enumerate(ODD)}}
    found = execute("env", "-0", env=env).out.rstrip(b"\0").split(b"\0")
    assert found == [os.fsencode(f"{key}={value}") for key, value in env.items()]


def test_two_hundred_kilobytes_of_arguments_and_environment() -> None:
    """200 KB arrive, an argument of 120 KB among them."""
    words = [*(f"{number:04d}" + "x" * 996 for number in range(100)), "y" * 120_000]
    env = {"PATH": "/usr/bin:/bin", "LONG": "$(" * 50_000}
    found = execute(sys.executable, "-c", SHOW_ARGS, *words, env=env)
    assert found.out == "\0".join(words).encode()
    assert execute("env", "-0", env=env).out.count(b"$(") == 50_000


def test_identity_and_place() -> None:
    """User, groups, umask and directory are those of the request, whatever the runner's are."""
    found = execute(
        "sh", "-c", "id -u; id -g; id -G; umask; pwd", uid=1000, gid=425, groups=(7, 8), umask=0o027, workdir="/usr/lib"
    )
    assert found.out.decode().split("\n")[:5] == ["1000", "425", "425 7 8", "0027", "/usr/lib"]


@pytest.mark.parametrize(
    ("argv", "options", "words"),
    [
        (("/nosuch",), {}, "cannot execute /nosuch: No such file"),
        (("nosuch",), {}, "cannot execute nosuch: No such file"),
        (("/etc/passwd",), {}, "cannot execute /etc/passwd: Permission denied"),
        (("true",), {"workdir": "/no\nsuch"}, "cannot enter directory /no\nsuch: No such file"),
        (("true", "x" * 140_000), {}, "Argument list too long"),
    ],
)
def test_not_started(argv: tuple[str, ...], options: dict[str, str], words: str) -> None:
    """A command that cannot start is no exit code; the reason has the system's words."""
    found = execute(*argv, stdin=b"x" * 1_000_000, **options)
    assert (found.end.end, found.end.exit_code) == (End.NOT_STARTED, None)
    assert words in found.end.message


@pytest.mark.parametrize("change", ["cut", "changed", "longer"])
def test_damaged_request(change: str) -> None:
    """A request that did not come whole starts nothing: exit code 65, as for a step."""
    encoded = encode_exec(request("true"))
    argv = exec_argv(RUNNER, encoded)
    sent = {"cut": encoded[:-1], "changed": encoded.replace(b"true", b"trux"), "longer": b"x" + encoded}[change]
    found = call(argv, sent)
    assert (found.code, found.end.end) == (65, End.DAMAGED)


@pytest.mark.parametrize("text", [b"ADJREQ2\0end\0", b"ADJREQ1\0end\0", b"ADJREQ1\0new=1\0argc=1\0true\0envc=0\0end\0"])
def test_request_of_another_version(text: bytes) -> None:
    """What cannot be understood is not guessed at."""
    found = call([RUNNER, "exec", str(len(text)), str(zlib.crc32(text))], text)
    assert (found.code, found.end.end) == (64, End.NOT_STARTED)


@pytest.mark.parametrize("size", [0, 1, 65536, 5_000_000])
def test_stdin_whole_then_end(size: int) -> None:
    """The command gets its input and then the end of it, while ours stays open; what follows is dropped."""
    data = os.urandom(size)
    encoded = encode_exec(request("sha256sum", stdin_size=size, hangup=True))
    with started(encoded) as process:
        process.stdin.write(data + b"noise")
        process.stdin.flush()
        decoder = FrameDecoder("sha256sum")
        found = read_until_frame(process, decoder)
        assert found[0].data.split()[0].decode() == hashlib.sha256(data).hexdigest()
        decoder.feed(process.stdout.read())
        assert decoder.finish().exit_code == 0


@pytest.mark.parametrize("script", ["exit 3", "exec <&-; sleep 0.2; exit 3", "head -c 10 >/dev/null; exit 3"])
def test_unread_stdin(script: str) -> None:
    """A command that does not read its input ends as any other, and so does the runner."""
    found = execute("sh", "-c", script, stdin=b"x" * 3_000_000)
    assert (found.end.end, found.end.exit_code, found.code) == (End.EXITED, 3, 0)


def test_unread_stdin_is_taken_to_its_last_byte() -> None:
    """An exec of Kubernetes with unread input never ends: the runner reads what was announced although nobody wants it."""
    data = b"x" * 3_000_000
    encoded = encode_exec(request("true", stdin_size=len(data)))
    with started(encoded) as process:
        process.stdin.write(data)
        process.stdin.flush()
        assert decode([process.stdout.read()])[2].exit_code == 0


def test_input_that_stays_away() -> None:
    """A caller that has seen the end and sends no more is not waited for."""
    encoded = encode_exec(request("true", stdin_size=1_000_000, hangup=True))
    with started(encoded) as process:
        decoder = FrameDecoder("true")
        decoder.feed(process.stdout.read())
        assert decoder.finish().exit_code == 0
        assert process.wait(60) == 0


def test_cut_stdin_is_not_a_whole_one() -> None:
    """When the stream ends before the input is whole the command dies, instead of taking half for all."""
    encoded = encode_exec(request("sh", "-c", "cat; echo whole", stdin_size=10, hangup=False))
    found = call(exec_argv(RUNNER, encoded), encoded + b"12345")
    assert found.end.end is End.STDIN_CUT
    assert b"whole" not in found.out


def test_hangup_kills() -> None:
    """A caller whose stream ended leaves no command behind."""
    encoded = encode_exec(request("sh", "-c", "echo $$; sleep 4321", hangup=True))
    with started(encoded) as process:
        decoder = FrameDecoder("sleep")
        pid = int(read_until_frame(process, decoder)[0].data)
        process.stdin.close()
        decoder.feed(process.stdout.read())
        assert decoder.finish().end is End.HANGUP
        assert gone(pid)


def test_timeout_kills_double_forked_children() -> None:
    """Out of time: all die, and what was written before comes out."""
    script = "setsid sh -c 'setsid sleep 4321 >/dev/null 2>&1 & echo $!'; trap '' TERM; sleep 4321; sleep 4321"
    found = execute("sh", "-c", script, timeout=3)
    assert (found.end.end, found.end.exit_code, found.end.signal) == (End.TIMEOUT, None, None)
    assert gone(int(found.out))


def test_background_children_do_not_hold_the_stream() -> None:
    """The end of the command is the end of the call; its output is whole and its children are dead."""
    script = "(setsid sleep 4321 & echo $! >&2); yes & echo done; head -c 200000 /dev/zero; exit 7"
    begun = time.monotonic()
    found = execute("sh", "-c", script)
    assert found.end.exit_code == 7
    assert found.out.count(b"\0") == 200_000
    assert gone(int(found.err))
    assert time.monotonic() - begun < 30


def test_what_was_detached_may_live_on() -> None:
    """A request may leave what its command has detached; not when the command had to be ended."""
    script = "setsid sleep 4321 </dev/null >/dev/null 2>&1 & echo $!"
    left = int(execute("sh", "-c", script, leave=True).out)
    assert not gone(left)
    os.kill(left, signal.SIGKILL)
    found = execute("sh", "-c", f"{script}; sleep 4321", leave=True, timeout=0.7)
    assert found.end.end is End.TIMEOUT
    assert gone(int(found.out))


def test_output_of_a_command_that_ended_is_whole(tmp_path: Path) -> None:
    """What is still in the pipes when the command has ended is delivered to a reader that comes late."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = f"head -c 200000 /dev/zero >&2; head -c 200000 /dev/zero; echo $$ > {fifo}; sleep 4321 & exit 5"
    with started(encode_exec(request("sh", "-c", script))) as process:
        pid = int(fifo.read_text())
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        found = decode([process.stdout.read()])
    assert [len(found[0]), len(found[1]), found[2].exit_code] == [200_000, 200_000, 5]
    assert gone(pid)


def test_closed_stdout_kills() -> None:
    """When nobody reads any more the command dies, silent or not, and the runner says so."""
    encoded = encode_exec(request("sh", "-c", "echo $$; sleep 4321"))
    with started(encoded) as process:
        pid = int(read_until_frame(process, FrameDecoder("sleep"))[0].data)
        process.stdout.close()
        assert process.wait(60) == 71
        assert gone(pid)


def test_asked_to_end() -> None:
    """SIGTERM ends the command with all it started."""
    encoded = encode_exec(request("sh", "-c", "echo $$; sleep 4321"))
    with started(encoded) as process:
        decoder = FrameDecoder("sleep")
        pid = int(read_until_frame(process, decoder)[0].data)
        process.send_signal(signal.SIGTERM)
        decoder.feed(process.stdout.read())
        assert decoder.finish().end is End.CANCELLED
        assert gone(pid)


def test_fifty_megabytes_both_ways_in_bounded_memory() -> None:
    """A slow reader loses nothing and makes the runner hold nothing."""
    size, seen = 50 * MEBI, hashlib.sha256()
    encoded = encode_exec(request("cat", stdin_size=size, hangup=True))
    piece = os.urandom(MEBI)
    with started(encoded) as process:
        sender = threading.Thread(target=lambda: [process.stdin.write(piece) for _ in range(50)])
        sender.start()
        decoder = FrameDecoder("cat")
        memory = 0
        while decoder.end is None:
            for frame in decoder.feed(os.read(process.stdout.fileno(), 1 << 18)):
                seen.update(frame.data)
            memory = max(memory, peak_memory(process.pid))
        process.stdin.flush()
        sender.join()
        assert process.wait(60) == 0
    assert (decoder.finish().exit_code, decoder.finish().out_bytes) == (0, size)
    assert seen.digest() == hashlib.sha256(piece * 50).digest()
    assert 0 < memory < 4096, "KiB of the runner"


def test_reader_that_stops_for_a_while() -> None:
    """The command waits for its reader; the same bytes come."""
    encoded = encode_exec(request("seq", "300000"))
    with started(encoded) as process:
        process.stdin.close()
        decoder = FrameDecoder("seq")
        found = b"".join(frame.data for frame in read_until_frame(process, decoder))
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        found += b"".join(frame.data for frame in decoder.feed(process.stdout.read()))
    assert found == b"".join(b"%d\n" % number for number in range(1, 300_001))
    assert decoder.finish().exit_code == 0


def test_no_descriptor_is_inherited() -> None:
    """The command has its three streams (and the directory that it lists)."""
    assert execute("ls", "/proc/self/fd").out.split() == [b"0", b"1", b"2", b"3"]
