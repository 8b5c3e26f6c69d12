"""How a run's work is cut for threads: as when it began, so that going on changes no bit of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rnnkit.system.process import cut_into, threads
from rnnkit.training.place import Place


@contextmanager
def cut_as_begun(place: Place, ranks: int, tell: Callable[[str], None]) -> Iterator[None]:
    """Cut work in the block as the run does from its beginning, unless the user wants it cut for more threads now.

    With another number of ranks the bits are others in any case, and each has other cores to itself: work is cut for these.

    Args:
        place: where the run goes on from.
        ranks: that do.
        tell: called with a sentence where that changes, or leaves threads idle.
    """
    mine = threads()
    begun = place.cuts if place.ranks in (0, ranks) else 0
    count = begun or mine.cuts
    if count < mine.cuts:
        if mine.asked:
            tell(
                f"the run began with products cut for {_threads(count)}, and goes on with {mine.cuts}, as you have set: "
                "from here on, last digits differ from those of a run without a break"
            )
            count = mine.cuts
        else:
            tell(
                f"the run goes on with {_threads(count)}, as it began; OMP_NUM_THREADS={mine.cuts} lets it take "
                f"{mine.cuts}, with other last digits"
            )
    with cut_into(count):
        yield


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"
