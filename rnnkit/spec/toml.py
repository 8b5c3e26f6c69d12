"""TOML parsed, with one error for all that a text can be: wrong, nested too deeply, or with endless numbers."""

from __future__ import annotations

import sys
import tomllib
from typing import Any, Final

DEEPEST: Final = 50
"""Tables and arrays in each other; what is deeper is no spec, and nothing that reads one needs to fear it."""


def parse(source: str) -> dict[str, Any]:
    """What a TOML document holds.

    Raises:
        tomllib.TOMLDecodeError: it is not valid, is nested deeper than `DEEPEST`, or has a number of thousands of digits.
    """
    try:
        tree = tomllib.loads(source)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError as e:
        raise _too_deep() from e
    except ValueError as e:  # Python converts no more digits than this
        raise tomllib.TOMLDecodeError(
            f"a number has more than {sys.get_int_max_str_digits():,} digits (at line 1)"
        ) from e
    level: list[object] = [tree]
    for _ in range(DEEPEST):
        level = [below for value in level for below in _inside(value)]
        if not level:
            return tree
    raise _too_deep()


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _too_deep() -> tomllib.TOMLDecodeError:
    return tomllib.TOMLDecodeError(
        f"more than {DEEPEST} tables or arrays are in each other (at line 1)"
    )
