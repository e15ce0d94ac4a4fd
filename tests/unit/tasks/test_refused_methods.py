"""Methods that are refused by name, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from koji_adjutant.tasks.refused_methods import NO_HANDLER, REFUSED, TURNED_OFF, refusal_reason
from koji_adjutant.tasks.registry import handler_table


def test_none_of_them_has_a_handler() -> None:
    """A method is either run or refused."""
    assert set(handler_table()) & {*REFUSED, *TURNED_OFF} == set()


def test_a_setting_turns_some_on() -> None:
    """Those that a privileged container can do, and no other."""
    assert set(handler_table(privileged_images=True)) - set(handler_table()) == set(TURNED_OFF)
    assert all("privileged_images" in refusal_reason(method) for method in TURNED_OFF)


@pytest.mark.parametrize("method", ["image", "createImage", "createLiveCD", "appliance"])
def test_reason(method: str) -> None:
    """It says what is missing and what to do."""
    assert "not available" in refusal_reason(method)
    assert "kojid" in refusal_reason(method)


def test_unknown_method() -> None:
    """What kojid says."""
    assert refusal_reason("newMethod") == NO_HANDLER == "no handler for method"


def test_the_document_names_every_method() -> None:
    """docs/task-methods.md has each method that is run or refused."""
    text = (Path(__file__).parents[3] / "docs" / "task-methods.md").read_text()
    assert [method for method in (*handler_table(), *REFUSED, *TURNED_OFF) if f"`{method}`" not in text] == []
