"""The package cache: bounded, shared, and never in the way."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from koji_adjutant.buildroot.repo_proxy_cache import PackageCache
from koji_adjutant.buildroot.repo_proxy_download import CachedFile


class Source:
    """A repository's answer of `length` bytes, of which `data` come."""

    def __init__(self, data: bytes, length: int | None = None) -> None:
        self._data = data
        self.length = len(data) if length is None else length
        self.asked = 0

    def chunks(self) -> Iterator[bytes]:
        yield self._data

    @contextlib.contextmanager
    def fetch(self) -> Iterator[Source]:
        self.asked += 1
        yield self


def whole(file: CachedFile | None) -> bytes:
    """The contents of a cached file, as a connection gets them; shorter than a socket's buffer."""
    assert file is not None
    left, right = socket.socketpair()
    with contextlib.closing(file), left, right:
        file.send(left, 0, file.length)
        left.shutdown(socket.SHUT_WR)
        with right.makefile("rb") as stream:
            return stream.read()


def kept(directory: Path) -> list[Path]:
    """The files of a cache that have their names."""
    return [path for path in directory.glob("??/*") if path.suffix != ".part"]


def downloads_ended() -> None:
    """Wait until nothing is fetched any more: who is sent a package has all of it a moment before."""
    for thread in threading.enumerate():
        if thread.name == "package-download":
            thread.join(60)


def fill(cache: PackageCache, url: str, data: bytes, age: float) -> None:
    """Put a file of some age into the cache."""
    assert whole(cache.open(url, Source(data).fetch)) == data
    downloads_ended()
    cache.flush()
    files = kept(cache._directory)
    newest = max(files, key=lambda path: path.stat().st_mtime)
    os.utime(newest, (newest.stat().st_mtime - age,) * 2)


def test_least_recently_used_goes_first(tmp_path: Path) -> None:
    """Beyond its bytes the cache drops what was not asked for longest."""
    cache = PackageCache(tmp_path, 250)
    directory = tmp_path / "aa"
    directory.mkdir()
    for name, age in (("old", 300), ("older", 400), ("new", 0)):
        (directory / name).write_bytes(bytes(100))
        os.utime(directory / name, (1_000_000 - age,) * 2)
    assert cache.evict() == 100
    assert sorted(path.name for path in directory.iterdir()) == ["new", "old"]


def test_room_is_made_only_where_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is short the least recently used go until it is not, and no more than these."""
    cache = PackageCache(tmp_path, 1000)
    (tmp_path / "00").mkdir()
    for name, age in (("a", 300), ("b", 200), ("c", 100)):
        (tmp_path / "00" / name).write_bytes(name.encode() * 100)
        os.utime(tmp_path / "00" / name, (1_000_000 - age,) * 2)
    free = os.statvfs(tmp_path)
    short = os.statvfs_result((free.f_bsize, 1, free.f_blocks, 50, 50, *free[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: short)
    assert cache.make_room(10) == 0
    assert cache.make_room(200) == 200
    assert [path.name for path in tmp_path.glob("??/*")] == ["c"]
    assert PackageCache(tmp_path / "none", 1000).make_room(10**9) >= 0


def test_cache_leaves_what_the_host_needs(tmp_path: Path) -> None:
    """A disk with less than minspace beside a package gets no package: the host would take no more tasks."""
    source = Source(b"x" * 10)
    assert PackageCache(tmp_path, 1000, minspace=1 << 60).open("http://h/a.rpm", source.fetch) is None
    assert whole(PackageCache(tmp_path, 1000).open("http://h/a.rpm", source.fetch)) == b"x" * 10


def test_hit_makes_a_file_young(tmp_path: Path) -> None:
    """Being served counts as use."""
    cache = PackageCache(tmp_path, 1000)
    fill(cache, "http://h/a.rpm", b"x" * 10, 5000.0)
    before = max(path.stat().st_mtime for path in tmp_path.glob("??/*"))
    assert whole(cache.open("http://h/a.rpm", Source(b"other").fetch)) == b"x" * 10
    assert max(path.stat().st_mtime for path in tmp_path.glob("??/*")) > before


@pytest.mark.parametrize("length", [None, 2000])
def test_what_cannot_be_kept_is_left_to_the_caller(tmp_path: Path, length: int | None) -> None:
    """An answer without a length, or larger than the cache, is not cached."""
    source = Source(b"x")
    source.length = length  # type: ignore[assignment] # what a repository without Content-Length gives
    assert PackageCache(tmp_path, 1000).open("http://h/a.rpm", source.fetch) is None
    assert not kept(tmp_path)


def test_short_answer_is_an_error_and_is_not_kept(tmp_path: Path) -> None:
    """A download that ends early breaks its readers, and the next request starts anew."""
    cache = PackageCache(tmp_path, 1000)
    with pytest.raises(OSError, match=r"ended after 3 bytes"):
        whole(cache.open("http://h/a.rpm", Source(b"abc", 10).fetch))
    assert whole(cache.open("http://h/a.rpm", Source(b"abcdef").fetch)) == b"abcdef"


def test_package_is_served_before_the_disk_has_it(tmp_path: Path) -> None:
    """It gets its name in the cache later, and until then one download serves all that ask."""
    cache = PackageCache(tmp_path, 1000)
    source = Source(b"x" * 10)
    for _ in range(2):
        assert whole(cache.open("http://h/a.rpm", source.fetch)) == b"x" * 10
    assert (source.asked, kept(tmp_path)) == (1, [])
    downloads_ended()
    cache.flush()
    assert [path.read_bytes() for path in kept(tmp_path)] == [b"x" * 10]
    assert whole(cache.open("http://h/a.rpm", source.fetch)) == b"x" * 10
    assert source.asked == 1


def test_package_is_kept_when_its_time_has_come(tmp_path: Path) -> None:
    """Nobody needs to ask for that."""
    cache = PackageCache(tmp_path, 1000, keep_after=0.0)
    assert whole(cache.open("http://h/a.rpm", Source(b"abc").fetch)) == b"abc"
    downloads_ended()
    if (keeper := cache._keeper) is not None:
        keeper.join(60)
    assert [path.read_bytes() for path in kept(tmp_path)] == [b"abc"]


def test_download_whose_file_is_deleted_is_begun_anew(tmp_path: Path) -> None:
    """Also before it was kept; the one that is gone is then not kept in the place of the new one."""
    cache = PackageCache(tmp_path, 1000)
    assert whole(cache.open("http://h/a.rpm", Source(b"old").fetch)) == b"old"
    for path in tmp_path.glob("??/*"):
        path.unlink()
    assert whole(cache.open("http://h/a.rpm", Source(b"new").fetch)) == b"new"
    downloads_ended()
    cache.flush()
    assert whole(cache.open("http://h/a.rpm", Source(b"newer").fetch)) == b"new"


def dead_pid() -> int:
    """The id of a process that has ended."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return child


def remains(directory: Path) -> None:
    """Partial downloads: of a dead process, of this process, of a predecessor with its id, and of another living one."""
    (directory / "aa").mkdir()
    living = os.getppid()
    files = {
        f"dead.{dead_pid()}-0.part": None,
        f"ours.{os.getpid()}-7.part": None,
        f"before.{os.getpid()}-0.part": 1,
        f"theirs.{living}-0.part": None,
        f"stuck.{living}-1.part": 1,
        "old.part": 1,
        "young.part": None,
    }
    for name, when in files.items():
        (directory / "aa" / name).write_bytes(b"x" * 10)
        if when is not None:
            os.utime(directory / "aa" / name, (when, when))


def left(directory: Path) -> list[str]:
    """What is still there of `remains`."""
    return sorted(path.name.partition(".")[0] for path in (directory / "aa").iterdir())


def test_remains_of_a_killed_daemon_are_removed(tmp_path: Path) -> None:
    """Partial downloads of dead processes go at once when a cache is opened; those of living ones when they are old."""
    remains(tmp_path)
    PackageCache(tmp_path, 1000)
    assert left(tmp_path) == ["ours", "theirs", "young"]


def test_remains_count_and_go_when_room_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that is too large, or a disk that is, need no restart; packages go only for what the remains do not give."""
    cache = PackageCache(tmp_path, 60)
    remains(tmp_path)
    (tmp_path / "bb").mkdir()
    for name in ("1", "2", "3", "4"):
        (tmp_path / "bb" / name).write_bytes(b"x" * 10)
        os.utime(tmp_path / "bb" / name, (int(name),) * 2)
    assert cache.evict() == 40 + 10
    assert (left(tmp_path), [path.name for path in sorted(kept(tmp_path))]) == (
        ["ours", "theirs", "young"],
        ["2", "3", "4"],
    )
    (tmp_path / "aa" / f"dead.{dead_pid()}-1.part").write_bytes(b"x" * 10)
    free = os.statvfs(tmp_path)
    short = os.statvfs_result((1, 1, free.f_blocks, 50, 50, *free[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: short)
    assert cache.make_room(65) == 20
    assert [path.name for path in sorted(kept(tmp_path))] == ["3", "4"]


def test_keeper_outlives_a_disk_that_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while the cache is measured or shrunk is logged: the next package is kept all the same."""
    cache = PackageCache(tmp_path, 1000)

    def fail(*_: object) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(PackageCache, "_outgrown", fail)
    for url in ("http://h/a.rpm", "http://h/b.rpm"):
        assert whole(cache.open(url, Source(b"abc").fetch)) == b"abc"
    downloads_ended()
    cache.flush()
    assert len(kept(tmp_path)) == 2


def test_cache_that_cannot_be_listed_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken disk makes no room, and raises nothing either."""

    def fail(*_: object) -> Iterator[Path]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
        yield

    cache = PackageCache(tmp_path, 1000)
    monkeypatch.setattr(Path, "glob", fail)
    assert (cache.evict(), cache.make_room(1 << 60)) == (0, 0)


class Slow(Source):
    """An answer that begins, and whose bytes come when `go` is set."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.go = threading.Event()

    def chunks(self) -> Iterator[bytes]:
        assert self.go.wait(60)
        yield from super().chunks()


def test_downloads_are_bounded(tmp_path: Path) -> None:
    """Who asks beyond the bound fetches for itself, and the cache takes more when one has ended."""
    cache = PackageCache(tmp_path, 1000)
    slow = Slow(b"abc")
    files = [cache.open(f"http://h/{number}.rpm", slow.fetch) for number in range(32)]
    extra = Source(b"x")
    assert cache.open("http://h/extra.rpm", extra.fetch) is None
    assert extra.asked == 0
    slow.go.set()
    assert [whole(file) for file in files] == [b"abc"] * 32
    downloads_ended()
    assert whole(cache.open("http://h/extra.rpm", extra.fetch)) == b"x"


def test_room_of_a_download_under_way_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packages of which the disk has room for one are not both begun; what has come counts by itself."""
    free = os.statvfs(tmp_path)
    short = os.statvfs_result((1, 1, free.f_blocks, 15 + (256 << 20), 15 + (256 << 20), *free[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: short)
    cache = PackageCache(tmp_path, 1000)
    slow = Slow(b"x" * 10)
    first = cache.open("http://h/a.rpm", slow.fetch)
    assert cache.open("http://h/b.rpm", Source(b"y" * 10).fetch) is None
    slow.go.set()
    assert whole(first) == b"x" * 10
    downloads_ended()
    assert whole(cache.open("http://h/b.rpm", Source(b"y" * 10).fetch)) == b"y" * 10


def test_download_without_a_thread_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no thread can be started the caller fetches for itself; later the cache takes the package, however often."""
    cache = PackageCache(tmp_path, 1000)

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    source = Source(b"abc")
    with monkeypatch.context() as crowded:
        crowded.setattr(threading.Thread, "start", fail)
        assert [cache.open("http://h/a.rpm", source.fetch) for _ in range(40)] == [None] * 40
    assert list(tmp_path.glob("??/*")) == []
    assert whole(cache.open("http://h/a.rpm", source.fetch)) == b"abc"


def test_readers_learn_of_the_end_whatever_else_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while a download is put away keeps neither its readers nor its place."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(PackageCache, "_forget", fail)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    cache = PackageCache(tmp_path, 1000)
    for number in range(40):
        file = cache.open(f"http://h/{number}.rpm", Source(b"abc", 10).fetch)
        downloads_ended()
        assert file is not None
        assert file._download is not None
        assert file._download._end == "failed"
        file.close()
