"""How things look in a terminal, and without one. Whatever is printed goes through here.

Texts are printed as they are: nothing in a name, a word or a path means anything to the terminal or to rich.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnnkit.system.console import Plain as Plain
from rnnkit.system.console import bar as bar
from rnnkit.system.console import console as console
from rnnkit.system.console import reminding as reminding
from rnnkit.system.console import still_alone
from rnnkit.system.json_text import json_text
from rnnkit.system.terminal import results, shown
from rnnkit.system.terminal import warn as warn

_FOLDED: Final = 16
"""The columns that texts which may go on in the next line are given before other columns are left out."""


@attrs.frozen
class Cell:
    """A text with a style."""

    text: str
    style: str


def print_table(
    to: Console,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Cell]],
    folding: Collection[str] = (),
    spare: Sequence[str] = (),
    total: Sequence[str] = (),
) -> None:
    """Print a plain table. No digit is cut off, however narrow the terminal is.

    Args:
        to: where.
        columns: their titles; one that begins with > is aligned right.
        rows: of one cell for each column.
        folding: titles of columns whose texts may go on in the next line.
        spare: titles of columns that are left out, the first ones first, as far as there is no room; a line
            below says which.
        total: a last row.
    """
    titles = [title.lstrip(">") for title in columns]
    cells = [[_text(cell, to) for cell in row] for row in rows]
    last = [_text(cell, to) for cell in total]
    longest = [
        max(
            cell_len(line)
            for row in [titles, *_plain([*cells, *filter(None, [last])])]
            for line in row[k].splitlines() or [""]
        )
        for k in range(len(titles))
    ]
    needed = {
        title: min(width, _FOLDED) if title in folding else width
        for title, width in zip(titles, longest, strict=True)
    }
    dropped: list[str] = []
    for title in spare:
        if _across(needed) <= to.width:
            break
        if title in needed:
            del needed[title]
            dropped.append(title)
    fits = _across(needed) <= to.width
    made = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column, title in zip(columns, titles, strict=True):
        if title in needed:
            made.add_column(
                title,
                justify="right" if column.startswith(">") else "left",
                no_wrap=fits and title not in folding,
                min_width=needed[title] if fits else None,
                overflow="fold",
            )
    kept = [k for k, title in enumerate(titles) if title in needed]
    for row in cells:
        made.add_row(*(row[k] for k in kept))
    if last:
        made.add_section()
        made.add_row(*(last[k] for k in kept), style="bold")
    to.print(made)
    if dropped:
        to.print(f"(no room for {', '.join(dropped)}; a wider terminal shows them)", style="dim")


def _text(cell: str | Cell, to: Console) -> Text:
    text, style = (cell, "") if isinstance(cell, str) else (cell.text, cell.style)
    return to.render_str(text, style=style)


def _plain(rows: Iterable[Sequence[Text]]) -> Iterator[list[str]]:
    for row in rows:
        yield [cell.plain for cell in row]


def _across(needed: dict[str, int]) -> int:
    """The columns that a table takes, with one between two of its own."""
    return sum(needed.values()) + len(needed) - 1


@contextmanager
def working(text: str, *, wanted: bool = True, plain: bool = False) -> Iterator[None]:
    """Show that the work in the block goes on, on standard error: a spinner, or a line now and then."""
    began = time.monotonic()
    to = console(plain, stderr=True)

    def far() -> str:
        return f"{text}: {time.monotonic() - began:,.0f} s"

    if wanted and to.is_terminal:
        with to.status(Text(shown(text, to.encoding))), still_alone():
            yield
    else:
        with reminding(far, wanted=wanted):
            yield


def print_json(value: object) -> None:
    """JSON on standard output, untouched by terminal width; in ASCII, which any encoding leaves as it is."""
    print(json_text(value, indent=2), file=results())


def count(n: int | None) -> str:
    """12,345; a dash for what is not known."""
    return "-" if n is None else f"{n:,}"
