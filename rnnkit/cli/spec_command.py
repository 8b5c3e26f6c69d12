"""The class of commands that read a spec: an option that is a key of specs points to `--set`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer.core


class SpecCommand(typer.core.TyperCommand):
    """A command with `--set`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments, taken apart by typer.

        Raises:
            typer's own error for an option that there is not, with what to write instead if that is known.
        """
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as e:  # of a class that typer has no public name for
            option: object = getattr(e, "option_name", None)
            if isinstance(option, str) and hasattr(e, "message"):
                e.message += _pointer(option, given)
            raise


def _pointer(option: str, given: Sequence[str]) -> str:
    """Where a spec has what somebody gives as an option; empty if nowhere."""
    from rnnkit.spec.keys import places_of, said_otherwise

    word = option.lstrip("-")
    places = places_of(word)
    if not places:
        otherwise = said_otherwise(word)
        return f"; {otherwise}" if otherwise else ""
    value = _value(option, given)
    choices = [_set(place, value) for place in places]
    return f"; it is a key of the spec: write {' or '.join(choices)}"


def _value(option: str, given: Sequence[str]) -> str:
    """What stands behind an option."""
    for text, behind in zip(given, [*given[1:], ""], strict=True):
        name, equals, value = text.partition("=")
        if name == option:
            return value if equals else "" if behind.startswith("--") else behind
    return ""


def _set(place: str, value: str) -> str:
    import shlex

    return f"--set {shlex.quote(f'{place}={value}') if value else f'{place}=VALUE'}"
