"""Sequences of different lengths, packed: rows sorted by length, step after step, without padding."""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.kinds import Array, Ints, Mask


@attrs.frozen
class Packing:
    """The order of the tokens of N sequences in a packed array (M, ...), M the sum of their lengths.

    Rows are sorted by length, longest first. The packed array has step 0 of every row, then step 1 of the
    rows that are still alive, and so on: the live rows at any step are the first ones.

    Attributes:
        order: (n,) the rows in sorted order, those of length 0 left out.
        sizes: number of live rows at each step, never growing.
        rows: (M,) the row of each packed token.
        steps: (M,) its step.
        count: N, with the rows of length 0.
    """

    order: Ints
    sizes: tuple[int, ...]
    rows: Ints
    steps: Ints
    count: int

    @staticmethod
    def of_lengths(lengths: Ints) -> Packing:
        """The packing of sequences with these lengths (N,)."""
        order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
        live = lengths[order] > np.arange(lengths.max(initial=0))[:, None]
        steps, ranks = np.nonzero(live)
        sizes = tuple(int(n) for n in live.sum(axis=1))
        return Packing(order, sizes, order[ranks], steps, len(lengths))

    @staticmethod
    def of_mask(mask: Mask) -> Packing:
        """The packing of (N, T) whose rows end at their last True; holes before it are stepped through."""
        reversed_end = np.argmax(mask[:, ::-1], axis=1)
        return Packing.of_lengths(np.where(mask.any(axis=1), mask.shape[1] - reversed_end, 0))

    def led(self) -> Packing:
        """The packing of the same sequences with one step more before their first.

        Its packed arrays are (n + M, ..): the leading step of each row, then what was there before.
        """
        return Packing(
            self.order,
            (len(self.order), *self.sizes) if self.sizes else (),
            np.concatenate([self.order, self.rows]),
            np.concatenate([np.zeros_like(self.order), self.steps + 1]),
            self.count,
        )

    @property
    def spans(self) -> list[tuple[int, int]]:
        """(begin, end) of each step in the packed array."""
        ends = np.cumsum(self.sizes).tolist()
        return [(end - n, end) for end, n in zip(ends, self.sizes, strict=True)]

    @property
    def befores(self) -> list[int]:
        """Where each step finds its rows one step earlier, in an array with step 0's initial rows first."""
        return [0, *(self.sizes[0] + begin for begin, _ in self.spans[:-1])][: len(self.sizes)]

    @property
    def previous(self) -> Ints | slice:
        """The same for each packed token."""
        if not self.sizes or self.sizes[-1] == self.sizes[0]:
            return slice(0, len(self.rows))
        return np.concatenate(
            [np.arange(b, b + n) for b, n in zip(self.befores, self.sizes, strict=True)]
        )

    def enter(self, h0: Array) -> Array:
        """Initial rows (N, ...) in sorted order, those of length 0 left out."""
        return h0[self.order]

    def leave(self, dh0: Array) -> Array:
        """The transpose of `enter`: (n, ...) back to (N, ...), zero for rows of length 0."""
        out = np.zeros((self.count, *dh0.shape[1:]), dh0.dtype)
        out[self.order] = dh0
        return out

    def unpack(self, packed: Array, length: int) -> Array:
        """(M, ...) -> (N, length, ...), zero beyond each row's end."""
        out = np.zeros((self.count, length, *packed.shape[1:]), packed.dtype)
        out[self.rows, self.steps] = packed
        return out
