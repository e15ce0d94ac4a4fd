"""`koji-adjutant check`: every check is run, each problem has its remedy."""

import json

import pytest

from koji_adjutant.cli import check_command
from koji_adjutant.cli.check_command import all_checks, as_text
from koji_adjutant.cli.checks.check import Check, Finding, Report, note, run_checks
from koji_adjutant.cli.config_files import Loaded
from koji_adjutant.cli.main import main
from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.errors import HubError

OPTIONS = KojidOptions(server="http://u:hunter2@h/kojihub", topurl="http://h/f", topurls=("http://h/f",))


def loaded(tmp_path, options=OPTIONS, **settings):
    """Return what loading two good files gives."""
    config = AdjutantConfig.model_validate({"state_dir": tmp_path, **settings})
    return Loaded("kojid.conf", tmp_path / "adjutant.yaml", options, config, ())


def names(checks):
    """Return the names of checks in order."""
    return [check.name for check in checks]


def test_all_checks(tmp_path):
    """With both files loaded everything is looked at; no secret is in what is printed before a check runs."""
    checks = all_checks(loaded(tmp_path, podman={"socket": f"unix://{tmp_path}/s"}))
    assert names(checks) == [
        *("configuration", "hub", "topurl", "state_dir", "control socket", "topdir", "subordinate ids"),
        "static programs",
        "runtime",
        *("storage", "images", "self-test", "mock"),
    ]
    assert not [check for check in checks if "hunter2" in check.asks]


def test_subordinate_ids_only_where_they_count(tmp_path):
    """They are looked at for Podman of this machine with user namespaces only."""
    for settings in ({"runtime": "memory"}, {"podman": {"userns": False}}, {"podman": {"socket": "tcp://h:1"}}):
        assert "subordinate ids" not in names(all_checks(loaded(tmp_path, **settings)))


def test_further_checks(tmp_path, monkeypatch):
    """Other parts add checks that need the configuration."""
    extra = Check("transaction", "installs a package", list)
    monkeypatch.setattr(check_command, "RUNTIME_CHECKS", [lambda _config: extra])
    assert extra in all_checks(loaded(tmp_path))


def test_broken_files_are_the_problem(tmp_path, capsys):
    """Both files broken: both errors are told with remedies, exit code 1."""
    (tmp_path / "kojid.conf").write_text("[kojid]\nmaxjob = 3\n")
    (tmp_path / "adjutant.yaml").write_text("runtim: podman\n")
    argv = ["check", "-c", str(tmp_path / "kojid.conf"), "--adjutant-config", str(tmp_path / "adjutant.yaml")]
    assert main(argv) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("problem  configuration: ")
    assert "- unknown config option: maxjob\n" in shown
    assert "Did you mean maxjobs?" in shown
    assert "runtim: unknown key: did you mean runtime?" in shown
    assert main([*argv, "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["ok"] is False
    assert [(check["name"], check["ok"]) for check in data["checks"]] == [("configuration", False), ("mock", True)]
    assert data["checks"][0]["findings"][0]["remedy"].startswith("Did you mean maxjobs?")


def test_log_level_is_checked(tmp_path):
    """A log level that is none is found before the daemon finds it."""
    options = KojidOptions(server="http://h", topurl="http://h", topurls=("http://h",), log_level="LOUD")
    report = next(run_checks(all_checks(loaded(tmp_path, options))))
    assert [finding.text for finding in report.findings] == ["Invalid log level: LOUD"]
    assert not report.ok


def test_one_failing_check_does_not_stop_the_others():
    """An error of ours is a problem with its remedy; the next check runs."""

    def fail():
        raise HubError("hub away", details="refused", resolution="Start it.")

    reports = list(run_checks([Check("a", "", fail), Check("b", "", list)]))
    assert reports[0].findings == (Finding("hub away\nrefused", "Start it."),)
    assert [report.ok for report in reports] == [False, True]


def test_checks_that_depend():
    """What cannot work without a failed check is not run, nor what depends on that in turn; it is no problem of its own."""

    def fail():
        raise HubError("away")

    checks = [
        *(Check("a", "", fail), Check("b", "", fail, after="a"), Check("c", "", fail, after="b")),
        *(Check("d", "", list), Check("e", "", lambda: [Finding("bad")], after="d")),
    ]
    reports = {report.check.name: report for report in run_checks(checks)}
    assert [name for name, report in reports.items() if not report.ok] == ["a", "e"]
    assert reports["b"].findings[0].text == "not looked at: a has a problem"
    assert reports["c"].findings[0].text == "not looked at: b has a problem"


def test_notes_are_no_problem():
    """A note leaves the check ok; text and remedy are printed below it, further lines indented."""
    report = Report(Check("topdir", "/mnt", list), (note("not\nmounted", "Mount it."), Finding("bad")))
    assert not report.ok
    assert Report(report.check, report.findings[:1]).ok
    assert as_text(report) == (
        "problem  topdir: /mnt\n         note: not\n           mounted\n           Mount it.\n         - bad\n"
    )


@pytest.mark.parametrize("name", ["kojid.conf", "adjutant.yaml"])
def test_one_broken_file(tmp_path, name):
    """What needs the good file only is still checked."""
    good = loaded(tmp_path)
    part = Loaded(
        good.kojid_file,
        good.adjutant_file,
        None if name == "kojid.conf" else good.options,
        None if name == "adjutant.yaml" else good.config,
        (),
    )
    found = names(all_checks(part))
    assert ("hub" in found) is (name == "adjutant.yaml")
    assert ("runtime" in found) is (name == "kojid.conf")
