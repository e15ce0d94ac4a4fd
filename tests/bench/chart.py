"""A bar chart of medians as an SVG file: readable in the dark, by a screen reader, and without colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LABEL, ROW, TOP = 720, 190, 30, 56
ROOM = WIDTH - LABEL - 150
"""Pixels of the longest bar; right of it stand the figures."""

STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.note{fill:#59636e;font-size:12px}"
    ".begin{fill:#1f6feb}.rest{fill:#a5c8ff}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}.begin{fill:#4493f8}.rest{fill:#1f4580}}"
)


@dataclass(frozen=True)
class Bar:
    """One builder in one condition: seconds to its first rpmbuild process, and to its end."""

    label: str
    to_rpmbuild: float
    to_end: float


def chart(bars: Sequence[Bar], title: str, note: str) -> str:
    """Return the drawing; the last bar is what the others are compared with."""
    longest = max(bar.to_end for bar in bars)
    baseline = bars[-1]
    height = TOP + ROW * len(bars) + 30
    told = "; ".join(f"{bar.label}: {bar.to_rpmbuild:.2f} s, {bar.to_end:.2f} s" for bar in bars)
    rows = [_row(bar, TOP + ROW * number, ROOM / longest, baseline) for number, bar in enumerate(bars)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{escape(title)}. {escape(told)}</title>",
            f"<style>{STYLE}</style>",
            f'<text class="title" x="0" y="18">{escape(title)}</text>',
            _key(0, "begin", "to the first rpmbuild process"),
            _key(220, "rest", "to the end of the task"),
            *rows,
            f'<text class="note" x="0" y="{height - 8}">{escape(note)}</text>',
            "</svg>\n",
        ]
    )


def _key(left: int, colour: str, text: str) -> str:
    return (
        f'<rect class="{colour}" x="{left}" y="30" width="12" height="12"/>'
        f'<text class="note" x="{left + 18}" y="41">{escape(text)}</text>'
    )


def _row(bar: Bar, top: int, scale: float, baseline: Bar) -> str:
    begin, end = bar.to_rpmbuild * scale, bar.to_end * scale
    ratio = "" if bar is baseline else f" ({bar.to_end / baseline.to_end:.2f})"
    figures = f"{bar.to_rpmbuild:.2f} s, {bar.to_end:.2f} s{ratio}"
    return (
        f'<text x="0" y="{top + 16}">{escape(bar.label)}</text>'
        f'<rect class="rest" x="{LABEL}" y="{top}" width="{end:.1f}" height="22"/>'
        f'<rect class="begin" x="{LABEL}" y="{top}" width="{begin:.1f}" height="22"/>'
        f'<text x="{LABEL + end + 8:.1f}" y="{top + 16}">{figures}</text>'
    )
