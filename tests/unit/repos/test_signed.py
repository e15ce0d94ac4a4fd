"""Which copies of rpms a dist repo takes, and what its logs say of the others."""

import pytest

from koji_adjutant.repos.signed import (
    missing_files_log,
    missing_signatures_log,
    pick_key,
    select,
    written_log,
)


def rows(rpm_id, *keys, name="hello"):
    """An rpm as listTaggedRPMS has it: a row for each signature."""
    rpm = {"id": rpm_id, "name": name, "version": "1", "release": "2", "arch": "x86_64"}
    return [{**rpm, "sigkey": key} for key in keys]


def test_the_first_wanted_key_is_taken():
    """The order of the request decides, not that of the signatures."""
    assert pick_key(["b", "a"], ["a", "b", ""]) == "b"
    assert pick_key([], ["a"]) is None


@pytest.mark.parametrize(
    ("keys", "key", "sigkey"),
    [(["BEEF"], "beef", "BeeF"), (["dead", "beef"], "beef", "BeeF"), (["dead"], None, None), ([], None, None)],
)
def test_selection(keys, key, sigkey):
    """Keys are compared without case, the row is the hub's; without a wanted key its signature counts as none."""
    (selected,) = select(rows(1, "", "BeeF"), keys)
    assert (selected.key, selected.row["sigkey"]) == (key, sigkey)
    assert selected.row.get("best_key") == key


def test_each_rpm_once_in_order():
    """Rows of one rpm make one entry, a missing signature may be None."""
    chosen = select([*rows(2, None, "k"), *rows(1, "k", name="a")], ["k"])
    assert [(rpm.row["id"], rpm.key) for rpm in chosen] == [(2, "k"), (1, "k")]


def test_missing_signatures():
    """The text of kojid, byte for byte, rpms by name."""
    missing = select([*rows(2, "", "cafe"), *rows(1, "", name="a")], ["beef"])
    assert missing_signatures_log(missing, ["BEEF"], skipped=True) == (
        "Some rpms were missing requested signatures.\n"
        "The skip_missing_signatures option was specified, so these files were excluded.\n"
        "Requested keys: ['beef']\n\n"
        "# RPM name: available keys\n"
        "a-1-2.x86_64: ['']\n"
        "hello-1-2.x86_64: ['', 'cafe']\n"
    )
    assert "excluded" not in missing_signatures_log(missing, ["BEEF"], skipped=False)


def test_missing_files_and_written_copies():
    """The texts of kojid."""
    assert missing_files_log(["/b", "/a"]).endswith("Missing files:\n/a\n/b\n")
    assert written_log([(1, "beef", None), (2, "cafe", "no such key")]) == (
        "Signed RPM 1 is written with beef key.\n"
        "FAILED: Signed RPM 2 is not written with cafe key, error: no such key\n"
    )
