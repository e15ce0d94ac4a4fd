"""`koji-adjutant config` shows effective values and no secret."""

import json

import pytest

from koji_adjutant.cli.main import main


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write both files and return the arguments that name them."""
    for name in ("ADJUTANT_CONFIG", "ADJUTANT_STOP"):
        monkeypatch.delenv(name, raising=False)
    kojid, adjutant = tmp_path / "kojid.conf", tmp_path / "adjutant.yaml"
    kojid.write_text(
        "[kojid]\nserver = http://h/kojihub\ntopurl = http://u:hunter2@h/f\npassword = hunter2\nmaxjobs = 3\n"
    )
    adjutant.write_text("stop: drain\n")
    return ["--config", str(kojid), "--adjutant-config", str(adjutant)]


def test_text(files, capsys):
    """Both files are named, their effective values follow, secrets are hidden."""
    assert main(["config", *files]) == 0
    shown = capsys.readouterr().out
    assert f"# {files[1]}\nserver: http://h/kojihub\n" in shown
    assert f"# {files[3]}\nruntime: podman\n" in shown
    assert "maxjobs: 3\n" in shown
    assert "stop: drain\n" in shown
    assert "password: '***'\n" in shown
    assert "hunter2" not in shown


def test_json(files, capsys, monkeypatch):
    """--json is one object; variables are in it."""
    monkeypatch.setenv("ADJUTANT_BUILD_PIDS", "99")
    assert main(["config", "--json", *files]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["kojid"]["maxjobs"] == 3
    assert shown["kojid"]["password"] == "***"
    assert shown["adjutant"]["stop"] == "drain"
    assert shown["adjutant"]["build"]["pids"] == 99


def test_variable_names_the_file(files, capsys, monkeypatch):
    """Without --adjutant-config ADJUTANT_CONFIG counts."""
    monkeypatch.setenv("ADJUTANT_CONFIG", files[3])
    assert main(["config", "--json", *files[:2]]) == 0
    assert json.loads(capsys.readouterr().out)["adjutant"]["stop"] == "drain"


def test_one_broken_file_does_not_hide_the_other(files, tmp_path, capsys):
    """What could be loaded is shown; what could not is the error, in this command's name."""
    (tmp_path / "kojid.conf").write_text("[kojid]\nserver = http://h\n")
    assert main(["config", *files]) == 2
    printed = capsys.readouterr()
    assert "stop: drain" in printed.out
    assert printed.err.startswith("koji-adjutant: the topurl option is required\n")
    assert "Usage: kojid" not in printed.err
