"""Samples and reference say what the models say."""

import re
from pathlib import Path

import pytest

from koji_adjutant.config.adjutant import AdjutantConfig, load_adjutant_config
from koji_adjutant.config.kojid_cli import load_kojid_options
from koji_adjutant.config.kojid_conf import OPTIONS
from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.kojid_texts import GROUPS
from koji_adjutant.config.reference import FILES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", FILES)
def test_up_to_date(name):
    """The committed file is what the models give; `python -m koji_adjutant.config.reference` writes it."""
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name]()


def test_every_kojid_option_is_described():
    """Each option is described once, and nothing else is."""
    described = [name for options in GROUPS.values() for name in options]
    assert sorted(described) == sorted(OPTIONS)


def test_sample_adjutant_as_it_is(tmp_path):
    """The sample as shipped changes nothing."""
    assert load_adjutant_config({"ADJUTANT_CONFIG": str(ROOT / "etc/adjutant.yaml")}) == AdjutantConfig()


def test_sample_adjutant_uncommented(tmp_path):
    """With every setting live the sample loads and equals the defaults."""
    text = (ROOT / "etc/adjutant.yaml").read_text(encoding="utf-8")
    live = re.sub(r"^( *)#(?!#)", r"\1", text, flags=re.MULTILINE)
    assert live.count("\n") == text.count("\n")
    path = tmp_path / "adjutant.yaml"
    path.write_text(live, encoding="utf-8")
    assert "pids: 16384" in live
    assert load_adjutant_config({"ADJUTANT_CONFIG": str(path)}) == AdjutantConfig()


def test_sample_kojid_uncommented(tmp_path):
    """With every option live the sample loads; options without an example equal the defaults, the others the example."""
    path = tmp_path / "kojid.conf"
    text = (ROOT / "etc/kojid.conf").read_text(encoding="utf-8")
    path.write_text(re.sub("^;", "", text, flags=re.MULTILINE), encoding="utf-8")
    options = load_kojid_options(["-c", str(path)], cert_defaults={})
    assert options.rlimits == {"RLIMIT_NOFILE": "65536 65536"}
    for name, described in [item for group in GROUPS.values() for item in group.items()]:
        value = getattr(options, name)
        if not described.example:
            assert value == KojidOptions.__dataclass_fields__[name].default, name
        elif isinstance(value, tuple):
            assert value == tuple(described.example.split()), name
        else:
            assert str(value) == described.example, name
