"""The attention LSTM of the later assignments (CS231n, EECS 498): an LSTM that looks at a feature map at each step.

The image is A (N, H, K, K), a vector of width H in each region of a K x K grid; gates in the order i, f, o, g.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs
import numpy as np

from rnnkit.kinds import Array, NoParams
from rnnkit.network import FromH0, GatedParams, GatedRecurrence, GatedTape, Packing
from rnnkit_builtin.cells.attention_lstm import (
    AttentionCache,
    AttentionLSTM,
    AttentionParams,
    AttentionState,
    attend,
)
from rnnkit_builtin.cells.lstm import LSTM, LSTMCache, LSTMState

__all__ = [
    "attention_backward",
    "attention_forward",
    "attention_step_backward",
    "attention_step_forward",
    "dot_product_attention",
]

Recurrence: TypeAlias = GatedRecurrence[AttentionParams, AttentionState, AttentionCache]


@attrs.frozen
class AttentionStepCache:
    """What the way back of one step needs."""

    x: Array
    prev_h: Array
    attn: Array
    Wx: Array
    Wh: Array
    Wattn: Array
    saved: LSTMCache


@attrs.frozen
class AttentionSequenceCache:
    """What the way back of a sequence needs."""

    rnn: Recurrence
    packing: Packing
    tape: FromH0[GatedTape[AttentionState, AttentionCache]]
    image: tuple[int, ...]
    length: int


def dot_product_attention(prev_h: Array, A: Array) -> tuple[Array, Array]:
    """(attn, attn_weights): the weights (N, K, K) that prev_h (N, H) gives to the regions, by the softmax of
    prev_h A / sqrt(H), and their weighted mean (N, H).
    """
    w, r = attend(prev_h, A.reshape(*A.shape[:2], -1))
    return r, w.reshape(len(A), *A.shape[2:])


def attention_step_forward(
    x: Array,
    prev_h: Array,
    prev_c: Array,
    attn: Array,
    Wx: Array,
    Wh: Array,
    Wattn: Array,
    b: Array,
) -> tuple[Array, Array, AttentionStepCache]:
    """(next_h, next_c, cache): an LSTM's step with attn Wattn added to its gates; attn (N, H), Wattn (H, 4H)."""
    zh = prev_h @ Wh + attn @ Wattn
    s, saved = LSTM().step(NoParams(), x @ Wx + b, zh, LSTMState(prev_h, prev_c))
    return s.h, s.c, AttentionStepCache(x, prev_h, attn, Wx, Wh, Wattn, saved)


def attention_step_backward(
    dnext_h: Array, dnext_c: Array, cache: AttentionStepCache
) -> tuple[Array, Array, Array, Array, Array, Array, Array, Array]:
    """(dx, dprev_h, dprev_c, dattn, dWx, dWh, dWattn, db)."""
    k = cache
    dz, _, ds, _ = LSTM().step_back(NoParams(), LSTMState(dnext_h, dnext_c), k.saved)
    return (
        dz @ k.Wx.T,
        dz @ k.Wh.T,
        ds.c,
        dz @ k.Wattn.T,
        k.x.T @ dz,
        k.prev_h.T @ dz,
        k.attn.T @ dz,
        dz.sum(axis=0),
    )


def attention_forward(
    x: Array, A: Array, Wx: Array, Wh: Array, Wattn: Array, b: Array
) -> tuple[Array, AttentionSequenceCache]:
    """All steps of x (N, T, D) over the image A: h (N, T, H). h0 and c0 are the mean of A over its regions."""
    N, T, _ = x.shape
    cell = AttentionLSTM(regions=int(np.prod(A.shape[2:])))
    rnn = GatedRecurrence(cell, GatedParams(Wx, Wh, b, AttentionParams(Wattn)))
    packing = Packing.of_lengths(np.full(N, T))
    h0 = packing.enter(A.reshape(N, -1))
    h, tape = rnn.forward(packing.pack(x), h0, packing)
    return packing.unpack(h, T), AttentionSequenceCache(rnn, packing, tape, A.shape, T)


def attention_backward(
    dh: Array, cache: AttentionSequenceCache
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """(dx, dA, dWx, dWh, dWattn, db) from dh (N, T, H)."""
    packing = cache.packing
    dx, dh0, dp = cache.rnn.backward(packing.pack(dh), cache.tape)
    dA = packing.leave(dh0).reshape(cache.image)
    return packing.unpack(dx, cache.length), dA, dp.Wx, dp.Wh, dp.cell.Wr, dp.b
