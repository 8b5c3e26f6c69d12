"""Layers of recurrent networks; shapes and arguments as in the assignment, gates in the order i, f, o, g."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from rnnkit.compat.ie590.attention import (
    attention_backward,
    attention_forward,
    attention_step_backward,
    attention_step_forward,
    dot_product_attention,
)
from rnnkit.kinds import Activation, Array, GatedCell, Ints, Mask, NoParams, State
from rnnkit.network import FromH0, GatedParams, GatedRecurrence, GatedTape, Packing
from rnnkit.numerics import sigmoid as sigmoid
from rnnkit_builtin.activations.sigmoid import Sigmoid
from rnnkit_builtin.activations.tanh import Tanh
from rnnkit_builtin.cells.lstm import LSTM, LSTMState
from rnnkit_builtin.cells.vanilla import Vanilla
from rnnkit_builtin.layers.affine import Affine, AffineParams
from rnnkit_builtin.layers.embedding import Embedding, EmbeddingParams
from rnnkit_builtin.losses.softmax_cross_entropy import SoftmaxCrossEntropy

__all__ = [
    "attention_backward",
    "attention_forward",
    "attention_step_backward",
    "attention_step_forward",
    "dot_product_attention",
    "lstm_backward",
    "lstm_forward",
    "lstm_step_backward",
    "lstm_step_forward",
    "rnn_backward",
    "rnn_forward",
    "rnn_step_backward",
    "rnn_step_forward",
    "sigmoid",
    "temporal_affine_backward",
    "temporal_affine_forward",
    "temporal_softmax_loss",
    "word_embedding_backward",
    "word_embedding_forward",
]

AnyCell = GatedCell[NoParams, Any, Any]


@attrs.frozen
class StepCache:
    """What the way back of one step needs."""

    x: Array
    prev_h: Array
    Wx: Array
    Wh: Array
    saved: Any


@attrs.frozen
class SequenceCache:
    """What the way back of a sequence needs."""

    rnn: GatedRecurrence[NoParams, Any, Any]
    packing: Packing
    tape: FromH0[GatedTape[Any, Any]]
    length: int


def rnn_step_forward(
    x: Array, prev_h: Array, Wx: Array, Wh: Array, b: Array, use_tanh: bool = True
) -> tuple[Array, StepCache]:
    """next_h = f(x Wx + prev_h Wh + b) (N, H), with f tanh or sigmoid; x (N, D), prev_h (N, H)."""
    s, cache = _step_forward(vanilla(use_tanh), x, State(prev_h), Wx, Wh, b)
    return s.h, cache


def rnn_step_backward(
    dnext_h: Array, cache: StepCache, use_tanh: bool = True
) -> tuple[Array, Array, Array, Array, Array]:
    """(dx, dprev_h, dWx, dWh, db); `use_tanh` must be that of the way forward."""
    ds, dx, dWx, dWh, db = _step_backward(vanilla(use_tanh), State(dnext_h), cache)
    return dx, ds.h, dWx, dWh, db


def rnn_forward(
    x: Array, h0: Array, Wx: Array, Wh: Array, b: Array, use_tanh: bool = True
) -> tuple[Array, SequenceCache]:
    """All steps of x (N, T, D) from h0 (N, H): h (N, T, H)."""
    return _forward(vanilla(use_tanh), x, h0, Wx, Wh, b)


def rnn_backward(
    dh: Array, cache: SequenceCache, use_tanh: bool = True
) -> tuple[Array, Array, Array, Array, Array]:
    """(dx, dh0, dWx, dWh, db) from dh (N, T, H)."""
    return _backward(vanilla(use_tanh), dh, cache)


def lstm_step_forward(
    x: Array, prev_h: Array, prev_c: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, Array, StepCache]:
    """(next_h, next_c, cache); x (N, D), prev_h and prev_c (N, H), Wx (D, 4H), Wh (H, 4H), b (4H,)."""
    s, cache = _step_forward(LSTM(), x, LSTMState(prev_h, prev_c), Wx, Wh, b)
    return s.h, s.c, cache


def lstm_step_backward(
    dnext_h: Array, dnext_c: Array, cache: StepCache
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """(dx, dprev_h, dprev_c, dWx, dWh, db)."""
    ds, dx, dWx, dWh, db = _step_backward(LSTM(), LSTMState(dnext_h, dnext_c), cache)
    return dx, ds.h, ds.c, dWx, dWh, db


def lstm_forward(
    x: Array, h0: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, SequenceCache]:
    """All steps of x (N, T, D) from h0 (N, H) and c0 = 0: h (N, T, H)."""
    return _forward(LSTM(), x, h0, Wx, Wh, b)


def lstm_backward(dh: Array, cache: SequenceCache) -> tuple[Array, Array, Array, Array, Array]:
    """(dx, dh0, dWx, dWh, db) from dh (N, T, H)."""
    return _backward(LSTM(), dh, cache)


def word_embedding_forward(x: Ints, W: Array) -> tuple[Array, tuple[Ints, Array]]:
    """The row of W (V, D) for each token of x (N, T): (N, T, D)."""
    out, _ = Embedding(W.shape[1]).forward(EmbeddingParams(W), x, None)
    return out, (x, W)


def word_embedding_backward(dout: Array, cache: tuple[Ints, Array]) -> Array:
    """dW (V, D) from dout (N, T, D)."""
    x, W = cache
    return Embedding(W.shape[1]).backward(EmbeddingParams(W), dout, x)[1].W


def temporal_affine_forward(
    x: Array, w: Array, b: Array
) -> tuple[Array, tuple[Array, AffineParams]]:
    """x w + b at each step: x (N, T, D), w (D, M), b (M,), (N, T, M)."""
    p = AffineParams(w, b)
    out, saved = Affine().forward(p, x, None)
    return out, (saved, p)


def temporal_affine_backward(
    dout: Array, cache: tuple[Array, AffineParams]
) -> tuple[Array, Array, Array]:
    """(dx, dw, db) from dout (N, T, M)."""
    saved, p = cache
    dx, dp = Affine().backward(p, dout, saved)
    return dx, dp.W, dp.b


def temporal_softmax_loss(
    x: Array, y: Ints, mask: Mask, verbose: bool = False
) -> tuple[float, Array]:
    """(loss, dx): the cross-entropy of scores x (N, T, V) and targets y (N, T), summed over unmasked positions
    and divided by N.
    """
    N, _, V = x.shape
    flat, targets, counts = x.reshape(-1, V), y.reshape(-1), np.asarray(mask, np.bool_).reshape(-1)
    loss, dx_flat = SoftmaxCrossEntropy().evaluate(flat, targets, counts)
    if verbose:
        print("dx_flat: ", dx_flat.shape)
    return float(loss) / N, (dx_flat / N).reshape(x.shape)


def vanilla(use_tanh: bool) -> Vanilla:
    """The cell behind `use_tanh`."""
    activation: Activation = Tanh() if use_tanh else Sigmoid()
    return Vanilla(activation)


def _step_forward(
    cell: AnyCell, x: Array, s: Any, Wx: Array, Wh: Array, b: Array
) -> tuple[Any, StepCache]:
    s_next, saved = cell.step(NoParams(), x @ Wx + b, s.h @ Wh, s)
    return s_next, StepCache(x, s.h, Wx, Wh, saved)


def _step_backward(
    cell: AnyCell, ds: Any, cache: StepCache
) -> tuple[Any, Array, Array, Array, Array]:
    """The gradient of the state before, with the path through Wh in it; dx, dWx, dWh, db."""
    k = cache
    dzx, dzh, ds_prev, _ = cell.step_back(NoParams(), ds, k.saved)
    ds_prev = attrs.evolve(ds_prev, h=ds_prev.h + dzh @ k.Wh.T)
    return ds_prev, dzx @ k.Wx.T, k.x.T @ dzx, k.prev_h.T @ dzh, dzx.sum(axis=0)


def _forward(
    cell: AnyCell, x: Array, h0: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, SequenceCache]:
    N, T, _ = x.shape
    rnn = GatedRecurrence(cell, GatedParams(Wx, Wh, b, NoParams()))
    packing = Packing.of_lengths(np.full(N, T))
    h, tape = rnn.forward(packing.pack(x), packing.enter(h0), packing)
    return packing.unpack(h, T), SequenceCache(rnn, packing, tape, T)


def _backward(
    cell: AnyCell, dh: Array, cache: SequenceCache
) -> tuple[Array, Array, Array, Array, Array]:
    packing = cache.packing
    rnn = attrs.evolve(cache.rnn, cell=cell)
    dx, dh0, dp = rnn.backward(packing.pack(dh), cache.tape)
    return packing.unpack(dx, cache.length), packing.leave(dh0), dp.Wx, dp.Wh, dp.b
