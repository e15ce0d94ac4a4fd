"""A site's mock configuration is read as text."""

import pytest

from koji_adjutant.cli.checks.check import Severity
from koji_adjutant.cli.checks.mock_options import EQUIVALENTS, PER_TASK
from koji_adjutant.cli.checks.mock_site import check_mock_site, read_options

SITE = """
config_opts['basedir'] = '/srv/mock'
config_opts['nosync'] = True
config_opts['macros']['%vendor'] = 'Us'
config_opts['environment'].update({'A': 'b'})
config_opts['plugin_conf']['bind_mount_enable'] = True
config_opts['plugin_conf']['bind_mount_opts']['dirs'].append(('/a', '/b'))
config_opts['plugin_conf']['tmpfs_opts'] = {}
# config_opts['commented'] = 1
include('/etc/mock/other.cfg')
if True:
    config_opts['ssl_ca_bundle_path'] += '/x'
other['nosync'] = 1
"""


@pytest.fixture
def site(tmp_path):
    """Write one file of a site."""
    file = tmp_path / "site-defaults.cfg"
    file.write_text(SITE)
    return file


def test_options(site):
    """Assignments and changing calls are found at their lines, also inside conditions; comments are not."""
    found = {(option.name, option.place.rpartition(":")[2]) for option in read_options(site)}
    assert found == {
        ("basedir", "2"),
        ("nosync", "3"),
        ("macros", "4"),
        ("environment", "5"),
        ("plugin_conf.bind_mount_enable", "6"),
        ("plugin_conf.bind_mount_opts", "7"),
        ("plugin_conf.tmpfs_opts", "8"),
        ("ssl_ca_bundle_path", "12"),
    }


def test_notes(site, tmp_path):
    """Each option that loses its effect is a note: with its new place, or as one that has none; once per option."""
    (tmp_path / "default.cfg").write_text("config_opts['nosync'] = False\n")
    findings = check_mock_site(tmp_path)
    text = "\n".join(f"{finding.text}|{finding.remedy}" for finding in findings)
    assert {finding.severity for finding in findings} == {Severity.NOTE}
    assert f"mock option nosync ({tmp_path}/default.cfg:1 and 1 more) has no equivalent" in text
    assert (
        f"mock option macros ({site}:4) has no effect here|Its place is the tag's extra settings rpm.macro.NAME."
        in text
    )
    assert "bind_mount_enable" in text
    assert "basedir" not in text


def test_never_run(tmp_path):
    """A file is parsed, never run."""
    (tmp_path / "a.cfg").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nconfig_opts['x'] = 1\n")
    assert len(check_mock_site(tmp_path)) == 1
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"config_opts['x' = 1\n", b"\xff\xfe\n", b"a = '\x00'\n"])
def test_not_python(tmp_path, content):
    """A file that is no Python is named and the others are read."""
    (tmp_path / "a.cfg").write_bytes(content)
    (tmp_path / "b.cfg").write_text("config_opts['x'] = 1\n")
    texts = [finding.text for finding in check_mock_site(tmp_path)]
    assert f"{tmp_path}/a.cfg cannot be read" in texts[0]
    assert "mock option x" in texts[1]


def test_no_mock(tmp_path):
    """Without /etc/mock there is nothing to say."""
    assert check_mock_site(tmp_path / "none") == []


def test_lists_are_apart():
    """An option is either set per task or has another place."""
    assert not PER_TASK & set(EQUIVALENTS)
