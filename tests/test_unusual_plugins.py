"""Right plugins of unusual style: none is called wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from rnnkit.kinds import (
    Array,
    Cell,
    DType,
    Ints,
    Layer,
    Loss,
    Mask,
    NoParams,
    Params,
    Plugin,
    Rng,
    Scalar,
    State,
    weights,
)
from rnnkit.testing.targets import named, of_class, run
from tests.plain_plugins import Kept, PlainActivation, PlainCell, PlainLayer, Weights, checks

SEEDS = range(2)


@attrs.frozen
class KnowsTwoTypes(PlainCell):
    """Looks a constant up by type, where complex numbers have none."""

    def f(self, z: Array) -> Array:
        one = {np.dtype(np.float32): 1.0, np.dtype(np.float64): 1.0}[z.dtype]
        scaled: Array = z * one
        return np.tanh(scaled)


@attrs.frozen
class RaisesItsOwn(PlainCell):
    def f(self, z: Array) -> Array:
        if z.dtype.kind != "f":
            raise RuntimeError(f"no kernel for {z.dtype}")
        return np.tanh(z)


@attrs.frozen
class Absolute(PlainCell):
    """f(z) = |z| / (1 + |z|) sign(z), which loses the imaginary part."""

    def f(self, z: Array) -> Array:
        return z / (1.0 + np.abs(z))

    def df(self, z: Array) -> Array:
        slope: Array = 1.0 / (1.0 + np.abs(z)) ** 2
        return slope


@attrs.frozen
class SignBit(PlainActivation):
    """relu by the sign bit, which complex numbers have not."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        off = np.signbit(x)
        return np.where(off, 0.0, x).astype(x.dtype), (~off).astype(x.dtype)

    def backward(self, dy: Array, saved: Array) -> Array:
        return dy * saved

    def kinks(self) -> tuple[float, ...]:
        return (0.0,)


@attrs.frozen
class Perceptron(Loss):
    """max_j s_j - s_y: equal scores are a kink."""

    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Scalar, Array]:
        rows = np.flatnonzero(mask)
        best = scores.real.argmax(axis=1)[rows]
        d = np.zeros_like(scores)
        d[rows, best] += 1.0
        d[rows, targets[rows]] -= 1.0
        return (scores[rows, best] - scores[rows, targets[rows]]).sum(), d


@attrs.frozen
class Hinge(Loss):
    """max(0, 1 + max_(j != y) s_j - s_y)."""

    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Scalar, Array]:
        rows = np.arange(len(targets))
        others = scores.copy()
        others[rows, targets] = -np.inf
        best = others.argmax(axis=1)
        margin = 1.0 + scores[rows, best] - scores[rows, targets]
        on = (margin.real > 0) & mask
        d = np.zeros_like(scores)
        d[rows[on], best[on]] += 1.0
        d[rows[on], targets[on]] -= 1.0
        return margin[on].sum(), d


@attrs.frozen
class OneWeight(Params):
    W: Array


@attrs.frozen
class Normed(PlainCell):
    """f(z) = z / sqrt(1 + |z|^2) by np.linalg.norm: where z is tiny, so is what a complex step loses."""

    def f(self, z: Array) -> Array:
        n = np.linalg.norm(z, axis=-1, keepdims=True)
        h: Array = z / np.sqrt(1.0 + n * n)
        return h

    def step_back(self, p: Weights, ds: State, cache: Kept) -> tuple[Array, State, Weights]:
        x, h, z = cache
        q = np.sqrt(1.0 + np.sum(z * z, axis=-1, keepdims=True))
        along = np.sum(ds.h * z, axis=-1, keepdims=True)
        return self.spread(p, x, h, ds.h / q - z * along / q**3)


@attrs.frozen
class OddWidths(PlainLayer):
    """Says only in its forward pass that it takes odd widths."""

    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, Any]:
        if x.shape[-1] % 2 == 0:
            raise ValueError("odd widths only")
        return super().forward(p, x, rng)


@attrs.frozen
class WeightNormed(Layer[Array, OneWeight, tuple[Array, Array]]):
    """y = x V / |V|, where farther away than V is large, V / |V| is another one."""

    def init(self, in_features: int, rng: Rng, dtype: DType) -> OneWeight:
        return OneWeight(rng.standard_normal((in_features, 3)).astype(dtype))

    def out_features(self, in_features: int) -> int:
        return 3

    def forward(self, p: OneWeight, x: Array, rng: Rng | None) -> tuple[Array, tuple[Array, Array]]:
        n: Array = np.linalg.norm(p.W, axis=0)
        return x @ (p.W / n), (x, n)

    def backward(
        self, p: OneWeight, dy: Array, cache: tuple[Array, Array]
    ) -> tuple[Array, OneWeight]:
        x, n = cache
        dW = x.reshape(-1, x.shape[-1]).T @ dy.reshape(-1, dy.shape[-1])
        u = p.W / n
        return dy @ u.T, OneWeight((dW - u * (dW * u).sum(axis=0)) / n)


@attrs.frozen
class Counted(State):
    t: Array


@attrs.frozen
class TwoWeights(Params):
    Wx: Array
    Wh: Array


@attrs.frozen
class Clockwork(Cell[TwoWeights, Counted, tuple[Array, ...]]):
    """Moves at every other step: the step's number matters, and has no gradient."""

    def init(self, in_features: int, hidden: int, rng: Rng, dtype: DType) -> TwoWeights:
        wide = weights(None, in_features, hidden, rng, dtype)
        return TwoWeights(wide, weights(None, hidden, hidden, rng, dtype))

    def start(self, h0: Array) -> Counted:
        return Counted(h0, np.zeros_like(h0[:, :1]))

    def step(self, p: TwoWeights, x: Array, s: Counted) -> tuple[Counted, tuple[Array, ...]]:
        on = (np.round(s.t.real) % 2 == 0).astype(x.real.dtype)
        u = np.tanh(x @ p.Wx + s.h @ p.Wh)
        return Counted(on * u + (1 - on) * s.h, s.t + 1.0), (x, s.h, u, on)

    def step_back(
        self, p: TwoWeights, ds: Counted, cache: tuple[Array, ...]
    ) -> tuple[Array, Counted, TwoWeights]:
        x, h, u, on = cache
        dz = ds.h * on * (1 - u * u)
        before = Counted(ds.h * (1 - on) + dz @ p.Wh.T, ds.t)
        return dz @ p.Wx.T, before, TwoWeights(x.T @ dz, h.T @ dz)


@attrs.frozen
class Groups(PlainLayer):
    """Each half of a row standardized: halves of two nearly equal numbers are ill-conditioned."""

    def out_features(self, in_features: int) -> int:
        if in_features % 2:
            raise ValueError("the width must be even")
        return in_features

    def forward(self, p: NoParams, x: Array, rng: Rng | None) -> tuple[Array, tuple[Array, Array]]:
        g = x.reshape(*x.shape[:-1], 2, -1)
        d = g - g.mean(axis=-1, keepdims=True)
        s = 1 / np.sqrt((d * d).mean(axis=-1, keepdims=True) + 1e-5)
        return (d * s).reshape(x.shape), (d * s, s)

    def backward(
        self, p: NoParams, dy: Array, cache: tuple[Array, Array]
    ) -> tuple[Array, NoParams]:
        z, s = cache
        d = dy.reshape(z.shape)
        along = z * (d * z).mean(axis=-1, keepdims=True)
        return (s * (d - d.mean(axis=-1, keepdims=True) - along)).reshape(dy.shape), p


@attrs.frozen
class Mix(Layer[Array, OneWeight, tuple[Array, Array]]):
    """relu(x) W: each output meets the kinks of all inputs of its row."""

    def init(self, in_features: int, rng: Rng, dtype: DType) -> OneWeight:
        return OneWeight(weights(None, in_features, in_features, rng, dtype))

    def out_features(self, in_features: int) -> int:
        return in_features

    def forward(self, p: OneWeight, x: Array, rng: Rng | None) -> tuple[Array, tuple[Array, Array]]:
        a: Array = np.where(x.real > 0, x, 0.0)
        return a @ p.W, (x, a)

    def backward(
        self, p: OneWeight, dy: Array, cache: tuple[Array, Array]
    ) -> tuple[Array, OneWeight]:
        x, a = cache
        last = a.shape[-1]
        dx: Array = np.where(x > 0, dy @ p.W.T, 0.0)
        return dx, OneWeight(a.reshape(-1, last).T @ dy.reshape(-1, last))


@pytest.mark.parametrize(("case", "seed"), [("zero", 77), ("zero", 123), ("tiny", 47)])
def test_where_many_kinks_meet_they_may_cancel_and_are_seen_all_the_same(
    case: str, seed: int
) -> None:
    report = run(of_class(Mix, "mix", ""), seed, case)
    assert report.checks == 1
    assert report.ok


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "cls",
    [
        KnowsTwoTypes,
        RaisesItsOwn,
        Absolute,
        Normed,
        SignBit,
        Perceptron,
        Hinge,
        Clockwork,
        OddWidths,
        WeightNormed,
    ],
)
def test_a_right_plugin_of_unusual_style_passes(cls: type[Plugin], seed: int) -> None:
    found = [(check.id, check.run(seed)) for check in checks(cls)]
    assert [(id, f.broken, f.text) for id, f in found if not f.ok] == []


@pytest.mark.parametrize("seed", range(8))
def test_what_is_ill_conditioned_is_right_in_float32_too(seed: int) -> None:
    found = [(check.id, check.run(seed)) for check in checks(Groups) if "training" not in check.id]
    assert [(id, f.broken, f.text) for id, f in found if not f.ok] == []


def test_a_width_refused_in_one_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reversed_odd.py").write_text(
        "import attrs\n"
        "from tests.plain_plugins import PlainLayer\n"
        "@attrs.frozen\n"
        "class Odd(PlainLayer):\n"
        "    def forward(self, p, x, rng):\n"
        "        if x.shape[-1] % 2 == 0: raise ValueError('odd widths only')\n"
        "        return super(Odd, self).forward(p, x, rng)\n"
    )
    (target,) = named(f"{tmp_path}/reversed_odd.py::Odd")
    report = run(target)
    assert report.ok
    assert report.checks > 20


def test_the_numbers_do_not_depend_on_how_the_path_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "import attrs\n"
        "from rnnkit_builtin.activations.silu import Silu\n"
        "@attrs.frozen\n"
        "class Mine(Silu): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    worst = {
        run(target).worst
        for name in ("mine.py::Mine", "./mine.py::Mine", f"{tmp_path}/mine.py::Mine")
        for target in named(name)
    }
    assert len(worst) == 1
    assert min(worst) > 0.0
