"""Typical mistakes and right solutions of the assignment; `python -m tests.mistakes` goes through all of them."""

from __future__ import annotations

import pytest

from rnnkit.testing.functions.assignment import Assignment, read_assignment
from tests.mistakes.listed import MISTAKES
from tests.mistakes.running import outcome, said, written
from tests.mistakes.styles import SOLUTIONS, STYLES

ALL = [(name, number) for name, mistakes in MISTAKES.items() for number in range(len(mistakes))]
SHARE = [(name, number) for name, number in ALL if number % 8 == (20 if name == "lstm" else 1) % 8]


@pytest.fixture(scope="module")
def cs231n() -> Assignment:
    return read_assignment("cs231n")


def test_there_are_twenty_typical_mistakes_in_each_function() -> None:
    assert min(len(mistakes) for mistakes in MISTAKES.values()) >= 20
    assert len(SOLUTIONS) >= 20


@pytest.mark.parametrize(("name", "number"), SHARE)
def test_a_mistake_is_found_and_its_pattern_is_named(
    name: str, number: int, cs231n: Assignment
) -> None:
    came = outcome(name, number, cs231n)
    assert came.found
    assert came.named or not MISTAKES[name][number][2], came.text


@pytest.mark.heavy
@pytest.mark.parametrize("name", MISTAKES)
def test_all_mistakes_are_found_and_most_patterns_are_named(name: str, cs231n: Assignment) -> None:
    came = [outcome(name, number, cs231n) for number in range(len(MISTAKES[name]))]
    assert all(one.found for one in came)
    assert sum(one.named for one in came) >= 16


@pytest.mark.parametrize(("style", "name"), SOLUTIONS)
def test_a_right_solution_is_no_false_alarm(style: str, name: str, cs231n: Assignment) -> None:
    assert said(written(STYLES[style]), name, cs231n) == ""
