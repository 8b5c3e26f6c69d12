"""What a network remembers while it writes captions: its states, the image, and the words met so far."""

from __future__ import annotations

import threading
from collections.abc import Callable

import attrs
import numpy as np

from rnnkit.kinds import Array, Ints, Memory, State, map_arrays


class Lexicon:
    """What each token brings to the first recurrent layer, computed when it first comes up.

    It holds for the parameters of the moment. Threads may share one.
    """

    def __init__(self, project: Callable[[Ints], Array], tokens: int) -> None:
        self._project = project
        self._place = np.full(tokens, -1)
        self._table: Array = np.empty((0, 0))
        self._count = 0
        self._lock = threading.Lock()

    def rows(self, tokens: Ints) -> Array:
        """A new array (n, ..), a row for each token."""
        place = self._place[tokens]
        if (place < 0).any():
            with self._lock:
                self._add(np.unique(tokens[self._place[tokens] < 0]))
            place = self._place[tokens]
        rows: Array = self._table[place]
        return rows

    def _add(self, new: Ints) -> None:
        rows, count = self._project(new), self._count + len(new)
        if count > len(self._table):
            table = np.empty((min(2 * count, len(self._place)), rows.shape[1]), rows.dtype)
            if self._count:
                table[: self._count] = self._table[: self._count]
            self._table = table
        self._table[self._count : count] = rows
        self._place[new] = np.arange(self._count, count)
        self._count = count


@attrs.frozen(eq=False)
class Remembered(Memory):
    """The state of every recurrent layer, bottom to top; v, of each row's image; and the words met so far."""

    states: tuple[State, ...]
    image: Array
    lexicon: Lexicon

    def __len__(self) -> int:
        return len(self.states[0].h)

    def take(self, rows: Ints) -> Remembered:
        states = tuple(map_arrays(lambda a: a[rows], s) for s in self.states)
        return Remembered(states, self.image[rows], self.lexicon)
