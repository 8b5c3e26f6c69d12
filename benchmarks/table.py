"""Tables: line by line on the terminal, and in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def line(cells: Sequence[str], headings: Sequence[str], label_width: int) -> str:
    """One line for the terminal: the first column to the left, the others to the right, as wide as their
    headings at least."""
    first, *rest = cells
    padded = [c.rjust(max(len(h), 7)) for c, h in zip(rest, headings[1:], strict=True)]
    return "  ".join([first.ljust(max(label_width, len(headings[0]))), *padded]).rstrip()


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column to the left, the others to the right."""
    lines = [list(headings), *(list(row) for row in rows)]
    widths = [max(4, *(len(cells[i]) for cells in lines)) for i in range(len(headings))]
    text = [
        [cells[0].ljust(widths[0])]
        + [c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True)]
        for cells in lines
    ]
    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (text[0], rule, *text[1:]))


def number(value: float | None) -> str:
    """Three digits that count; a dash for what was not measured."""
    if value is None:
        return "-"
    return (
        f"{value:.0f}"
        if abs(value) >= 100
        else f"{value:.3g}"
        if abs(value) >= 10
        else f"{value:.2f}"
    )


def numbers(values: Mapping[str, float], names: Iterable[str]) -> list[str]:
    """The values of these names, in this order."""
    return [number(values.get(name)) for name in names]
