"""i, f = exp(z_i), sigmoid(z_f);  o = sigmoid(z_o);  g = tanh(z_g);  C' = f C + i g;  N' = f N + i;  h' = o C' / N'

with z = x Wx + h Wh + b; Wx (D, 4H), Wh (H, 4H), b (4H,), gates in the order i, f, o, g. So that i may be large, the
state has c = C exp(-m) and n = N exp(-m) instead, with m' = max(log f + m, z_i). What m is changes h' by no more than
rounding, but it is part of the step, and so its gradient is.

Beck et al., "xLSTM: extended long short-term memory" (2024), section 2.2, with their z called g, and with one head.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs
import numpy as np
from attrs.validators import in_

from rnnkit.kinds import Array, DType, GatedCell, Mask, NoParams, Rng, State
from rnnkit.numerics import blocks, sigmoid
from rnnkit_zoo.numerics import log_sigmoid


@attrs.frozen
class SLSTMState(State):
    c: Array  # (N, H)
    n: Array  # (N, H), the normalizer
    m: Array  # (N, H), the stabilizer: logarithm of the scale of c and n


@attrs.frozen
class SLSTMCache:
    i: Array  # i and f relative to the new scale
    f: Array
    slope: Array  # of log f over z_f
    kept: Mask  # where the new scale follows from the old one, and not from i
    o: Array
    g: Array
    before: SLSTMState
    after: SLSTMState


@attrs.frozen
class SLSTM(GatedCell[NoParams, SLSTMState, SLSTMCache]):
    """LSTM with an exponential input gate, and its output normalized by all that the gates have let in.

    The exponential gate lets a later word outweigh all before it, so that the cell can revise what it has
    stored. Try it where an LSTM clings to what it saw first.

    Attributes:
        forget: f is the sigmoid of z_f, or its exponential.
        forget_bias: initial bias of the forget gate.
    """

    forget: Literal["sigmoid", "exp"] = attrs.field(
        default="sigmoid", validator=in_(("sigmoid", "exp"))
    )
    forget_bias: float = 0.0
    x_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g")
    h_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g")

    def bias(self, gate: str) -> float:
        return self.forget_bias if gate == "f" else 0.0

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> SLSTMState:
        zero = np.zeros_like(h0)
        # The scale of nothing: the first step takes that of i, and n is at least 1 from then on.
        return SLSTMState(h0, zero, zero, np.full_like(h0, -np.inf))

    def step(
        self, p: NoParams, zx: Array, zh: Array, s: SLSTMState
    ) -> tuple[SLSTMState, SLSTMCache]:
        zi, zf, zo, zg = blocks(np.add(zx, zh, out=zh), 4)
        o, g = sigmoid(zo), np.tanh(zg)
        bounded = self.forget == "sigmoid"
        log_f, slope = (log_sigmoid(zf), sigmoid(-zf)) if bounded else (zf, np.ones_like(zf))
        old = log_f + s.m  # log of the scale of f C
        kept = old.real > zi.real
        m = np.where(kept, old, zi)
        i, f = np.exp(zi - m), np.exp(old - m)
        c, n = f * s.c + i * g, f * s.n + i
        after = SLSTMState(o * c / n, c, n, m)
        return after, SLSTMCache(i, f, slope, kept, o, g, s, after)

    def step_back(
        self, p: NoParams, ds: SLSTMState, cache: SLSTMCache
    ) -> tuple[Array, Array, SLSTMState, NoParams]:
        k, s = cache, cache.after
        ratio = s.c / s.n
        dratio = ds.h * k.o / s.n
        dc, dn = ds.c + dratio, ds.n - dratio * ratio
        dm = ds.m - dc * s.c - dn * s.n
        dold = (dc * k.before.c + dn * k.before.n) * k.f + np.where(k.kept, dm, 0.0)
        di = (dc * k.g + dn) * k.i + np.where(k.kept, 0.0, dm)
        do = ds.h * ratio * k.o * (1.0 - k.o)
        dg = dc * k.i * (1.0 - k.g**2)
        dz = np.concatenate((di, dold * k.slope, do, dg), axis=-1)
        return dz, dz, SLSTMState(np.zeros_like(ds.h), dc * k.f, dn * k.f, dold), p
