"""Where texts are printed with style: a terminal, a notebook, or a file that is neither.

Texts are printed as they are: nothing in a name, a word or a path means anything to the terminal or to rich.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.text import Text

from rnnkit.system.terminal import are_alone, results, results_alone, say, shown

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

REMIND_SECONDS: Final = 30.0
"""How often long work says how far it is, where no bar can."""

_WIDE: Final = 200
"""Columns where there is no terminal, and so no width to keep to."""


class Plain(Console):
    """Shows texts, and obeys nothing in them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(shown(text, self.encoding), **options)


def is_live(to: Console) -> bool:
    """Whether somebody looks on: at a terminal, or at a notebook."""
    return to.is_terminal or to.is_jupyter


def shows_bars(to: Console) -> bool:
    """Whether a bar can move: in a notebook, only with ipywidgets."""
    widgets = to.is_jupyter and importlib.util.find_spec("ipywidgets") is not None
    return to.is_terminal or widgets


def console(plain: bool = False, *, stderr: bool = False) -> Console:
    """Standard output, or standard error.

    Where it is no terminal and no notebook, or is to be used as none, it is wide enough for every table.
    """
    file = results() if are_alone() and not stderr else None  # a notebook's own has no file
    found = Plain(stderr=stderr, file=file)
    if is_live(found) and not plain:
        return found
    return Plain(stderr=stderr, file=file, width=_WIDE, soft_wrap=True, force_terminal=False)


def still_alone() -> AbstractContextManager[None]:
    """Where rich shows something that moves, it takes standard output for itself; results stay alone in this."""
    return results_alone() if are_alone() else nullcontext()


@contextmanager
def reminding(far: Callable[[], str], *, wanted: bool = True) -> Iterator[None]:
    """Say how far the work in the block is, on standard error, every now and then."""
    if not wanted:
        yield
        return
    ended = threading.Event()

    def remind() -> None:
        while not ended.wait(REMIND_SECONDS):
            if text := far():
                say(text, err=True)

    thread = threading.Thread(target=remind, name="reminder", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def bar(
    *columns: ProgressColumn,
    to: Console,
    far: Callable[[], str],
    barred: bool = True,
    wanted: bool = True,
) -> Iterator[Progress]:
    """Show how far the work in the block is: by a bar where one can move, elsewhere by a line now and then.

    Args:
        columns: of the bar; rich's own if there are none.
        to: where the bar is; the lines are on standard error.
        far: what a line says; empty for none.
        barred: whether there may be a bar.
        wanted: whether to show anything.
    """
    from rich.progress import Progress

    moves = wanted and barred and shows_bars(to)
    with (
        Progress(*columns, console=to, disable=not moves, transient=True) as progress,
        still_alone(),
        reminding(far, wanted=wanted and not moves),
    ):
        yield progress
