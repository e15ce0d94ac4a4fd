"""A task's journal survives the death of the daemon between any two acts."""

import errno
import json
import os

import pytest

from koji_adjutant.errors import DiskFull, Interrupted, JournalError
from koji_adjutant.tasks.journal import RESERVE, Journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "7" / "journal.jsonl"


def fresh(path, **header):
    return Journal.create(path, **{"task_id": 7, "host_id": 1, "start_ts": 12.5, **header})


class Killed(BaseException):
    """Stands for kill -9: nothing of the journal's own runs after it."""


def test_an_act_runs_once_and_its_result_is_returned_again(path):
    """A second call of the same name returns the recorded result without acting."""
    calls = []
    journal = fresh(path)
    for _ in range(2):
        assert journal.once("newBuildRoot", lambda: calls.append(1) or 42) == 42
    assert calls == [1]


def test_results_are_read_back_by_the_next_daemon(path):
    """What one daemon recorded, the next one returns."""
    fresh(path).once("newBuildRoot", lambda: {"id": 3})
    again = Journal.load(path)
    assert again.once("newBuildRoot", lambda: pytest.fail("acted twice")) == {"id": 3}
    assert again.header["start_ts"] == 12.5


def test_an_intent_without_result_is_recovered_not_repeated(path):
    """If the daemon died after the act, recovery finds the result and the act is not done again."""
    journal = fresh(path)

    def die():
        raise Killed

    with pytest.raises(Killed):
        journal.once("newBuildRoot", die, note={"repo": 5})
    again = Journal.load(path)
    assert again.pending() == ["newBuildRoot"]
    seen = []
    result = again.once(
        "newBuildRoot", lambda: pytest.fail("acted twice"), recover=lambda note: seen.append(note) or (True, 9)
    )
    assert (result, seen) == (9, [{"repo": 5}])
    assert Journal.load(path).result("newBuildRoot") == 9


def test_an_act_that_did_not_happen_is_done_after_recovery_said_so(path):
    """If the daemon died before the act, recovery says no, and the act is done now."""
    journal = fresh(path)
    with pytest.raises(Killed):
        journal.once("newBuildRoot", lambda: (_ for _ in ()).throw(Killed()))
    assert Journal.load(path).once("newBuildRoot", lambda: 11, recover=lambda _: (False, None)) == 11


def test_a_failed_act_is_not_recorded_as_done(path):
    """An exception leaves the intent pending, so that the effect is looked for before it is tried again."""
    journal = fresh(path)
    with pytest.raises(ValueError, match="no"):
        journal.once("a", lambda: (_ for _ in ()).throw(ValueError("no")))
    assert not journal.done("a")
    assert journal.pending() == ["a"]


def test_a_line_cut_by_a_crash_is_dropped(path):
    """A half-written last line is as if it had never been begun, and the journal goes on behind the whole ones."""
    journal = fresh(path)
    journal.once("a", lambda: 1)
    with path.open("ab") as stream:
        stream.write(b'{"intent":"b","no')
    again = Journal.load(path)
    assert again.pending() == []
    again.once("b", lambda: 2)
    assert Journal.load(path).result("b") == 2


@pytest.mark.parametrize("content", [b"", b"not json\n", b'{"format":99}\n', b'{"format":1}\n{broken\n{}\n'])
def test_what_is_no_journal_of_this_version_is_an_error(path, content):
    """Damage and unknown formats are named, never guessed at."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"journal\.jsonl"):
        Journal.load(path)


def test_a_missing_journal_is_an_error(path):
    """A journal that is not there is named."""
    with pytest.raises(JournalError, match="cannot read"):
        Journal.load(path)


def test_a_new_run_of_a_task_forgets_the_old_one(path):
    """A task opened again starts from nothing, whatever its earlier run had recorded."""
    fresh(path).once("a", lambda: 1)
    assert not fresh(path, start_ts=99.0).done("a")
    assert Journal.load(path).header["start_ts"] == 99.0


def test_a_closed_journal_takes_no_more_acts(path):
    """A thread that outlived the task's end cannot act any more."""
    journal = fresh(path)
    journal.close()
    with pytest.raises(Interrupted):
        journal.once("a", lambda: pytest.fail("acted"))


def test_the_intent_is_on_disk_before_the_act(path):
    """The act finds its own intent in the file."""
    journal = fresh(path)
    journal.once(
        "a", lambda: json.loads(path.read_text().rstrip("\0").splitlines()[-1]) == {"intent": "a", "note": None}
    )
    assert journal.result("a") is True


def test_a_noted_value_stays_what_it_was_first(path):
    """A time stamp or an offset is chosen once for all daemons that run the task."""
    fresh(path).remember("base", lambda: 17)
    assert Journal.load(path).remember("base", lambda: 99) == 17
    assert Journal.load(path).pending() == []


@pytest.fixture
def full_disk(monkeypatch):
    """From `full_disk()` on nothing can be written but where space was taken before."""
    real_write, real_take = os.pwrite, os.posix_fallocate
    limits = {}

    def fill(path):
        limits[path.stat().st_ino] = path.stat().st_size

    def write(fd, data, at):
        room = limits.get(os.fstat(fd).st_ino, 1 << 40) - at
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_write(fd, data[:room], at)

    def take(fd, start, size):
        if start + size > limits.get(os.fstat(fd).st_ino, 1 << 40):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real_take(fd, start, size)

    monkeypatch.setattr(os, "pwrite", write)
    monkeypatch.setattr(os, "posix_fallocate", take)
    return fill


def test_a_full_disk_leaves_room_for_the_end(path, full_disk):
    """What a task still has to say when the disk is full has its space, and the next daemon reads it."""
    journal = fresh(path)
    full_disk(path)
    journal.once("report", lambda: "failTask", note={"text": "x" * (RESERVE // 2)})
    assert Journal.load(path).result("report") == "failTask"


def test_an_entry_without_room_is_an_error_and_not_believed(path, full_disk):
    """It names the file system, nothing is done, and the entries before it stay readable; room lets it go on."""
    journal = fresh(path)
    journal.once("a", lambda: 1)
    full_disk(path)
    with pytest.raises(DiskFull, match="no space left on /") as caught:
        journal.once("b", lambda: pytest.fail("acted"), note="x" * (2 * RESERVE))
    assert str(path) in str(caught.value)
    again = Journal.load(path)
    assert (again.result("a"), again.pending()) == (1, [])
    journal.once("c", lambda: 3)
    again = Journal.load(path)
    assert (again.result("a"), again.result("c"), again.pending()) == (1, 3, [])


def test_a_journal_that_outgrows_its_reserve_takes_more(path):
    """The reserve moves along with the entries."""
    journal = fresh(path)
    for number in range(20):
        journal.once(f"act-{number}", lambda: "x" * 10_000)
    assert path.stat().st_size - len(path.read_bytes().rstrip(b"\0")) >= RESERVE // 2
    assert len(Journal.load(path).result("act-19")) == 10_000


def test_no_room_for_a_journal_is_told(path, monkeypatch):
    """A task that cannot even be journalled is not begun, and nothing half-written stays."""

    def take(fd, start, size):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "posix_fallocate", take)
    with pytest.raises(DiskFull, match="cannot write task journal"):
        fresh(path)
    assert list(path.parent.iterdir()) == []


def test_an_entry_that_did_not_reach_the_disk_leaves_nothing_behind(path, monkeypatch):
    """After a failed sync a shorter entry takes the place of the longer one, and the journal stays readable."""
    journal = fresh(path)

    def fail(fd):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(JournalError, match="Input/output"):
            journal.once("long", lambda: pytest.fail("acted"), note="x" * 500)
    assert Journal.load(path).pending() == []
    journal.once("a", lambda: 1)
    again = Journal.load(path)
    assert (again.result("a"), again.pending()) == (1, [])
