"""Scripts over python3-rpm in `tools`: rpm's own answers, without librpm in the daemon (design section 7)."""

from __future__ import annotations

_START = 'for p in /usr/libexec/platform-python /usr/bin/python3; do [ -x $p ] && exec $p -I -c "$@"; done; exit 3'


def python_command(script: str, *arguments: str) -> list[str]:
    """Return argv for `tools` that runs `script` by the Python its rpm module belongs to; exit code 3: there is none."""
    return ["sh", "-c", _START, "sh", script, *arguments]
