"""Each line marked BAD is a mistake of a plugin author that mypy must reject, and no other line."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from rnnkit.kinds import (
    Activation,
    Array,
    Cell,
    Decoder,
    DType,
    GatedCell,
    Initializer,
    Ints,
    Layer,
    Loss,
    Mask,
    NoParams,
    Optimizer,
    Params,
    Progress,
    Rng,
    Schedule,
    Slots,
    State,
)
from rnnkit_builtin.cells.lstm import LSTMCache, LSTMState
from rnnkit_builtin.layers.affine import Affine, AffineParams


@attrs.frozen
class NoSaved(Activation):
    def forward(self, x: Array) -> Array:  # BAD: the saved array is missing
        return np.tanh(x)

    def backward(self, dy: Array) -> Array:  # BAD: saved is missing
        return dy


@attrs.frozen
class HalfCell(GatedCell[NoParams, State, Array]):
    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> State:
        return State(h)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> tuple[State, Array]:
        return State(zx + zh), zx


HalfCell()  # BAD: abstract, step_back is missing


@attrs.frozen
class MixedUp(GatedCell[NoParams, LSTMState, LSTMCache]):
    x_gates: ClassVar[tuple[str, ...]] = "ifog"  # BAD: a string is no tuple of strings
    h_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o", "g")

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> LSTMState:
        return LSTMState(h)  # BAD: slot c is missing

    def step(self, p: NoParams, zx: Array, zh: Array, s: LSTMState) -> tuple[LSTMState, LSTMCache]:
        return LSTMState(zx, zh), (zx, zh)  # BAD: a tuple is no LSTMCache

    def step_back(
        self, p: NoParams, ds: LSTMState, cache: LSTMCache
    ) -> tuple[Array, Array, LSTMState, NoParams]:
        return cache.i, cache.forget, ds, p  # BAD: the cache has no such gate


@attrs.frozen
class WrongState(Cell[NoParams, State, Array]):
    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h: Array) -> State:
        return h  # BAD: an array is no State

    def step(self, p: NoParams, x: Array, s: State) -> tuple[State, Array]:
        return State(s.c), x  # BAD: State has no slot c

    def step_back(self, p: NoParams, ds: State, cache: Array) -> tuple[Array, State]:  # BAD: no dp
        return cache, ds


class Bare:
    W: Array


class NotParams(Layer[Array, Bare, Array]):  # BAD: parameters must be Params
    pass


class NotState(Cell[NoParams, Array, Array]):  # BAD: the state must be a State
    pass


@attrs.frozen
class TwoWeights(Params):
    W: Array
    V: Array


@attrs.frozen
class HalfGradient(Layer[Array, TwoWeights, Array]):
    def out_features(self, in_features: int) -> str:  # BAD: a width is an int
        return "same"

    def init(self, in_features: int, rng: Rng, dtype: DType) -> TwoWeights:
        return TwoWeights(np.zeros(3), np.zeros(3))

    def forward(self, p: TwoWeights, x: Array, rng: Rng | None) -> tuple[Array, Array]:
        rng.random()  # BAD: rng is None outside training
        return x @ p.W, x

    def backward(self, p: TwoWeights, dy: Array, cache: Array) -> tuple[Array, TwoWeights]:
        return dy, TwoWeights(W=dy)  # BAD: the gradient of V is missing


@attrs.frozen
class Moments(Slots):
    m: Array


@attrs.frozen
class WrongOptimizer(Optimizer[Moments]):
    def slots(self, w: Array) -> Array:  # BAD: slots must be Moments
        return w

    def update(  # BAD: an update is in place, and returns nothing
        self, w: Array, dw: Array, slots: Moments, step: int, factor: float
    ) -> Array:
        return w - dw


@attrs.frozen
class Forgetful(Optimizer[Moments]):
    def slots(self, w: Array) -> Moments:
        return Moments(np.zeros_like(w))

    def update(self, w: Array, dw: Array, slots: Moments, step: int, factor: float) -> None:
        slots.v += dw  # BAD: there is no slot v
        slots.m = dw  # BAD: slots are changed in place, not replaced


@attrs.frozen
class WrongLoss(Loss):
    def evaluate(self, scores: Array, targets: Array, mask: Mask) -> Array:  # BAD: no dscores
        return scores


@attrs.frozen
class WrongSchedule(Schedule):
    def factor(self, at: Progress) -> float:
        return at.batch  # BAD: there is no such attribute


@attrs.frozen
class WrongInitializer(Initializer):
    def fill(self, shape: tuple[int, ...], rng: Rng, dtype: DType) -> Array:  # BAD: no fans
        return np.zeros(shape, dtype)


@attrs.frozen
class WrongDecoder(Decoder):
    def decode(self, step: int, memory: int, start: int) -> Ints:  # BAD: another signature
        return np.zeros(3, int)


Affine(units="128")  # BAD: str for int
Affine(128, 256).width = 3  # BAD: unknown attribute, and too many kinds of argument
AffineParams(W=np.zeros(3), bias=np.zeros(3))  # BAD: unknown field
x: Array = np.arange(3)  # BAD: integers where numbers are expected
