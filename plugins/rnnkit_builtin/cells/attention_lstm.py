"""w = softmax(h A / sqrt(H)), r = A w;  then a step of an LSTM with z = x Wx + h Wh + r Wr + b.

A (N, H, L) is what the image gives: a vector for each of its L regions, the same at every step; h0 and c0 are
their mean. w (N, L), r (N, H), Wr (H, 4H), the rest as in `lstm`.

Xu et al., "Show, attend and tell" (2015), section 3.1.2, with the scaled dot product of Vaswani et al., "Attention
is all you need" (2017), section 3.2.1, for the score, as in CS231n's and EECS 498's assignments.
"""

from __future__ import annotations

import math
from typing import ClassVar

import attrs
import numpy as np
from attrs.validators import ge

from rnnkit.kinds import Array, DType, GatedCell, Initializer, NoParams, Params, Rng
from rnnkit_builtin.cells.lstm import LSTM, LSTMCache, LSTMState
from rnnkit_builtin.initializers.normal import Normal


@attrs.frozen
class AttentionParams(Params):
    Wr: Array  # (H, 4H)


@attrs.frozen
class AttentionState(LSTMState):
    A: Array  # (N, H, L)


@attrs.frozen
class AttentionCache:
    w: Array
    r: Array
    h: Array
    A: Array
    lstm: LSTMCache


@attrs.frozen
class AttentionLSTM(GatedCell[AttentionParams, AttentionState, AttentionCache]):
    """LSTM that looks at the regions of the image at each step.

    It weighs the regions anew before every word, so that a word can come from its own place in the image.
    Try it when your features are a map of regions rather than one vector, and to see where the network
    looks.

    The image chain must end in width H L, region by region for each of the H features: `regions` makes that of
    a feature map.

    Attributes:
        regions: L.
        region_weights: initial blocks (H, H) of Wr, gate by gate.
    """

    regions: int = attrs.field(default=16, validator=ge(1))
    region_weights: Initializer = Normal()
    x_gates: ClassVar[tuple[str, ...]] = LSTM.x_gates
    h_gates: ClassVar[tuple[str, ...]] = LSTM.h_gates

    def init(self, hidden: int, rng: Rng, dtype: DType) -> AttentionParams:
        H, fill = hidden, self.region_weights.fill
        return AttentionParams(np.hstack([fill((H, H), H, H, rng, dtype) for _ in self.x_gates]))

    def start_width(self, hidden: int) -> int:
        return hidden * self.regions

    def map_regions(self) -> int:
        return self.regions

    def attention(self, s: AttentionState) -> Array:
        return attend(s.h, s.A)[0]

    def start(self, h0: Array) -> AttentionState:
        A = h0.reshape(len(h0), -1, self.regions)
        mean = A.mean(axis=2)
        return AttentionState(mean, mean, A)

    def start_back(self, h0: Array, ds: AttentionState) -> Array:
        dA = ds.A + (ds.h + ds.c)[:, :, None] / self.regions
        return dA.reshape(h0.shape)

    def step(
        self, p: AttentionParams, zx: Array, zh: Array, s: AttentionState
    ) -> tuple[AttentionState, AttentionCache]:
        w, r = attend(s.h, s.A)
        zh += r @ p.Wr
        after, cache = LSTM().step(NoParams(), zx, zh, LSTMState(s.h, s.c))
        return AttentionState(after.h, after.c, s.A), AttentionCache(w, r, s.h, s.A, cache)

    def step_back(
        self, p: AttentionParams, ds: AttentionState, cache: AttentionCache
    ) -> tuple[Array, Array, AttentionState, AttentionParams]:
        k = cache
        dz, _, before, _ = LSTM().step_back(NoParams(), LSTMState(ds.h, ds.c), k.lstm)
        dh, dA = attend_back(dz @ p.Wr.T, k.h, k.A, k.w)
        return dz, dz, AttentionState(dh, before.c, ds.A + dA), AttentionParams(k.r.T @ dz)


def attend(h: Array, A: Array) -> tuple[Array, Array]:
    """The weights w (N, L) that h (N, H) gives to the regions A (N, H, L), and their weighted mean r (N, H)."""
    scores = (h[:, None, :] @ A)[:, 0] / math.sqrt(A.shape[1])
    e = np.exp(scores - scores.real.max(axis=1, keepdims=True))
    w = e / e.sum(axis=1, keepdims=True)
    return w, (A @ w[:, :, None])[:, :, 0]


def attend_back(dr: Array, h: Array, A: Array, w: Array) -> tuple[Array, Array]:
    """The gradients (dh, dA) from that of r."""
    dw = (dr[:, None, :] @ A)[:, 0]
    dscores = w * (dw - (w * dw).sum(axis=1, keepdims=True)) / math.sqrt(A.shape[1])
    dA = dr[:, :, None] * w[:, None, :] + h[:, :, None] * dscores[:, None, :]
    return (A @ dscores[:, :, None])[:, :, 0], dA
