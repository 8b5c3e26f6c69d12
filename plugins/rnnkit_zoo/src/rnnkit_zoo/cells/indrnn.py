"""h' = relu(x Wx + b + u h); Wx (D, H), b (H,), u (H,); there is no Wh.

Li, Li, Cook, Zhu & Gao, "Independently recurrent neural network (IndRNN): building a longer and deeper RNN" (2018),
section 3.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np
from attrs.validators import ge

from rnnkit.kinds import Array, DType, GatedCell, Params, Rng, State


@attrs.frozen
class IndRNNParams(Params):
    u: Array  # (H,)


@attrs.frozen
class IndRNNCache:
    h: Array
    h_prev: Array


@attrs.frozen
class IndRNN(GatedCell[IndRNNParams, State, IndRNNCache]):
    """Plain recurrent network whose units see only themselves in time; units meet in the layer above.

    Each unit has one recurrent weight, on itself, so the bounds of that weight alone decide how long it
    remembers. Try it in deep stacks, where the layers above do the mixing, and for long sequences.

    Attributes:
        largest: u begins uniform between 0 and this. While |u| is at most 2^(1/T), T steps at most double a
            gradient; the paper holds u there by clipping it after each update, and here nothing does.
    """

    largest: float = attrs.field(default=1.0, validator=ge(0.0))
    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ()

    def init(self, hidden: int, rng: Rng, dtype: DType) -> IndRNNParams:
        return IndRNNParams(u=rng.uniform(0.0, self.largest, hidden).astype(dtype))

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: IndRNNParams, zx: Array, zh: Array, s: State) -> tuple[State, IndRNNCache]:
        z = zx + p.u * s.h
        h = np.where(z.real <= 0, 0.0, z)
        return State(h), IndRNNCache(h, s.h)

    def step_back(
        self, p: IndRNNParams, ds: State, cache: IndRNNCache
    ) -> tuple[Array, Array, State, IndRNNParams]:
        dz = np.where(cache.h <= 0, 0.0, ds.h)
        dp = IndRNNParams(u=(dz * cache.h_prev).sum(axis=0))
        return dz, np.empty((len(dz), 0), dz.dtype), State(dz * p.u), dp
