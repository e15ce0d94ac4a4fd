"""A build's output as text that may be shown: whatever it holds, it moves no cursor, hides nothing and fills no screen."""

from __future__ import annotations

import re

MAX_LINE = 4000
"""Characters of a line that are shown."""
CUT = " [line cut for display]"
MAX_UTF8 = 4

_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"} | {0x7F: 0x2421}
# C1 controls act as escapes on terminals; direction marks show a text in another order than it has.
_HIDDEN = [*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C, 0x2028, 0x2029]
_TABLE = _PICTURES | {code: f"<U+{code:04X}>" for code in _HIDDEN}
_RETURNS = re.compile(r"\r+\n?")


def whole_characters(data: bytes) -> int:
    """Return how many bytes of `data` end with a whole character of UTF-8; all, where it is none at all."""
    for back in range(1, min(MAX_UTF8, len(data)) + 1):
        byte = data[-back]
        if 0xC0 <= byte < 0xF8:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if back < length else len(data)
        if byte < 0x80 or byte >= 0xF8:
            break
    return len(data)


def harmless(text: str) -> str:
    """Return `text` with control characters as pictures; a carriage return ends a line, as the next would overwrite it."""
    return _RETURNS.sub("\n", text).translate(_TABLE)


class LogText:
    """Turns the bytes of one log, in order, into text for display. Long lines are cut."""

    def __init__(self) -> None:
        self._column = 0

    def take(self, data: bytes) -> str:
        """Return the text of the next bytes; invalid UTF-8 shows as the replacement character."""
        lines = harmless(data.decode("utf-8", "replace")).split("\n")
        shown = []
        for number, line in enumerate(lines):
            if number:
                self._column = 0
            shown.append(self._rest_of_line(line))
        return "\n".join(shown)

    def _rest_of_line(self, text: str) -> str:
        before, self._column = self._column, self._column + len(text)
        if before > MAX_LINE:
            return ""
        return text if self._column <= MAX_LINE else text[: MAX_LINE - before] + CUT
