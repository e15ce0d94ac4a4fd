"""Promises of `exec`: streams, arguments, environment, ends, time-outs."""

from __future__ import annotations

import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from koji_adjutant.errors import ContainerNotFound, ContainerTimeout, ExecError
from tests.conformance import scripts
from tests.conformance.patient import Counter, Gathered
from tests.conformance.runtime import PATIENCE

PATH = b"PATH=/usr/sbin:/usr/bin:/sbin:/bin"
RUNTIMES_OWN = {b"HOME", b"ADJUTANT_EXEC"}
"""Variables that a runtime sets whatever is asked: the OCI runtime's HOME, our mark of an exec."""
SOME_CODES = sorted({*range(0, 256, 8), 1, 2, 124, 125, 126, 127, 129, 137, 139, 143, 255})
ODD = ["", " ", "a b", "'", '"', "$HOME", "`id`", "=", "a=b", "new\nline", "tab\t", "\\", "ünïcode ☃", "*", "-n", "--"]


def test_exit_codes(box):
    """Every exit code 0..255 comes back as it is (on Podman's slower variants each eighth, and those with a meaning)."""
    runtime, handle = box
    codes = range(256) if runtime.name in {"podman", "memory", "faulty-memory"} else SOME_CODES

    def code(wanted):
        return runtime.manager.exec(handle, scripts.exit_with(str(wanted))).exit_code

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(code, codes)) == list(codes)


@pytest.mark.parametrize("signal", [1, 2, 6, 9, 11, 15])
def test_death_by_signal(box, signal):
    """Death by a signal is 128 and its number."""
    runtime, handle = box
    assert runtime.manager.exec(handle, scripts.die_by(str(signal))).exit_code == 128 + signal


def test_stdout_and_stderr_apart(box):
    """The two streams come apart, with the exit code of the same run."""
    runtime, handle = box
    result = runtime.manager.exec(handle, scripts.say("to out", "to err", "7"))
    assert (result.stdout, result.stderr, result.exit_code) == (b"to out", b"to err", 7)


def test_stderr_like_the_runtimes_own(box):
    """A command that prints what the runtime prints on a failed start, and exits 127, is a command that ran."""
    runtime, handle = box
    result = runtime.manager.exec(handle, scripts.say("", "Error: no such thing\n", "127"))
    assert (result.stderr, result.exit_code) == (b"Error: no such thing\n", 127)


def test_streams_byte_for_byte(box):
    """Binary output, invalid UTF-8 and no final newline arrive unchanged, collected or by callback."""
    runtime, handle = box
    collected = runtime.manager.exec(handle, scripts.say_binary())
    assert (collected.stdout, collected.stderr) == (b"\xff\x00\x80a\r\n\nb", b"\xfe\x00e")
    out, err = Gathered(), Gathered()
    result = runtime.manager.exec(handle, scripts.say_binary(), stdout=out, stderr=err)
    assert (bytes(out.data), bytes(err.data)) == (collected.stdout, collected.stderr)
    assert (result.stdout, result.stderr) == (b"", b"")


def test_hundred_megabytes_in_bounded_memory(box):
    """100 MB arrive whole by callback, and the daemon's memory does not grow with them."""
    runtime, handle = box
    counter = Counter()
    tracemalloc.start()
    try:
        result = runtime.manager.exec(handle, scripts.flood("100000000"), stdout=counter, timeout=240)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (result.exit_code, counter.size) == (0, 100_000_000)
    assert peak < 16 << 20


def test_too_much_to_collect(box):
    """More than 8 MiB without a callback is an error, not lost output."""
    runtime, handle = box
    with pytest.raises(ExecError) as caught:
        runtime.manager.exec(handle, scripts.flood(str((8 << 20) + 1)))
    assert caught.value.reason == "too-much-output"


def test_arguments_as_they_are(box):
    """Arguments with spaces, quotes, `=`, `$`, newlines arrive byte for byte."""
    runtime, handle = box
    expected = b"".join(each.encode() + b"\0" for each in ODD)
    assert runtime.output(handle, scripts.arguments(*ODD)) == expected


def test_two_hundred_kilobytes_of_arguments_and_environment(box):
    """200 KB of arguments and environment arrive."""
    runtime, handle = box
    words = [f"{number:04d}" + "x" * 996 for number in range(100)]
    assert runtime.output(handle, scripts.arguments(*words)) == b"".join(word.encode() + b"\0" for word in words)
    env = {f"V{number}": word for number, word in enumerate(words)}
    found = runtime.output(handle, scripts.environment(), env=env).split(b"\0")
    assert {f"{name}={value}".encode() for name, value in env.items()} <= set(found)


def test_environment_is_what_was_asked(box):
    """The environment is PATH and `env`, with odd values as they are, and nothing of the image."""
    runtime, handle = box
    env = {f"V{number}": value for number, value in enumerate(ODD)}
    found = runtime.output(handle, scripts.environment(), env=env).rstrip(b"\0").split(b"\0")
    kept = {each for each in found if each.partition(b"=")[0] not in RUNTIMES_OWN | {b"PWD", b"SHLVL", b"OLDPWD"}}
    assert kept == {PATH, *(f"{name}={value}".encode() for name, value in env.items())}


def test_path_can_be_replaced(box):
    """`env` goes over the default PATH."""
    runtime, handle = box
    assert b"PATH=/only" in runtime.output(handle, scripts.environment(), env={"PATH": "/only"}).split(b"\0")


@pytest.mark.parametrize("name", ["/work/in a b", "/work/in $HOME", "/work/in q'\"", "/work/in new\nline"])
def test_working_directory(box, name):
    """The command runs in `workdir`, whatever its name."""
    runtime, handle = box
    runtime.output(handle, scripts.make_directory(name))
    assert runtime.output(handle, scripts.working_directory(), workdir=name) == name.encode()


def test_user_and_group(box):
    """The command runs as the numeric user and group asked for."""
    runtime, handle = box
    assert runtime.output(handle, scripts.who(), user="1000:425") == b"1000:425"


@pytest.mark.parametrize("size", [0, 1, 65536, 5_000_000])
def test_stdin_whole_then_end(box, size):
    """Stdin arrives whole and ends."""
    runtime, handle = box
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert runtime.output(handle, scripts.echo_stdin(), stdin=data) == data


def test_command_that_does_not_read_stdin(box):
    """A command may end without reading its stdin."""
    runtime, handle = box
    assert runtime.manager.exec(handle, scripts.exit_with("3"), stdin=b"x" * 1_000_000).exit_code == 3


@pytest.mark.parametrize("program", ["/nosuch", "nosuch"])
def test_no_such_program(box, program):
    """A program that is not there is `not-started`, naming it, and not an exit code."""
    runtime, handle = box
    with pytest.raises(ExecError) as caught:
        runtime.manager.exec(handle, [program])
    assert caught.value.reason == "not-started"
    assert program in caught.value.brief


def test_time_out_kills_children(box):
    """A command out of time is `ContainerTimeout`; it is killed with its children, double-forked ones included."""
    runtime, handle = box
    out = Gathered()
    with pytest.raises(ContainerTimeout) as caught:
        runtime.manager.exec(handle, scripts.hang_with_children(), stdout=out, timeout=1)
    assert "1 s" in caught.value.brief
    assert runtime.output(handle, scripts.count_hanging()).strip() == b"0"


def test_exec_in_a_created_container(runtime):
    """A container that was not started runs nothing."""
    handle = runtime.created()
    with pytest.raises(ExecError) as caught:
        runtime.manager.exec(handle, scripts.exit_with("0"))
    assert caught.value.reason == "not-started"


def test_exec_in_a_dead_container(runtime):
    """A container that has ended runs nothing."""
    handle = runtime.running(command=scripts.exit_with("0"))
    runtime.manager.wait(handle, PATIENCE)
    with pytest.raises(ExecError) as caught:
        runtime.manager.exec(handle, scripts.exit_with("0"))
    assert caught.value.reason == "not-started"


def test_exec_in_a_missing_container(runtime):
    """A container that is gone is `ContainerNotFound`, naming it."""
    handle = runtime.created()
    runtime.manager.remove(handle)
    with pytest.raises(ContainerNotFound) as caught:
        runtime.manager.exec(handle, scripts.exit_with("0"))
    assert handle.name in caught.value.brief


def test_container_removed_under_an_exec(runtime):
    """The removal of the container under a silent command is noticed within 30 s, as an error."""
    handle = runtime.running()
    started = threading.Event()
    out = _Signalling(started)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(runtime.manager.exec, handle, scripts.hang_with_children(), stdout=out, timeout=100)
        assert started.wait(PATIENCE)
        runtime.manager.remove(handle)
        removed = time.monotonic()
        with pytest.raises((ContainerNotFound, ExecError)) as caught:
            running.result(PATIENCE)
    assert time.monotonic() - removed < 30
    # A caller that repeats meets the container half removed.
    assert caught.value.reason in {"not-found", "unknown-end", "not-started"}


def test_many_commands_at_once(box):
    """Commands of several threads do not mix their output."""
    runtime, handle = box
    words = [str(number) * 1000 for number in range(16)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda word: runtime.output(handle, scripts.arguments(word)), words))
    assert found == [word.encode() + b"\0" for word in words]


class _Signalling:
    """Sets an event at the first bytes of a stream."""

    def __init__(self, event):
        self._event = event

    def __call__(self, data):
        self._event.set()
