"""docs/zoo.md says of each cell what its class says."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from rnnkit.kinds import RecurrentCell
from rnnkit.registry import entries_of, load

PAGE = Path(__file__).parents[3] / "docs" / "zoo.md"


@pytest.mark.parametrize("name", sorted(entry.name for entry in entries_of(RecurrentCell)))
def test_the_page_says_what_a_cell_is_and_when_to_try_it(name: str) -> None:
    what, when = (inspect.getdoc(load(RecurrentCell, name)) or "").split("\n\n")[:2]
    text = " ".join([*what.split(), *when.split()])
    assert "Try it" in text
    assert f"**{name}**: {text}\n" in PAGE.read_text(encoding="utf-8")
