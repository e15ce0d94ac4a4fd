"""From Debian's words to RPM's: versions, dependencies, spec lines. No package is needed for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.distro.catalog import GROUPS
from tests.distro.debian import Deb, Entry, dependencies, evr, evr_text
from tests.distro.make import comps
from tests.distro.resolve import resolve
from tests.distro.specfile import spec_for


def a_deb(name: str, version: str = "1.0-1", depends: str = "", provides: str = "", **fields: object) -> Deb:
    """Make a package as `read_deb` would."""
    values: dict[str, object] = {"rpm": name, "source": name, "summary": name, "url": "", "size": 1, "noarch": False}
    given = [(d.name, d.version) for d in dependencies(provides)]
    clauses = [dependencies(clause.replace("|", ",")) for clause in depends.split(",") if clause]
    return Deb(
        path=Path(name),
        name=name,
        evr=evr(version),
        source_evr=evr(version),
        provided=[(name, version), *given],
        depends=clauses,
        **{**values, **fields},  # type: ignore[arg-type] # keyword arguments of a dataclass
    )


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("1.2-3", "1.2-3"),
        ("2:1.1.1n-0+deb11u5", "2:1.1.1n-0+deb11u5"),
        ("6.0", "6.0"),
        ("4.18.0+dfsg-1+b2", "4.18.0+dfsg-1+b2"),
        ("1-2-3", "1.2-3"),
    ],
)
def test_versions(version: str, text: str) -> None:
    """Epochs and revisions stay; what RPM forbids in a version becomes a dot; without a revision there is no release."""
    assert evr_text(version) == text


def test_first_alternative_that_exists_is_required() -> None:
    """Virtual packages count, versions are translated, and what cannot be reached is left out."""
    app = a_deb("app", depends="absent | mail-agent, lib (>> 2.36), debconf | other")
    agent, lib, other = a_deb("agent", provides="mail-agent"), a_deb("lib", "2.36-9"), a_deb("other")
    assert [deb.name for deb in resolve([app, agent, lib, other], ["app"])] == ["agent", "app", "lib"]
    assert app.requires == ["mail-agent", "lib >= 2.36"]


def test_spec_names_modes_owners_and_odd_paths() -> None:
    """Attributes stand in front, macros in paths are escaped, brackets become wildcards."""
    deb = a_deb("tool", conffiles={"/etc/tool.conf"})
    deb.entries = [
        Entry("/usr/bin/[", "file", 0o4755, "root", "mail"),
        Entry("/etc/tool.conf", "file"),
        Entry("/usr/share/100% sure", "dir", 0o755),
    ]
    spec = spec_for("tool", [deb])
    assert "%attr(4755,root,mail) /usr/bin/?" in spec
    assert "%attr(0644,root,root) %config(noreplace) /etc/tool.conf" in spec
    assert '%attr(0755,root,root) %dir "/usr/share/100%% sure"' in spec


def test_comps_have_koji_s_groups() -> None:
    """What a tag's groups are filled from."""
    assert all(
        f"<id>{name}</id>" in comps(GROUPS) for name in ("build", "srpm-build", "build-minimal", "tools", "oddities")
    )
