"""What an object is, in a few lines: at a prompt as text, in a notebook as a table."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from html import escape
from typing import TypeAlias

from rnnkit.system.terminal import shown

Glance: TypeAlias = "tuple[str, Sequence[tuple[str, str]]]"
"""A title, and rows of a name with what there is to say of it."""


class AtAGlance(abc.ABC):
    """Shows itself in a few lines, whatever arrays it holds. An attrs class of this kind has `repr=False`."""

    __slots__ = ()

    @abc.abstractmethod
    def _glance(self) -> Glance:
        """What it shows."""

    def __repr__(self) -> str:
        title, rows = self._glance()
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join([shown(title), *(shown(f"  {n:{width}}  {text}") for n, text in rows)])

    def _repr_html_(self) -> str:
        title, rows = self._glance()
        table = "".join(
            f'<tr><th style="text-align: left">{_html(name)}</th>'
            f'<td style="text-align: left">{_html(text)}</td></tr>'
            for name, text in rows
        )
        return f"<b>{_html(title)}</b>" + (f"<table>{table}</table>" if rows else "")


def _html(text: str) -> str:
    return escape(shown(text))
