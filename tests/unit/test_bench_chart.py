"""The chart of a benchmark is a drawing that a program can read."""

from xml.etree import ElementTree as ET

from tests.bench.chart import Bar, chart


def test_bars_are_as_long_as_the_figures():
    """Each bar is drawn to scale, whatever its label holds."""
    drawing = ET.fromstring(chart([Bar("<ours>", 1.0, 2.0), Bar("theirs & co", 4.0, 8.0)], "A title", "note"))
    name = "{http://www.w3.org/2000/svg}"
    widths = [float(bar.get("width")) for bar in drawing.findall(f"{name}rect") if bar.get("height") == "22"]
    assert widths[0] / widths[2] == widths[1] / widths[3] == 0.25
    texts = [text.text for text in drawing.findall(f"{name}text")]
    assert "<ours>" in texts
    assert "1.00 s, 2.00 s (0.25)" in texts
