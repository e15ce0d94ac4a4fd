"""What Debian does in maintainer scripts, and what an RPM distribution wants otherwise, done on the stage directory."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.distro.catalog import LINKS
from tests.distro.debian import Deb, DistroError, Entry

_PYTHON = re.compile(r"^/usr/lib/python3(?:\.\d+)?/.*\.py$")


def adjust(deb: Deb, stage: Path) -> None:
    """Change what `deb` put below `stage`, and its list of files with it."""
    for path, target in LINKS.get(deb.rpm, {}).items():
        _add_link(deb, stage, path, target)
    if deb.name in _ADJUSTMENTS:
        _ADJUSTMENTS[deb.name](deb, stage)
    _find_pkgconfig(deb, stage)
    _compile_python(deb, stage)


def _rpm_common(_deb: Deb, stage: Path) -> None:
    """Debian keeps the database in ~/.rpmdb, and shared state in /usr/com."""
    _edit(stage / "usr/lib/rpm/macros", r"^%_dbpath\s.*$", "%_dbpath\t\t/var/lib/rpm")
    for arch in ("x86_64", "noarch"):
        macros = stage / f"usr/lib/rpm/platform/{arch}-linux/macros"
        _edit(macros, r"^%_sharedstatedir\s.*$", "%_sharedstatedir\t%{_localstatedir}/lib")


def _rpm(deb: Deb, stage: Path) -> None:
    if not any(entry.path == "/var/lib/rpm" for entry in deb.entries):
        (stage / "var/lib/rpm").mkdir(parents=True, exist_ok=True)
        deb.entries.append(Entry("/var/lib/rpm", "dir", 0o755))


def _libc_bin(deb: Deb, stage: Path) -> None:
    _add_file(deb, stage, "/etc/ld.so.conf.d/lib64.conf", "/usr/lib64\n")


def _dnf_data(deb: Deb, stage: Path) -> None:
    text = "[main]\ngpgcheck=0\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\nskip_if_unavailable=False\n"
    _add_file(deb, stage, "/etc/dnf/dnf.conf", text)


def _dnf_plugins(_deb: Deb, stage: Path) -> None:
    """The plugin `local` would copy each installed package and run createrepo on the copies."""
    _edit(stage / "etc/dnf/plugins/local.conf", r"^enabled = true$", "enabled = false")


def _ca_certificates(deb: Deb, stage: Path) -> None:
    certificates = sorted((stage / "usr/share/ca-certificates/mozilla").iterdir())
    _add_file(deb, stage, "/etc/ssl/certs/ca-certificates.crt", "".join(path.read_text() for path in certificates))
    _add_link(deb, stage, "/etc/pki/tls/certs/ca-bundle.crt", "../../../ssl/certs/ca-certificates.crt")


_ADJUSTMENTS: dict[str, Callable[[Deb, Path], None]] = {
    "ca-certificates": _ca_certificates,
    "dnf-data": _dnf_data,
    "dnf-plugins-core": _dnf_plugins,
    "libc-bin": _libc_bin,
    "rpm": _rpm,
    "rpm-common": _rpm_common,
}


def _add_file(deb: Deb, stage: Path, path: str, content: str) -> None:
    where = Path(f"{stage}{path}")
    where.parent.mkdir(parents=True, exist_ok=True)
    if where.exists():
        where.unlink()
    else:
        deb.entries.append(Entry(path, "file"))
    where.write_text(content)


def _add_link(deb: Deb, stage: Path, path: str, target: str) -> None:
    where = Path(f"{stage}{path}")
    if os.path.lexists(where):
        return
    where.parent.mkdir(parents=True, exist_ok=True)
    where.symlink_to(target)
    deb.entries.append(Entry(path, "link"))


def _edit(path: Path, pattern: str, replacement: str) -> None:
    """Replace lines; a file that has none any more means that Debian changed the package."""
    text, count = re.subn(pattern, lambda _: replacement, path.read_text(), flags=re.MULTILINE)
    if not count:
        raise DistroError(f"{path} has no line like {pattern}")
    path.write_text(text)


def _find_pkgconfig(deb: Deb, stage: Path) -> None:
    """List pkgconfig() provides: rpm's own generator looks into /usr/lib64 only."""
    for entry in deb.entries:
        if entry.kind == "file" and entry.path.endswith(".pc") and "/pkgconfig/" in entry.path:
            text = Path(f"{stage}{entry.path}").read_text(errors="replace")
            version = re.search(r"^Version:\s*([A-Za-z0-9.+~_]+)\s*$", text, re.MULTILINE)
            name = Path(entry.path).stem
            deb.pkgconfig.append(f"pkgconfig({name})" + (f" = {version.group(1)}" if version else ""))


def _compile_python(deb: Deb, stage: Path) -> None:
    """Make the .pyc files that Debian makes at installation; by Debian's own interpreter, whose version they carry."""
    sources = [entry.path for entry in deb.entries if entry.kind == "file" and _PYTHON.match(entry.path)]
    if not sources:
        return
    command = ["/usr/bin/python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-p", "/", "-s"]
    listed = "\n".join(f"{stage}{path}" for path in sources)
    # Some packages ship templates or Python 2 sources: those stay without.
    subprocess.run([*command, str(stage), "-i", "-"], input=listed, text=True, capture_output=True, check=False)
    for directory in sorted({os.path.dirname(path) + "/__pycache__" for path in sources}):
        made = Path(f"{stage}{directory}")
        if made.is_dir():
            deb.entries.append(Entry(directory, "dir", 0o755))
            deb.entries += [Entry(f"{directory}/{path.name}", "file") for path in sorted(made.iterdir())]
