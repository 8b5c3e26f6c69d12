"""Plain text as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, but for what stands between backticks, which is code."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(
        part if i % 2 else re.sub(r"([\\*_\[\]<>|])", r"\\\1", part) for i, part in enumerate(parts)
    )


def code(text: str) -> str:
    """Text as code in a cell of a table."""
    return f"`{text}`".replace("|", "\\|") if text else ""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def fenced(text: str, language: str, classes: str = "") -> str:
    """A block of code."""
    head = f"{{ .{language} .{classes} }}" if classes else language
    return f"```{head}\n{text.rstrip()}\n```"


def indented(text: str) -> str:
    """A block below the line of an admonition."""
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())
