"""The end of a one-person build: whose it is, what is shown of it."""

import io

import pytest

from koji_adjutant.cli.build_outcome import (
    LINE_LENGTH,
    End,
    PackageError,
    check_source,
    copy_results,
    last_lines,
    named_log,
    outcome_of,
)
from koji_adjutant.cli.build_phases import Phase, phase_of
from koji_adjutant.cli.build_progress import Progress
from koji_adjutant.cli.build_watch import last_line
from koji_adjutant.minihub.tasks import ASSIGNED, CLOSED, FAILED, FREE


@pytest.mark.parametrize(
    ("state", "result", "refusal", "end", "text"),
    [
        (CLOSED, {"rpms": []}, "", End.BUILT, ""),
        (FAILED, {"faultCode": 1005, "faultString": "error building"}, "", End.PACKAGE, "error building"),
        (FAILED, {"faultCode": 1012, "faultString": "could not init"}, "", End.INFRASTRUCTURE, "could not init"),
        (FAILED, {"faultCode": 1, "faultString": "no image"}, "", End.INFRASTRUCTURE, "no image"),
        (FREE, None, "missing: no image", End.INFRASTRUCTURE, "missing: no image"),
        (ASSIGNED, None, "", End.INFRASTRUCTURE, "given back without a reason"),
    ],
)
def test_whose_end(state, result, refusal, end, text):
    """Only koji's BuildError is the package's."""
    outcome = outcome_of(state, result, refusal)
    assert outcome.end is end
    assert text in outcome.text


@pytest.mark.parametrize(
    ("data", "says"), [(b"", "empty"), (b"<!DOCTYPE html><html>", "HTML"), (b"\xed\xab\xee\xdb\x03", "truncated")]
)
def test_no_source_package(tmp_path, data, says):
    """A file that is none is the package's failure, named, before anything is started."""
    path = tmp_path / "a.src.rpm"
    path.write_bytes(data)
    with pytest.raises(PackageError) as caught:
        check_source(path)
    assert caught.value.exit_code == 1
    assert str(path) in caught.value.brief
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mock exited with status 1; see build.log or root.log for more information", "build.log"),
        ("mock exited with status 30; see root.log for more information", "root.log"),
        ("mock exited; see hw_info.log or root.log for more information", "root.log"),
        ("something else", "build.log"),
    ],
)
def test_named_log(tmp_path, text, name):
    """The first log that the sentence names and that holds something."""
    for log in ("build.log", "root.log"):
        (tmp_path / log).write_text("x")
    (tmp_path / "hw_info.log").touch()
    assert named_log(text, tmp_path) == tmp_path / name


def test_last_lines(tmp_path):
    """Twenty, cut where they are long, without what would move a cursor."""
    log = tmp_path / "build.log"
    log.write_text("".join(f"{number}\n" for number in range(50)) + "\x1b[2Jbad\n" + "x" * 1000 + "\n")
    lines = last_lines(log)
    assert lines[0] == "32"
    assert lines[-2:] == ["[2Jbad", "x" * LINE_LENGTH + " [...]"]
    assert len(lines) == 20


def test_copies(tmp_path):
    """Packages first; nothing half-written stays; no directory at all is no file."""
    source, target = tmp_path / "source", tmp_path / "target"
    target.mkdir()
    assert copy_results(source, target) == []
    source.mkdir()
    for name in ("build.log", "b.rpm", "a.rpm", "reproduce.sh"):
        (source / name).write_text(name)
    copied = copy_results(source, target)
    assert [path.name for path in copied] == ["a.rpm", "b.rpm", "build.log", "reproduce.sh"]
    assert sorted(path.name for path in target.iterdir()) == sorted(path.name for path in copied)


@pytest.mark.parametrize(
    ("entries", "phase"),
    [
        ([], Phase.ROOT),
        (["log:init"], Phase.ROOT),
        (["log:install-srpm"], Phase.SOURCE),
        (["log:install-srpm", "log:builddep-1"], Phase.REQUIRES),
        (["log:install-srpm", "log:rpmbuild-b"], Phase.BUILD),
        (["log:rpmbuild-b", "line:state:Finish: build phase for a.src.rpm"], Phase.COLLECT),
        (["log:rpmbuild-b", "attempt-1-over"], Phase.ROOT),
        (["log:rpmbuild-b", "attempt-1-over", "log:a2-install-srpm"], Phase.SOURCE),
    ],
)
def test_phases(entries, phase):
    """A task's journal tells its phase; a second attempt begins at the root again."""
    assert phase_of(set(entries).__contains__, "a.src.rpm") is phase


def test_progress_lines():
    """One line per phase with its time and note, the same phase once, nothing that moves without a terminal."""
    times = iter([0.0, 1.5, 1.5, 3.0, 4.0])
    stream = io.StringIO()
    progress = Progress(stream, lambda: next(times))
    progress.begin("root")
    progress.begin("root")
    progress.note("prepared")
    progress.begin("rpmbuild")
    progress.tick()
    progress.end()
    progress.end()
    assert [line.split() for line in stream.getvalue().splitlines()] == [
        ["root", "1.5", "s", "prepared"],
        ["rpmbuild", "2.5", "s"],
    ]
    assert "\r" not in stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_on_a_terminal(monkeypatch):
    """The phase under way has a moving line with the last line of its log, in one row, with nothing in it that acts."""
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    times = iter([0.0, 1.25, 2.0])
    progress = Progress(stream, lambda: next(times))
    progress.begin("rpmbuild")
    progress.detail("gcc \x1b[2J -c ü " + "x" * 100)
    progress.tick()
    progress.end()
    live, last = stream.getvalue().removeprefix("\r").split("\033[K", 1)
    assert live.startswith("- rpmbuild  1 s  gcc ?[2J -c ? xxx")
    assert len(live) == 59
    assert last.rpartition("\033[K")[2].split() == ["rpmbuild", "2.0", "s"]


def test_progress_of_a_long_phase_in_a_pipe():
    """A line a minute, with what it is at; nothing between."""
    stream = io.StringIO()
    times = iter([0.0, 59.0, 60.0, 61.0, 119.0, 121.0, 130.0])
    progress = Progress(stream, lambda: next(times))
    progress.begin("rpmbuild")
    progress.detail("gcc -c a.c")
    for _ in range(5):
        progress.tick()
    progress.end()
    assert [line.split() for line in stream.getvalue().splitlines()] == [
        ["rpmbuild", "60", "s", "so", "far", "gcc", "-c", "a.c"],
        ["rpmbuild", "121", "s", "so", "far", "gcc", "-c", "a.c"],
        ["rpmbuild", "130.0", "s"],
    ]


def test_a_log_that_is_shown():
    """Pieces of a log are joined as they come, letters that are cut in two too; what acts on a terminal is shown."""
    stream = io.StringIO()
    progress = Progress(stream, lambda: 0.0)
    text = "über \x1b[31mred\r\nnext"
    for byte in text.encode():
        progress.raw(bytes([byte]))
    progress.say("end")
    assert stream.getvalue() == "über ^[[31mred^M\nnext\nend\n"


def test_last_line(tmp_path):
    """Of a log as it stands, without empty lines; of one that is not there, nothing."""
    log = tmp_path / "root.log"
    assert last_line(log) == ""
    log.write_bytes(b"x" * 5000 + b"\nInstalling: a\xff\n  \n\n")
    assert last_line(log) == "Installing: a\ufffd"
