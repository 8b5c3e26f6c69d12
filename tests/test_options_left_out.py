"""A hundred plugins, each with one option that its backward pass leaves out, whatever the type and the bounds: all found."""

from __future__ import annotations

import itertools
import sys
import types

import pytest

from rnnkit.kinds import Plugin
from rnnkit.testing.checks import checks_of_class
from rnnkit.testing.examine import Finding

HEAD = """
from __future__ import annotations
from typing import ClassVar, Literal
import attrs
import numpy as np
from attrs.validators import and_, ge, gt, in_, le, optional
from rnnkit.kinds import *

@attrs.frozen
class Table:
    gain: float = 1.0

@attrs.frozen
class W(Params):
    Wx: Array
    Wh: Array

def either(instance, attribute, value):
    if value not in ("once", "twice"):
        raise ValueError("once or twice")

def moderate(instance, attribute, value):
    if not 0.2 < value < 2.0:
        raise ValueError("between 0.2 and 2")
"""

OPTIONS = {
    "no bound": ("gain: float = 1.0", "self.gain", "1.0"),
    "no bound, 0": ("gain: float = 0.0", "(1.0 + self.gain)", "1.0"),
    "at its edge": (
        "gain: float = attrs.field(default=0.0, validator=ge(0.0))",
        "(1.0 + self.gain)",
        "1.0",
    ),
    "above": ("gain: float = attrs.field(default=1.0, validator=gt(0.0))", "self.gain", "1.0"),
    "wrong only beyond 1": (
        "gain: float = attrs.field(default=1.0, validator=gt(0.0))",
        "max(1.0, self.gain)",
        "1.0",
    ),
    "below": ("gain: float = attrs.field(default=1.0, validator=le(1.0))", "self.gain", "1.0"),
    "two bounds": (
        "gain: float = attrs.field(default=0.5, validator=and_(ge(0.0), le(1.0)))",
        "self.gain",
        "0.5",
    ),
    "own validator": (
        "gain: float = attrs.field(default=1.0, validator=moderate)",
        "self.gain",
        "1.0",
    ),
    "optional": ("gain: float | None = None", "(1.0 if self.gain is None else self.gain)", "1.0"),
    "optional, bound": (
        "gain: float | None = attrs.field(default=None, validator=optional(gt(0.0)))",
        "(self.gain or 1.0)",
        "1.0",
    ),
    "literal": ("mode: Literal['a', 'b'] = 'a'", "(2.0 if self.mode == 'b' else 1.0)", "1.0"),
    "truth": ("twice: bool = False", "(2.0 if self.twice else 1.0)", "1.0"),
    "whole": ("times: int = 1", "float(self.times)", "1.0"),
    "listed": (
        "times: int = attrs.field(default=1, validator=in_((1, 3)))",
        "float(self.times)",
        "1.0",
    ),
    "several": ("gains: tuple[float, ...] = ()", "float(np.prod(self.gains))", "1.0"),
    "table": ("table: Table = Table()", "self.table.gain", "1.0"),
    "word": (
        "mode: str = attrs.field(default='once', validator=either)",
        "(2.0 if self.mode == 'twice' else 1.0)",
        "1.0",
    ),
}
"""Declaration, a factor made of the option, and the factor at the default."""

PLUGINS = {
    "activation": """
@attrs.frozen
class Plug(Activation):
    {option}
    def forward(self, x):
        return np.tanh({whole} * x), x
    def backward(self, dy, saved):
        return dy * {part} * (1.0 - np.tanh({whole} * saved) ** 2)
""",
    "layer": """
@attrs.frozen
class Plug(Layer[Array, NoParams, Array]):
    {option}
    def out_features(self, in_features):
        return in_features
    def init(self, in_features, rng, dtype):
        return NoParams()
    def forward(self, p, x, rng):
        return x + {whole} * x * x, x
    def backward(self, p, dy, cache):
        return dy * (1.0 + 2.0 * {part} * cache), p
""",
    "cell": """
@attrs.frozen
class Plug(Cell[W, State, tuple]):
    {option}
    def init(self, in_features, hidden, rng, dtype):
        return W(*(weights(None, n, hidden, rng, dtype) for n in (in_features, hidden)))
    def start(self, h0):
        return State(h0)
    def step(self, p, x, s):
        z = x @ p.Wx + s.h @ p.Wh
        return State({whole} * np.tanh(z)), (x, s.h, z)
    def step_back(self, p, ds, cache):
        x, h, z = cache
        dz = ds.h * {part} * (1.0 - np.tanh(z) ** 2)
        return dz @ p.Wx.T, State(dz @ p.Wh.T), W(x.T @ dz, h.T @ dz)
""",
    "start of a cell": """
@attrs.frozen
class Plug(Cell[W, State, tuple]):
    {option}
    def init(self, in_features, hidden, rng, dtype):
        return W(*(weights(None, n, hidden, rng, dtype) for n in (in_features, hidden)))
    def start(self, h0):
        return State({whole} * h0)
    def start_back(self, h0, ds):
        return {part} * ds.h
    def step(self, p, x, s):
        z = x @ p.Wx + s.h @ p.Wh
        return State(np.tanh(z)), (x, s.h, z)
    def step_back(self, p, ds, cache):
        x, h, z = cache
        dz = ds.h * (1.0 - np.tanh(z) ** 2)
        return dz @ p.Wx.T, State(dz @ p.Wh.T), W(x.T @ dz, h.T @ dz)
""",
    "gated cell": """
@attrs.frozen
class Plug(GatedCell[NoParams, State, Array]):
    {option}
    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)
    def init(self, hidden, rng, dtype):
        return NoParams()
    def start(self, h0):
        return State(h0)
    def step(self, p, zx, zh, s):
        z = zx + zh
        return State({whole} * z / np.sqrt(1.0 + z * z) + 0.5 * s.h), z
    def step_back(self, p, ds, cache):
        dz = ds.h * {part} * (1.0 + cache * cache) ** -1.5
        return dz, dz, State(0.5 * ds.h), p
""",
    "loss": """
@attrs.frozen
class Plug(Loss):
    {option}
    def evaluate(self, scores, targets, mask):
        rows = np.flatnonzero(mask)
        d = np.zeros_like(scores)
        d[rows] = {part} * 2.0 * scores[rows] / (1.0 + scores[rows] ** 2)
        return {whole} * np.log(1.0 + scores[rows] ** 2).sum(), d
""",
}

MADE = list(itertools.product(OPTIONS, PLUGINS))


def made(option: str, plugin: str, *, left_out: bool) -> type[Plugin]:
    declared, whole, default = OPTIONS[option]
    part = default if left_out else whole
    module = types.ModuleType("tests.options_left_out")
    sys.modules[module.__name__] = module  # annotations are resolved there
    source = HEAD + PLUGINS[plugin].format(option=declared, whole=whole, part=part)
    exec(compile(source, "<made>", "exec"), module.__dict__)
    cls: type[Plugin] = module.__dict__["Plug"]
    return cls


def first_failure(cls: type[Plugin]) -> tuple[str, Finding] | None:
    for check in checks_of_class(cls, "made"):
        finding = check.run(0)
        if not finding.ok:
            return check.id, finding
    return None


def is_found(option: str, plugin: str) -> None:
    failure = first_failure(made(option, plugin, left_out=True))
    assert failure is not None
    id, finding = failure
    assert (finding.broken, "=" in id.partition("/")[0]) == ("gradient", True)


def test_there_are_a_hundred() -> None:
    assert len(MADE) >= 100


@pytest.mark.parametrize(("option", "plugin"), MADE[::7])
def test_an_option_left_out_of_the_backward_pass_is_found(option: str, plugin: str) -> None:
    is_found(option, plugin)


@pytest.mark.heavy
@pytest.mark.parametrize(("option", "plugin"), MADE)
def test_each_option_left_out_is_found(option: str, plugin: str) -> None:
    is_found(option, plugin)


@pytest.mark.heavy
@pytest.mark.parametrize(("option", "plugin"), MADE)
def test_each_option_that_is_not_left_out_is_right(option: str, plugin: str) -> None:
    assert first_failure(made(option, plugin, left_out=False)) is None
