"""How things look in a terminal."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from rich.console import Console
from rich.table import Table


def console(plain: bool = False) -> Console:
    """Standard output; wide enough not to cut tables when it is no terminal, or is to be used as none."""
    found = Console(highlight=False)
    if found.is_terminal and not plain:
        return found
    return Console(highlight=False, width=200, soft_wrap=True, force_terminal=False)


def table(
    columns: Iterable[str], rows: Iterable[Iterable[str]], folding: Collection[str] = ()
) -> Table:
    """A plain table; a column whose title begins with > is aligned right.

    In a narrow terminal the texts of the columns `folding` go on in the next line; nothing is cut off.
    """
    made = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for title in columns:
        made.add_column(
            title.lstrip(">"),
            justify="right" if title.startswith(">") else "left",
            no_wrap=title not in folding,
            min_width=8 if title in folding else None,
            overflow="fold",
        )
    for row in rows:
        made.add_row(*row)
    return made


def print_json(value: object) -> None:
    """JSON on standard output, untouched by terminal width."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def count(n: int) -> str:
    """12,345."""
    return f"{n:,}"


def size(n: float) -> str:
    """Bytes in the unit that leaves three digits: 4.52 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000 or unit == "GB":
            return f"{n:.0f} B" if unit == "B" else f"{n:.3g} {unit}"
        n /= 1000
    raise AssertionError
