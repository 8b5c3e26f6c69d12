"""Killed at random moments, everything goes on to the same bits; `python -m tests.many_kills` kills more often."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import many_kills

HEAVY = ("damaged", "fetch")
"""What a lighter test would find, too."""


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.heavy if kind in HEAVY else ())
        for kind in many_kills.KINDS
        if kind != "train"  # among the tests of training
    ],
)
def test_it_goes_on_after_a_kill(kind: str, tmp_path: Path) -> None:
    many_kills.KINDS[kind](tmp_path, 1, 5)
