"""What the end of a package manager's log says, as data: rules with ids, tested on recorded logs (design section 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from koji_adjutant.buildroot.commands import COMMAND_HEADER

TAIL_LINES = 60
"""Only the end of a log counts: earlier lines tell of mirrors that failed and were replaced."""


class Kind(StrEnum):
    """Whose failure it is."""

    INFRASTRUCTURE = "infrastructure"
    """Tried again, then given back."""
    PACKAGE = "package"
    """Of the package or of the repository's content: no other host would do better. Fails as under kojid."""
    OOM = "oom"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Rule:
    """`pattern` is looked for in each line of the tail; the first rule in the table that finds one decides."""

    id: str
    kind: Kind
    pattern: re.Pattern[str]
    says: str


def _rule(name: str, kind: Kind, pattern: str, says: str) -> Rule:
    return Rule(name, kind, re.compile(pattern), says)


PACKAGE_MANAGER_RULES = (
    # First what only the content of the repository or the package can cause: dnf gets that far with all its metadata.
    _rule(
        "no-match",
        Kind.PACKAGE,
        r"^No match(ing package to install|\b.*for argument)|^no package matched: ",
        "no such package",
    ),
    _rule("nothing-provides", Kind.PACKAGE, r"\bnothing provides\b", "a requirement cannot be satisfied"),
    _rule("no-group", Kind.PACKAGE, r"^(Module or Group|Group|Environment) '.*' is not available", "no such group"),
    _rule("unable-to-match", Kind.PACKAGE, r"^(Error: )?Unable to find a match", "no such package"),
    _rule(
        "conflict", Kind.PACKAGE, r"\bconflicts with\b.* provided by\b|^\s*- conflicting requests", "packages conflict"
    ),
    _rule(
        "cannot-install",
        Kind.PACKAGE,
        r"\bcannot install (both|the best|any)\b",
        "packages cannot be installed together",
    ),
    _rule(
        "filtered",
        Kind.PACKAGE,
        r"\bis filtered out by (modular|exclude) filtering|\bdoes not have a compatible arch",
        "excluded",
    ),
    _rule("file-conflict", Kind.PACKAGE, r"^\s*file /.* conflicts (between|with)\b", "files of packages conflict"),
    _rule(
        "disk-full",
        Kind.INFRASTRUCTURE,
        r"No space left on device|[0-9][KMG]?B more space needed on|Disk quota exceeded",
        "disk full",
    ),
    _rule("scriptlet", Kind.PACKAGE, r"^Error in .* scriptlet\b|scriptlet failed, exit status", "a scriptlet failed"),
    # Lines with an address or a digest before the others: they are the evidence that a reader needs.
    _rule(
        "damaged",
        Kind.INFRASTRUCTURE,
        # A package that was replaced under its name has another checksum, and mostly another size.
        r"checksum doesn't match|Server reports Content-Length: .* but expected size is|Payload SHA.*ALT digest: BAD|cpio: ",
        "damaged download",
    ),
    _rule(
        "transfer",
        Kind.INFRASTRUCTURE,
        r"Curl error \([0-9]+\)|^Librepo error|Status code: [45][0-9][0-9]\b",
        "download failed",
    ),
    _rule(
        "metadata",
        Kind.INFRASTRUCTURE,
        r"Failed to download metadata|Errors? during downloading metadata",
        "no repository metadata",
    ),
    _rule(
        "download",
        Kind.INFRASTRUCTURE,
        r"Error downloading packages|Cannot download\b|No more mirrors to try",
        "download failed",
    ),
    _rule("memory", Kind.INFRASTRUCTURE, r"Cannot allocate memory|\bMemoryError\b", "out of memory outside the build"),
    _rule(
        "no-builddep",
        Kind.INFRASTRUCTURE,
        r"(?i)no such command: .?builddep|Unknown argument \"builddep\"",
        "tools lack builddep",
    ),
    _rule(
        "transaction",
        Kind.PACKAGE,
        r"^Error: Transaction (test error|failed)|^Transaction failed",
        "the transaction failed",
    ),
)
"""In order of precedence. Texts of dnf 4.14 as recorded; of dnf5 from its message catalogue."""


def match(log_tail: bytes) -> tuple[Rule | None, str]:
    """Return the rule that decides, and the line that it found; (None, "") if none does."""
    lines = _last_command(log_tail.decode("utf-8", "replace").splitlines())[-TAIL_LINES:]
    for rule in PACKAGE_MANAGER_RULES:
        for line in lines:
            if rule.pattern.search(line):
                return rule, _printable(line)
    return None, ""


def _last_command(lines: list[str]) -> list[str]:
    """Return what follows the last header in a log that holds the output of several commands."""
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].startswith(COMMAND_HEADER):
            return lines[number + 1 :]
    return lines


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in line.strip())[:300]
