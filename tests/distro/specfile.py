"""Spec files for converted packages: one RPM source per Debian source, so that sourcerpm looks right to Koji (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.distro.catalog import PROVIDES, REQUIRES, SPLIT
from tests.distro.debian import Deb, Entry, Evr, evr_text

# ldconfig as the trigger's own program would be given a trigger number as argument.
_LDCONFIG = """local pid = posix.fork()
if pid == 0 then posix.exec("/usr/sbin/ldconfig") os.exit(0)
elseif pid > 0 then posix.wait(pid) end
"""

_SCRIPTS = {
    "glibc-common": f"""
%post -n glibc-common -p <lua>
{_LDCONFIG}
%transfiletriggerin -n glibc-common -P 2000000 -p <lua> -- /usr/lib64 /usr/lib/x86_64-linux-gnu
{_LDCONFIG}
%transfiletriggerpostun -n glibc-common -P 2000000 -p <lua> -- /usr/lib64 /usr/lib/x86_64-linux-gnu
{_LDCONFIG}
""",
}
"""Built packages put libraries into /usr/lib64: the loader's cache is made again after each transaction that does."""


def spec_for(source: str, debs: Sequence[Deb]) -> str:
    """Write the spec of all packages of one Debian source; their files are hard-linked from `%{stage}`."""
    main = next((deb for deb in debs if deb.rpm == source), None)
    first = main or debs[0]
    head = [f"Name: {source}", *_tags(main.evr if main else first.source_evr, first.summary, first.url)]
    if all(deb.noarch for deb in debs):
        head.append("BuildArch: noarch")
    body: list[str] = []
    files: list[str] = []
    for deb in debs:
        for rpm, entries in _split(deb).items():
            if rpm == source:
                head += _relations(deb, rpm)
            else:
                body += _subpackage(deb, rpm)
            body.append(_SCRIPTS.get(rpm, ""))
            files += ["", f"%files -n {rpm}", *(_file_line(e, deb) for e in sorted(entries, key=lambda e: e.path))]
    head += ["", "%description", f"Made from the Debian source package {source}."]
    return "\n".join([*head, *body, "", "%install", "cp -al %{stage}/. %{buildroot}/", *files, ""])


def _split(deb: Deb) -> dict[str, list[Entry]]:
    if deb.rpm not in SPLIT:
        return {deb.rpm: deb.entries}
    other, pattern = SPLIT[deb.rpm]
    taken = [entry for entry in deb.entries if pattern.search(entry.path)]
    return {deb.rpm: [entry for entry in deb.entries if entry not in taken], other: taken}


def _subpackage(deb: Deb, rpm: str) -> list[str]:
    lines = ["", f"%package -n {rpm}", *_tags(deb.evr, deb.summary, deb.url)]
    if deb.noarch:
        lines.append("BuildArch: noarch")
    return [*lines, *_relations(deb, rpm), f"%description -n {rpm}", _escape(deb.summary)]


def _tags(evr: Evr, summary: str, url: str) -> list[str]:
    epoch = [f"Epoch: {evr.epoch}"] if evr.epoch else []
    tags = [f"Version: {evr.version}", f"Release: {evr.release}", f"Summary: {_escape(summary)[:200]}"]
    return [*epoch, *tags, "License: Various", f"URL: {_escape(url)}"]


def _relations(deb: Deb, rpm: str) -> list[str]:
    lines = ["AutoReq: no", "AutoProv: yes", "Requires(pre): filesystem"]
    requires = list(REQUIRES.get(rpm, []))
    provides = list(PROVIDES.get(rpm, []))
    if rpm == deb.rpm:
        requires += [*deb.requires, *sorted(deb.interpreters)]
        named = [(name, version) for name, version in deb.provided if name != rpm]
        provides += [name + (f" = {evr_text(version)}" if version else "") for name, version in named]
        provides += sorted(deb.old_paths) + deb.pkgconfig
    if rpm == "bash" and "/bin/sh" not in provides:
        provides.append("/bin/sh")
    return lines + [f"Requires: {x}" for x in requires] + [f"Provides: {x}" for x in provides]


def _file_line(entry: Entry, deb: Deb) -> str:
    # rpm 4.18 does not undo the backslash of coreutils' "\\[": a '?' in its place is understood everywhere.
    path = re.sub(r'[\\\[\]*{}"]', "?", entry.path).replace("%", "%%")
    quoted = f'"{path}"' if " " in path else path
    config = "%config(noreplace) " if entry.path in deb.conffiles else ""
    if entry.kind == "link":
        return config + quoted
    directory = "%dir " if entry.kind == "dir" else ""
    return f"%attr({entry.mode:04o},{entry.user},{entry.group}) {directory}{config}{quoted}"


def _escape(text: str) -> str:
    return text.replace("%", "%%")
