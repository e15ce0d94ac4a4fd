"""The seccomp profile under which calls for durability do nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.buildroot.no_sync import SYNC_CALLS, profile_without_sync, without_sync
from koji_adjutant.container.factory import SECCOMP_PROFILE
from koji_adjutant.errors import ConfigurationError


def rules(text: str) -> list[dict[str, Any]]:
    """The rules of a profile."""
    found: list[dict[str, Any]] = json.loads(text)["syscalls"]
    return found


def test_calls_that_ask_for_durability_succeed_without_doing_anything() -> None:
    """Each of them has one rule, which answers with error number 0."""
    naming = [rule for rule in rules(without_sync(SECCOMP_PROFILE.read_text())) if set(SYNC_CALLS) & set(rule["names"])]

    assert naming == [{"names": list(SYNC_CALLS), "action": "SCMP_ACT_ERRNO", "errnoRet": 0}]


def test_everything_else_of_the_profile_stays() -> None:
    """Other calls keep their rules in their order, a rule of nothing but such calls goes, and the rest is as it was."""
    before = json.loads(SECCOMP_PROFILE.read_text())
    after = json.loads(without_sync(SECCOMP_PROFILE.read_text()))

    kept = [
        {**rule, "names": [name for name in rule["names"] if name not in SYNC_CALLS]} for rule in before["syscalls"]
    ]
    assert after["syscalls"][:-1] == [rule for rule in kept if rule["names"]]
    assert {**after, "syscalls": []} == {**before, "syscalls": []}


def test_rules_of_one_call_each_are_understood() -> None:
    """As the first profiles had them."""
    text = json.dumps({"syscalls": [{"name": "fsync", "action": "A"}, {"name": "read", "action": "A"}]})

    assert rules(without_sync(text))[:-1] == [{"names": ["read"], "action": "A"}]


def test_a_profile_is_written_once_and_readable_by_the_service(tmp_path: Path) -> None:
    """Two calls name one file, which everybody may read; nothing else is left in the directory."""
    first = profile_without_sync(SECCOMP_PROFILE, tmp_path / "state")

    assert profile_without_sync(SECCOMP_PROFILE, tmp_path / "state") == first
    assert list(first.parent.iterdir()) == [first]
    assert first.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b""), Path.unlink], ids=["empty", "gone"])
def test_a_damaged_profile_is_written_again(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """What a crash of the machine left under its name is not believed, and a path that is gone is not handed out."""
    path = profile_without_sync(SECCOMP_PROFILE, tmp_path)
    text = path.read_text()
    damage(path)

    assert profile_without_sync(SECCOMP_PROFILE, tmp_path).read_text() == text


def test_a_profile_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it: after a crash the name never stands for less."""
    synced: list[tuple[int, list[Path]]] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append((os.fstat(fd).st_size, list(tmp_path.glob("seccomp-*")))))

    path = profile_without_sync(SECCOMP_PROFILE, tmp_path)

    assert synced == [(path.stat().st_size, [])]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"syscalls": [{}]}'])
def test_what_is_no_profile_is_named(tmp_path: Path, text: str) -> None:
    """The error names the file of the setting."""
    (tmp_path / "mine.json").write_text(text)

    with pytest.raises(ConfigurationError, match=r"mine\.json is no seccomp profile"):
        profile_without_sync(tmp_path / "mine.json", tmp_path)
