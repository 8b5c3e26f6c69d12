"""Sequences of different lengths, packed: rows sorted by length, step after step, without padding."""

from __future__ import annotations

import attrs
import numpy as np

from rnnkit.errors import ShapeError
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
        """The packing of sequences with these lengths (N,).

        Raises:
            ShapeError: they are not one whole number for each, 0 or more.
        """
        if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or lengths.min(initial=0) < 0:
            raise ShapeError(
                f"lengths are {lengths.dtype} {lengths.shape} from {lengths.min(initial=0)}, and they are "
                "whole numbers (N,), 0 or more"
            )
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
    def ends(self) -> Ints:
        """(n,) where the last token of each row is in the packed array, rows in sorted order."""
        last = np.zeros(self.count, int)
        last[self.rows] = np.arange(len(self.rows))  # of a row that comes again, the last one stays
        return last[self.order]

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
        """Initial rows (N, ...) in sorted order, those of length 0 left out.

        Raises:
            ShapeError: there are not N rows.
        """
        self._check("h0", h0, self.count, "sequences")
        return h0[self.order]

    def leave(self, dh0: Array) -> Array:
        """The transpose of `enter`: (n, ...) back to (N, ...), zero for rows of length 0.

        Raises:
            ShapeError: there are not n rows.
        """
        self._check("dh0", dh0, len(self.order), "sequences with a step")
        out = np.zeros((self.count, *dh0.shape[1:]), dh0.dtype)
        out[self.order] = dh0
        return out

    def sum_steps(self, packed: Array) -> Array:
        """(M, ...) -> (n, ...): the sum over the steps of each sequence that has one, in sorted order."""
        out = np.zeros((len(self.order), *packed.shape[1:]), packed.dtype)
        for begin, end in self.spans:
            out[: end - begin] += packed[begin:end]
        return out

    def pack(self, padded: Array) -> Array:
        """(N, T, ...) -> (M, ...): the tokens of each row up to its length; what is beyond does not matter.

        Raises:
            ShapeError: there are not N rows, or fewer steps than the longest sequence has.
        """
        self._check("padded", padded, self.count, "sequences")
        self._check_steps(padded.shape[1] if padded.ndim > 1 else 0)
        return padded[self.rows, self.steps]

    def unpack(self, packed: Array, length: int) -> Array:
        """The transpose of `pack`: (M, ...) -> (N, length, ...), zero beyond each row's end.

        Raises:
            ShapeError: there are not M tokens, or the longest sequence is longer.
        """
        self._check("packed", packed, len(self.rows), "steps in all")
        self._check_steps(length)
        out = np.zeros((self.count, length, *packed.shape[1:]), packed.dtype)
        out[self.rows, self.steps] = packed
        return out

    def _check(self, name: str, a: Array, count: int, what: str) -> None:
        if a.shape[:1] != (count,):
            raise ShapeError(
                f"{name} is {a.shape}, and the packing has {count} {what}: ({count}, ..)"
            )

    def _check_steps(self, length: int) -> None:
        if length < len(self.sizes):
            raise ShapeError(
                f"there is room for {length} steps, and the longest sequence has {len(self.sizes)}"
            )
