"""The output of steps lands at the same place of the same log, however often a daemon starts over."""

import threading

import pytest

from koji_adjutant.buildroot.step_logs import StepLogs, step_footer
from koji_adjutant.container.interface import ContainerHandle
from koji_adjutant.container.steps import StepEnd, StepSpec, StepStatus
from koji_adjutant.errors import ContainerError, Interrupted
from koji_adjutant.tasks.journal import Journal

TASK = ContainerHandle("c1", "task-1", "memory")


class Sink:
    """Logs in memory, with the rules of LogSink."""

    def __init__(self):
        self.logs = {}

    def size(self, log):
        return len(self.logs.get(log, b""))

    def write(self, log, offset, data):
        have = self.logs.get(log, b"")
        if offset > len(have):
            raise ValueError("gap")
        self.logs[log] = have + data[len(have) - offset :]


class Steps:
    """A step service whose step has printed `output`; `cut` interrupts after so many bytes."""

    def __init__(self, output, end=StepEnd.EXITED, cut=None):
        self.output, self.end, self.cut, self.started = output, end, cut, []

    def start(self, where, spec):
        self.started.append(spec.name)
        return "run"

    def follow(self, where, name, write, *, offset=0, interrupt=None, **_):
        stop = len(self.output) if self.cut is None else self.cut
        write(offset, self.output[offset:stop])
        if self.cut is not None:
            raise Interrupted("stop")
        return StepStatus("run", self.end, 0, None, 1.0, 2.0, len(self.output), message="no such program")


@pytest.fixture
def journal(tmp_path):
    return Journal.create(tmp_path / "j", task_id=1)


def run(sink, journal, steps, name="bs"):
    logs = StepLogs(sink, journal.remember, threading.Event())
    return logs.run(
        steps, TASK, StepSpec(name, ["x"]), "build.log", header="Executing\n", footer=lambda s: f"code {s.exit_code}\n"
    )


def test_output_stands_between_header_and_footer(journal):
    """A step's output is framed as mock frames it."""
    sink = Sink()
    sink.write("build.log", 0, b"before\n")
    run(sink, journal, Steps(b"output\n"))
    assert sink.logs["build.log"] == b"before\nExecuting\noutput\ncode 0\n"


def test_an_interrupted_step_is_followed_on_without_a_repeated_byte(journal):
    """A daemon that takes over writes only what is missing."""
    sink = Sink()
    with pytest.raises(Interrupted):
        run(sink, journal, Steps(b"one\ntwo\n", cut=4))
    assert sink.logs["build.log"] == b"Executing\none\n"
    run(sink, journal, Steps(b"one\ntwo\n"))
    run(sink, journal, Steps(b"one\ntwo\n"))
    assert sink.logs["build.log"] == b"Executing\none\ntwo\ncode 0\n"


def test_two_steps_share_a_log_one_after_the_other(journal):
    """The second step begins where the first one ended."""
    sink = Sink()
    run(sink, journal, Steps(b"a\n"), "bs")
    run(sink, journal, Steps(b"b\n"), "bb")
    assert sink.logs["build.log"] == b"Executing\na\ncode 0\nExecuting\nb\ncode 0\n"


def test_a_line_of_the_daemon_keeps_its_first_time_stamp(journal):
    """A line written again is the recorded one, not a newer one."""
    sink = Sink()
    for stamp in ("10:00", "11:00"):
        StepLogs(sink, journal.remember, threading.Event()).line("init", "state.log", lambda s=stamp: f"{s} Start\n")
    assert sink.logs["state.log"] == b"10:00 Start\n"


def test_a_step_that_could_not_start_says_why(journal):
    """The runner's reason reaches the error."""
    with pytest.raises(ContainerError, match="no such program"):
        run(Sink(), journal, Steps(b"", end=StepEnd.NOT_STARTED))


def test_what_a_killed_daemon_had_in_memory_is_missed_and_nothing_more(journal):
    """A log shorter than an earlier daemon noted gets a text of the missing length, and goes on at the noted offsets."""
    sink = Sink()
    logs = StepLogs(sink, journal.remember, threading.Event())
    sink.write("build.log", 0, b"on disk, " + b"in memory " * 10)
    logs.line("head", "build.log", lambda: "a line\n")
    sink.logs["build.log"] = b"on disk, "
    logs.line("head", "build.log", lambda: "another line\n")
    missing = b"[100 bytes of this log are lost]".ljust(99) + b"\n"
    assert sink.logs["build.log"] == b"on disk, " + missing + b"a line\n"


def test_dropped_output_is_named_with_its_reason():
    """The end of a log says how much of it is missing and why."""
    why = "the log could not be written: No space left on device, 7 bytes lost"
    status = StepStatus("run", StepEnd.EXITED, 1, None, 1.0, 2.0, 10, dropped_bytes=7, message=why)
    assert step_footer(status).startswith(f"\n7 bytes of output were dropped: {why}\n")


def test_a_large_gap_is_filled_in_pieces(journal):
    """What stands for a lost log of any size is never in memory as a whole, and reads as one text."""
    sink, sizes = Sink(), []
    logs = StepLogs(sink, journal.remember, threading.Event())
    missing = (2 << 20) + 5
    sink.write("build.log", 0, bytes(missing))
    logs.line("head", "build.log", lambda: "a line\n")
    sink.logs["build.log"] = b""
    write = sink.write
    sink.write = lambda log, offset, data: sizes.append(len(data)) or write(log, offset, data)
    logs.line("head", "build.log", lambda: "another line\n")
    text = f"[{missing} bytes of this log are lost]".encode().ljust(missing - 1) + b"\n"
    assert sink.logs["build.log"] == text + b"a line\n"
    assert max(sizes) <= 1 << 20


@pytest.mark.parametrize("missing", [1, 2, 20, (1 << 20), (1 << 20) + 1])
def test_a_gap_of_any_size_is_filled_exactly(journal, missing):
    """Also one shorter than the text for it, or one that ends where a piece does."""
    sink = Sink()
    logs = StepLogs(sink, journal.remember, threading.Event())
    sink.write("build.log", 0, bytes(missing))
    logs.line("head", "build.log", lambda: "a line\n")
    sink.logs["build.log"] = b""
    logs.line("head", "build.log", lambda: "another line\n")
    text = f"[{missing} bytes of this log are lost]".encode()[: missing - 1].ljust(missing - 1) + b"\n"
    assert sink.logs["build.log"] == text + b"a line\n"
