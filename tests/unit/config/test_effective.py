"""Effective values can be shown to anyone."""

import json

import pytest

from koji_adjutant.config.effective import effective
from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.config.secrets import mask_text, masked


def test_secrets_are_hidden():
    """Passwords and credentials in URLs are masked, what is unset stays visible as unset, and all is plain data."""
    options = KojidOptions(
        server="https://u:hunter2@hub/kojihub",
        topurl="http://a",
        topurls=("http://a", "http://x:hunter2@b"),
        password="hunter2",
        rlimits={"RLIMIT_CORE": "0"},
    )
    config = AdjutantConfig.model_validate({"podman": {"socket": "tcp://u:hunter2@h:1"}})
    shown = effective(config, options)
    text = json.dumps(shown)
    assert "hunter2" not in text
    assert shown["kojid"]["server"] == "https://***@hub/kojihub"
    assert shown["kojid"]["password"] == "***"
    assert shown["kojid"]["smtp_pass"] is None
    assert shown["kojid"]["rlimits"] == {"RLIMIT_CORE": "0"}
    assert shown["adjutant"]["build"]["pids"] == 16384
    assert options.password == "hunter2"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("http://u:p@h/x?a=b", "http://***@h/x?a=b"),
        ("git+https://token@h/x", "git+https://***@h/x"),
        ("http://h/x@y", "http://h/x@y"),
        (
            "POST /kojihub?session-id=1&session-key=4-abc&callnum=2",
            "POST /kojihub?session-id=1&session-key=***&callnum=2",
        ),
        ("{'session-id': 1, 'session-key': '4-abc'}", "{'session-id': 1, 'session-key': '***'}"),
        ("password=hunter2 user=x", "password=*** user=x"),
        ("a mail to kojiadmin@example.com", "a mail to kojiadmin@example.com"),
    ],
)
def test_mask_text(text, hidden):
    """Credentials inside texts are hidden, and nothing else."""
    assert mask_text(text) == hidden


def test_masked_nested():
    """Secret names count at any depth, in any spelling."""
    value = {"Session-Key": "x", "list": [{"token": "y", "name": "n"}], "password": ""}
    assert masked("opts", value) == {"Session-Key": "***", "list": [{"token": "***", "name": "n"}], "password": ""}
