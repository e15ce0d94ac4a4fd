"""hw_info.log: what mock's hw_info plugin reports about the machine, in its layout."""

from __future__ import annotations

LOG_NAME = "hw_info.log"


def hw_info_command(*paths: str) -> list[str]:
    """Return argv for `tools` that prints the report; `paths`: what to show the free space of.

    A program that the tools image lacks leaves its complaint in its section; the exit code is 0 whatever happens.
    """
    sections = (
        ("CPU info:", ["lscpu"]),
        ("Memory:", ["free", "--human"]),
        ("Storage (chroot, cache_topdir):", ["df", "-H", "-T", *paths]),
    )
    parts = []
    arguments: list[str] = []
    for heading, argv in sections:
        first = len(arguments) + 1
        arguments += [heading, *argv]
        words = " ".join(f'"${{{number}}}"' for number in range(first + 1, len(arguments) + 1))
        parts.append(f'echo "${{{first}}}"; {words} 2>&1')
    return ["sh", "-c", r"; printf '\n\n'; ".join(parts) + "; :", "sh", *arguments]
