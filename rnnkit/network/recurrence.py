"""Sequences over a cell: time, packing, states at both ends and their gradients, written once for all cells.

A recurrence holds one cell and its parameters. Inputs and outputs are packed (see `Packing`), so a cell only
ever sees live rows.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any, Final, Generic, Self, TypeVar

import attrs
import numpy as np

from rnnkit.errors import ShapeError
from rnnkit.kinds import (
    Array,
    DType,
    Ints,
    Params,
    RecurrentCell,
    State,
    map_arrays,
    named_arrays,
)
from rnnkit.network.packing import Packing
from rnnkit.network.shapes import cell_name, need, need_floating, need_like
from rnnkit.registry.blame import wrong_return
from rnnkit.registry.returned import array, like, pair

MISFIT: Final = (TypeError, ValueError, AttributeError)
"""What taking in something else than a cell must return raises: only then is it looked at, which takes time."""

BLOCK = 8
"""Rows that products are made of: 12 or 15 rows take up to half as long again as 16."""

P = TypeVar("P", bound=Params)
S = TypeVar("S", bound=State)
C = TypeVar("C")
Q = TypeVar("Q", bound=Params)
"""Parameters of a recurrence: the cell's own for a free-form cell, `GatedParams` around them else."""


@attrs.frozen
class Tape(Generic[S]):
    """What a recurrence keeps of its way forward.

    Attributes:
        x: the inputs as given, and `rows`, `context` and `packing` with them.
        start: the state before the first step, of the rows with a step at least, in packed order.
        caches: of each step.
    """

    x: Array
    start: S
    rows: Ints | None
    context: Array | None
    packing: Packing
    caches: list[Any]

    def kept(self) -> Self:
        """The same tape, to be gone back through again: what is kept of a step is freed behind it."""
        return attrs.evolve(self, caches=list(self.caches))

    def back(self) -> Iterator[Any]:
        """What is kept of each step, the last one first; it is no longer kept then."""
        while self.caches:
            yield self.caches.pop()


K = TypeVar("K", bound=Tape[Any])


@attrs.frozen
class FromH0(Generic[K]):
    """The tape of a way forward that began with h0."""

    h0: Array
    tape: K


class Recurrence(abc.ABC, Generic[Q, S, K]):
    """One recurrent layer: a cell and its parameters.

    There are two ways through a sequence. `forward` and `backward` begin with h0, as the image gives it in a
    network. `run` and `run_back` begin with a whole state, such as an LSTM's h and c, and give back the state at
    the end of each sequence, so that a long sequence can be read in parts.
    """

    @property
    @abc.abstractmethod
    def cell(self) -> RecurrentCell[Any, S, Any]:
        """The cell."""

    @property
    @abc.abstractmethod
    def params(self) -> Q:
        """The parameters, which optimizers change in place."""

    @property
    @abc.abstractmethod
    def in_features(self) -> int:
        """D, the width of an input."""

    @property
    @abc.abstractmethod
    def hidden(self) -> int:
        """H, the width of an output."""

    def forward(
        self,
        x: Array,
        h0: Array,
        packing: Packing,
        rows: Ints | None = None,
        context: Array | None = None,
    ) -> tuple[Array, FromH0[K]]:
        """Run over packed sequences from h0.

        Args:
            x: (M, D) packed inputs; or, with `rows`, (U, D) the distinct ones among them.
            h0: (n, H), or as wide as the cell wants it: what the states of the rows with a step at least
                start from, in packed order; `Packing.enter` makes it of (N, H).
            packing: of the inputs.
            rows: (M,) where each packed input stands in x, if x has the distinct ones only. Words come
                again and again, so projecting each word once saves work.
            context: (n, E), in packed order, what each sequence reads beside its inputs at every step; x is
                (.., D - E) then. The image of a caption is projected once, not with each of its words.

        Returns:
            (h, tape): the packed outputs (M, H), and what `backward` needs.

        Raises:
            ShapeError: arrays do not fit each other.
            RegistryError: the cell returned something else than it must.
        """
        self._check_inputs(x, packing, rows, context)
        n, width = len(packing.order), self.cell.start_width(self.hidden)
        if h0.shape != (n, width):
            raise ShapeError(
                f"h0 is {h0.shape}, and {n} of {packing.count} sequences have a step, in {self._sizes}: "
                f"{(n, width)}, which packing.enter makes of {(packing.count, width)}"
            )
        need_floating("h0", h0)
        states, tape = self._steps(x, self.start(h0), packing, rows, context)
        return _outputs(states, packing), FromH0(h0, tape)

    def backward(self, dh: Array, tape: FromH0[K]) -> tuple[Array, Array, Q]:
        """The gradients (dx shaped like x, dh0 shaped like h0, dparams) from dh (M, H).

        That of a context is in `some_back`.

        Raises:
            ShapeError: dh is not shaped like h.
        """
        dx, _, dh0, grads = self.some_back(dh, tape, params=True)
        assert grads is not None
        return dx, dh0, grads

    def some_back(
        self,
        dh: Array,
        tape: FromH0[K],
        *,
        params: bool,
        input: bool = True,
        again: bool = True,
    ) -> tuple[Array, Array | None, Array, Q | None]:
        """`backward` without the products of gradients that are not wanted; (dx, dcontext, dh0, dparams).

        Args:
            dh: as `backward` has it.
            tape: as `backward` has it.
            params: whether dparams is wanted; else it is None.
            input: whether dx and dcontext are; else they may mean nothing. Without a context the latter is None.
            again: whether the tape is to be gone back through another time; if not, it takes less memory.

        Raises:
            ShapeError: dh is not shaped like h.
        """
        self._check_outputs(dh, tape.tape.packing)
        kept = tape.tape.kept() if again else tape.tape
        dx, dcontext, ds, grads = self._steps_back(dh, kept, None, params, input)
        dh0 = array(
            self.cell,
            "start_back",
            self.cell.start_back(tape.h0, ds),
            tape.h0.shape,
            "dh0",
            dh.dtype,
        )
        return dx, dcontext, dh0, grads

    def run(
        self, x: Array, state: S, packing: Packing, rows: Ints | None = None
    ) -> tuple[Array, S, K]:
        """Run over packed sequences from a whole state.

        Args:
            x: (M, D) packed inputs, or with `rows` the distinct ones, as in `forward`.
            state: of all N sequences before their first step, in their own order; every slot is (N, ..). `start`
                makes one of h0 (N, H), and `attrs.evolve(state, c=c0)` puts another slot into it.
            packing: of the inputs.
            rows: as in `forward`.

        Returns:
            (h, final, tape): the packed outputs (M, H); the state of all N sequences after their last step, which
            of one of length 0 is the state before; and what `run_back` needs.

        Raises:
            ShapeError: arrays do not fit each other.
        """
        self._check_inputs(x, packing, rows, None)
        self._check_state("state", state, packing)
        states, tape = self._steps(x, map_arrays(packing.enter, state), packing, rows, None)
        last = len(packing.order) + packing.ends

        def at_end(before: Array, every: Array) -> Array:
            final = before.astype(every.dtype)
            final[packing.order] = every[last]
            return final

        return _outputs(states, packing), map_arrays(at_end, state, states), tape

    def run_back(self, dh: Array, tape: K, dfinal: S | None = None) -> tuple[Array, S, Q]:
        """The gradients of what `run` was given.

        Args:
            dh: (M, H), that of the packed outputs.
            tape: as `run` gave it.
            dfinal: that of the final state, beside what comes through dh; None for none.

        Returns:
            (dx, dstate, dparams): shaped like x, the state and the parameters.

        Raises:
            ShapeError: dh is not shaped like h, or dfinal not like the final state.
        """
        packing = tape.packing
        self._check_outputs(dh, packing)
        entered = None
        if dfinal is not None:
            self._check_state("dfinal", dfinal, packing)
            entered = map_arrays(packing.enter, dfinal)
        dx, _, ds, grads = self._steps_back(dh, tape.kept(), entered, True, True)
        assert grads is not None
        if dfinal is None:
            return dx, map_arrays(packing.leave, ds), grads

        def at_start(end: Array, d: Array) -> Array:
            start = end.astype(d.dtype)
            start[packing.order] = d
            return start

        return dx, map_arrays(at_start, dfinal, ds), grads

    @abc.abstractmethod
    def with_params(self, params: Q) -> Recurrence[Q, S, K]:
        """The same cell with other parameters, of the same shapes.

        Raises:
            ShapeError: of other shapes.
        """

    @abc.abstractmethod
    def project(self, x: Array) -> Array:
        """What `advance` takes for inputs x (n, D), or (n, D - E) beside a context: all that needs no state."""

    @abc.abstractmethod
    def project_context(self, context: Array) -> Array:
        """What `advance` takes for a context (n, E)."""

    @abc.abstractmethod
    def advance(self, projected: Array, s: S, context: Array | None = None) -> S:
        """One step of all rows, for decoding; a gated cell overwrites the projected inputs."""

    def start(self, h0: Array) -> S:
        """The state before the first step, from h0 (N, H), or as wide as the cell wants it."""
        made = self.cell.start(h0)
        if not isinstance(made, State):
            raise wrong_return(self.cell, "start", made, "a State")
        for name, a in named_arrays(made):
            n = (len(h0), self.hidden) if name == "h" else (len(h0), *np.shape(a)[1:])
            array(self.cell, "start", a, n, name, h0.dtype)
        return made

    @abc.abstractmethod
    def _steps(
        self, x: Array, start: S, packing: Packing, rows: Ints | None, context: Array | None
    ) -> tuple[S, K]:
        """Every state: the rows of `start`, then those of each step, then room to spare; and the tape."""

    @abc.abstractmethod
    def _steps_back(
        self, dh: Array, tape: K, dfinal: S | None, params: bool, input: bool
    ) -> tuple[Array, Array | None, S, Q | None]:
        """The gradients (dx, dcontext, that of the tape's start, dparams), from dh and from that of the final state,
        whose rows are those of the start; the last only with `params`, and the first two may mean nothing without
        `input`."""

    @property
    def _sizes(self) -> str:
        """The cell and its sizes, for messages."""
        return f"{cell_name(self.cell)} with D = {self.in_features} and H = {self.hidden}"

    def _check_inputs(
        self, x: Array, packing: Packing, rows: Ints | None, context: Array | None
    ) -> None:
        steps, count, width = len(packing.rows), len(x), self.in_features
        need_floating("x", x)
        beside = ""
        if context is not None:
            need_floating("context", context)
            if (
                context.ndim != 2
                or not len(context) == len(packing.order)
                or context.shape[1] > width
            ):
                raise ShapeError(
                    f"context is {context.shape}, and {len(packing.order)} of {packing.count} sequences have a "
                    f"step, in {self._sizes}: ({len(packing.order)}, at most {width})"
                )
            width -= context.shape[1]
            beside = f", and the context has {context.shape[1]} of D"
        if x.ndim != 2 or x.shape[1] != width:
            raise ShapeError(f"x is {x.shape}, and goes into {self._sizes}{beside}: (.., {width})")
        if rows is None:
            need("x", x, (steps, width), f"the packing has {steps} steps in all")
        elif rows.shape != (steps,):
            raise ShapeError(
                f"rows is {rows.shape}, and the packing has {steps} steps in all: {(steps,)}"
            )
        elif steps and not 0 <= rows.min() <= rows.max() < count:
            raise ShapeError(f"rows goes from {rows.min()} to {rows.max()}, and x has {count} rows")

    def _check_outputs(self, dh: Array, packing: Packing) -> None:
        need("dh", dh, (len(packing.rows), self.hidden), "is shaped like h")

    def _check_state(self, name: str, state: S, packing: Packing) -> None:
        width = self.cell.start_width(self.hidden)
        wanted = self.cell.start(np.ones((packing.count, width)))
        need_like(
            name, state, wanted, lambda: f"there are {packing.count} sequences, in {self._sizes}"
        )


def _outputs(states: State, packing: Packing) -> Array:
    n = len(packing.order)
    return states.h[n : n + len(packing.rows)]


def every_state(start: S, packing: Packing, dtype: DType) -> S:
    """Room for every slot at every step (n + M, ..) and some more, the initial rows first, filled."""

    def room(a: Array) -> Array:
        rows = len(a) + len(packing.rows) + BLOCK
        made: Array = np.empty((rows, *a.shape[1:]), np.result_type(a, dtype))
        made[: len(a)] = a
        return made

    return map_arrays(room, start)


def state_gradients(start: S, dfinal: S | None) -> tuple[S, S]:
    """Two states: a step back reads its gradient from one and writes the next to the other.

    Rows are written only from their sequence's last step on, so in both they are as they were made when they
    join: the gradient of the final state, or zero.
    """

    def made() -> S:
        zeros = map_arrays(np.zeros_like, start)
        return zeros if dfinal is None else map_arrays(write, zeros, dfinal)

    return made(), made()


def stepped(cell: RecurrentCell[Any, S, Any], made: Any, before: S) -> tuple[S, Any]:
    """What a step from a state returned, if that is a state like it, and a cache.

    Raises:
        RegistryError: it is not.
    """
    new, cache = pair(cell, "step", made, "(s_next, cache)")
    return like(cell, "step", new, before, "s_next"), cache


def rows_of(s: S, rows: slice) -> S:
    """Views of some rows of every slot."""
    return map_arrays(lambda a: a[rows], s)


def write(out: Array, a: Array) -> Array:
    """Copy a into out, which has its shape, and is complex if it is; if not, that is one of MISFIT."""
    out[...] = need_fit(a, out.shape, out.dtype)
    return out


def need_fit(a: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    """An array of this shape, of real numbers if the type is; if it is not, that is one of MISFIT."""
    if a.shape != shape or (a.dtype.kind == "c" and dtype.kind != "c"):
        raise ValueError(f"{a.dtype} {a.shape} does not fit {dtype} {shape}")
    return a


def need_fit_to(a: Array, wanted: Array) -> Array:
    """The same, of the shape and the type of another one."""
    return need_fit(a, wanted.shape, wanted.dtype)
