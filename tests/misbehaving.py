"""A package with a plugin of each kind that can be told to misbehave, in one of its methods."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final

import pytest

from rnnkit.registry import entry_points

PACKAGE: Final = '''
import attrs, numpy as np
from rnnkit import kinds
from rnnkit.kinds import (
    Activation, Cell, Decoded, Decoder, Encoder, GatedCell, Initializer, Layer, Loss, NoParams, Optimizer, Params,
    Reward, Schedule, Slots, State,
)

@attrs.frozen
class Strange(BaseException):
    text: str

class Unhappy:
    method: str
    how: str

    def out(self, method, right, short=None):
        """What is right; but where the options say so, something else."""
        if method != self.method:
            return right
        if self.how == "None":
            return None
        if self.how == "short":
            return short
        if self.how == "complex":
            return changed(right, lambda a: a + a.dtype.type(1) * 1j)
        if self.how == "whole":
            return changed(right, lambda a: a.astype(int))
        if self.how == "prints":
            print("noise \\x1b[31m")
            return right
        raise {"ValueError": ValueError("no"), "KeyError": KeyError("no"), "SystemExit": SystemExit(0), "Strange": Strange("no")}[self.how]

def changed(made, change):
    """The same, its first array of floats changed."""
    if isinstance(made, tuple):
        parts = [changed(part, change) for part in made]
        first = next(i for i, (a, b) in enumerate(zip(made, parts)) if a is not b)
        return *made[:first], parts[first], *made[first + 1:]
    if isinstance(made, kinds.Arrays):
        fields = attrs.fields(type(made))
        first = fields[0].name if fields else None
        return made if first is None else attrs.evolve(made, **{first: changed(getattr(made, first), change)})
    if isinstance(made, Decoded):
        return attrs.evolve(made, log_probs=change(made.log_probs))
    if isinstance(made, (np.ndarray, np.generic)) and made.dtype.kind == "f":
        return change(made)
    return made

@attrs.frozen
class BadCell(GatedCell, Unhappy):
    """h' = tanh(zx + zh)"""
    method: str = ""
    how: str = ""
    x_gates = ("h",)
    h_gates = ("h",)
    def start_width(self, hidden): return self.out("start_width", hidden, 1.5)
    def bias(self, gate): return self.out("bias", 0.0, float("nan"))
    def init(self, hidden, rng, dtype): return self.out("init", NoParams(), 3)
    def start(self, h0): return self.out("start", State(h0), State(h0[:1]))
    def start_back(self, h0, ds): return self.out("start_back", ds.h, ds.h[:, :1])
    def step(self, p, zx, zh, s):
        h = np.tanh(zx + zh)
        return self.out("step", (State(h), h), (State(h[:, :1]), h))
    def step_back(self, p, ds, h):
        dz = ds.h * (1 - h * h)
        return self.out("step_back", (dz, dz, State(np.zeros_like(dz)), p), (dz[:, :1], dz, State(np.zeros_like(dz)), p))

@attrs.frozen
class BadFree(Cell, Unhappy):
    """h' = tanh(x[:, :H] + h)"""
    method: str = ""
    how: str = ""
    def init(self, in_features, hidden, rng, dtype): return self.out("init", NoParams(), 3)
    def start(self, h0): return State(h0)
    def step(self, p, x, s):
        h = np.tanh(x + s.h)
        return self.out("step", (State(h), h), (State(h[:, :1]), h))
    def step_back(self, p, ds, h):
        dz = ds.h * (1 - h * h)
        return self.out("step_back", (dz, State(dz), p), (dz, State(dz[:, :1]), p))

@attrs.frozen
class Weight(Params):
    w: object

@attrs.frozen
class BadLayer(Layer, Unhappy):
    """y = w x"""
    method: str = ""
    how: str = ""
    def fit(self, width): return self.out("fit", self, 3)
    def out_features(self, in_features): return self.out("out_features", in_features, 1.5)
    def init(self, in_features, rng, dtype): return self.out("init", Weight(np.ones(in_features, dtype)), Weight("x"))
    def forward(self, p, x, rng): return self.out("forward", (p.w * x, x), (x[:, :1], x))
    def backward(self, p, dy, x): return self.out("backward", (p.w * dy, Weight((dy * x).sum(axis=0))), (p.w * dy, Weight(dy * x)))

@attrs.frozen
class BadActivation(Activation, Unhappy):
    """y = 2 x"""
    method: str = ""
    how: str = ""
    def forward(self, x): return self.out("forward", (2 * x, x), (x[:1], x))
    def backward(self, dy, saved): return self.out("backward", 2 * dy, dy[:1])

@attrs.frozen
class BadLoss(Loss, Unhappy):
    """sum of scores^2"""
    method: str = ""
    how: str = ""
    def evaluate(self, scores, targets, mask):
        d = 2 * scores * mask[:, None]
        return self.out("evaluate", ((scores * scores * mask[:, None]).sum(), d), (1.0, d[:, :1]))

@attrs.frozen
class BadOptimizer(Optimizer, Unhappy):
    """w -= dw / 100"""
    method: str = ""
    how: str = ""
    @attrs.frozen
    class Kept(Slots):
        v: object
    def slots(self, w): return self.out("slots", self.Kept(np.zeros_like(w)), self.Kept(np.zeros(1)))
    def update(self, w, dw, slots, step, factor):
        w -= dw / 100
        return self.out("update", None)

@attrs.frozen
class BadSchedule(Schedule, Unhappy):
    """1"""
    method: str = ""
    how: str = ""
    def factor(self, at): return self.out("factor", 1.0, float("nan"))

@attrs.frozen
class BadInitializer(Initializer, Unhappy):
    """0"""
    method: str = ""
    how: str = ""
    def fill(self, shape, fan_in, fan_out, rng, dtype): return self.out("fill", np.zeros(shape, dtype), np.zeros((1, 1), dtype))

@attrs.frozen
class BadDecoder(Decoder, Unhappy):
    """The end at once."""
    method: str = ""
    how: str = ""
    def decode(self, step, memory, start, end, limit, rng):
        n = len(memory)
        if self.how == "IndexError":
            step(np.full(n, 10**6), memory)
        right = Decoded(np.full((n, 1, 1), end), np.zeros((n, 1)))
        return self.out("decode", right, Decoded(np.full((n, 1, 1), 10**6), np.zeros((n, 1))))

@attrs.frozen
class BadEncoder(Encoder, Unhappy):
    """The mean of a picture."""
    method: str = ""
    how: str = ""
    @property
    def shape(self): return self.out("shape", (3,), (3, 0))
    def digest(self): return self.out("digest", "", 3)
    def prepare(self, picture): return self.out("prepare", picture.mean(axis=(0, 1)), "x")
    def encode(self, prepared): return self.out("encode", prepared.astype("f4"), prepared[:, :1])

@attrs.frozen
class BadReward(Reward, Unhappy):
    """The number of words."""
    method: str = ""
    how: str = ""
    def judge(self, references):
        def judge(captions, images):
            right = np.array([len(caption) for caption in captions], float)
            return self.out("judge", right, right[:1])
        return judge
'''

KINDS: Final = {
    "cells": ("cell = BadCell", "free = BadFree"),
    "layers": ("layer = BadLayer",),
    "activations": ("activation = BadActivation",),
    "losses": ("loss = BadLoss",),
    "optimizers": ("optimizer = BadOptimizer",),
    "schedules": ("schedule = BadSchedule",),
    "initializers": ("initializer = BadInitializer",),
    "decoders": ("decoder = BadDecoder",),
    "encoders": ("encoder = BadEncoder",),
    "rewards": ("reward = BadReward",),
}


def install(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Write the package into a folder that Python imports from while a test runs; its file."""
    info = folder / "misbehaving-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: misbehaving\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text(
        "".join(
            f"[rnnkit.{group}]\n"
            + "".join(
                "bad-{} = misbehaving_plugins:{}\n".format(*line.split(" = ")) for line in lines
            )
            for group, lines in KINDS.items()
        )
    )
    file = folder / "misbehaving_plugins.py"
    file.write_text(PACKAGE)
    patch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    forget()
    return file


def forget() -> None:
    """Have the registry look again."""
    for looked in vars(entry_points).values():
        getattr(looked, "cache_clear", int)()
