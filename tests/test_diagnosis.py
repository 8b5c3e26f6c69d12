"""Each known way of being wrong, made by hand, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rnnkit.kinds import Array
from rnnkit.numerics import sigmoid
from rnnkit.testing.diagnosis import LeafFinding
from rnnkit.testing.examine import Finding, examine
from rnnkit.testing.example import Example, Leaves
from rnnkit.testing.tolerances import NEARLY

Spoil = Callable[[dict[str, Array], Leaves, Leaves], dict[str, Array]]
"""(right gradients, cotangents, leaves) -> the wrong gradients."""

GATES = ("i", "g")


def spoiled(
    leaves: Leaves,
    forward: Callable[[Leaves], tuple[Leaves, Any]],
    backward: Callable[[Leaves, Leaves, Any], dict[str, Array]],
    spoil: Spoil,
    **more: Any,
) -> Example:
    """An example whose right gradients are spoiled."""

    def wrong(at: Leaves, cotangents: Leaves, cache: Any) -> Leaves:
        right = backward(at, cotangents, cache)
        return right | spoil(right, cotangents, at)

    return Example(leaves, forward, wrong, single="skip", **more)


def affine(spoil: Spoil, n: int = 3, d: int = 4, m: int = 4) -> Example:
    """y = x W + b."""
    rng = np.random.default_rng(3)
    leaves = {
        "x": rng.standard_normal((n, d)),
        "W": rng.standard_normal((d, m)),
        "b": rng.standard_normal(m),
    }

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        return {"y": at["x"] @ at["W"] + at["b"]}, None

    def backward(at: Leaves, cotangents: Leaves, cache: Any) -> dict[str, Array]:
        dy = cotangents["y"]
        return {"x": dy @ at["W"].T, "W": at["x"].T @ dy, "b": dy.sum(axis=0)}

    return spoiled(leaves, forward, backward, spoil, rows=("x",))


def gated(spoil: Callable[[Any, Leaves, Leaves], dict[str, Array]], n: int = 2) -> Example:
    """c' = c + gain i g;  h' = tanh(c'), with i = sigmoid(z_i), g = tanh(z_g); `spoil` is given the cache."""
    rng = np.random.default_rng(4)
    leaves = {
        "z": rng.standard_normal((n, 10)),
        "c": rng.standard_normal((n, 5)),
        "gain": rng.standard_normal(5),
    }

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        zi, zg = np.split(at["z"], 2, axis=-1)
        i, g = sigmoid(zi), np.tanh(zg)
        c = at["c"] + at["gain"] * i * g
        act = np.concatenate((i, g), axis=-1)
        return {"h": np.tanh(c), "c": c}, {"act": act, "tanh_c": np.tanh(c)}

    def backward(at: Leaves, cotangents: Leaves, cache: Any) -> Leaves:
        i, g = np.split(cache["act"], 2, axis=-1)
        dc = cotangents["c"] + cotangents["h"] * (1 - cache["tanh_c"] ** 2)
        dz = [dc * at["gain"] * g * i * (1 - i), dc * at["gain"] * i * (1 - g * g)]
        right = {"z": np.concatenate(dz, axis=-1), "c": dc, "gain": (dc * i * g).sum(axis=0)}
        return right | spoil({"dc": dc, "i": i, "g": g, **right, **cache}, cotangents, at)

    return Example(leaves, forward, backward, rows=("z", "c"), gates={"z": GATES}, single="skip")


def mixture(spoil: Spoil, n: int = 3, m: int = 4) -> Example:
    """y = a b + a c."""
    rng = np.random.default_rng(5)
    leaves = {name: rng.standard_normal((n, m)) for name in "abc"}

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        return {"y": at["a"] * at["b"] + at["a"] * at["c"]}, None

    def backward(at: Leaves, cotangents: Leaves, cache: Any) -> dict[str, Array]:
        dy = cotangents["y"]
        return {"a": dy * (at["b"] + at["c"]), "b": dy * at["a"], "c": dy * at["a"]}

    return spoiled(leaves, forward, backward, spoil, rows=("a", "b", "c"))


def diagnosed(example: Example) -> LeafFinding:
    """The only wrong leaf."""
    (leaf,) = (leaf for leaf in found(example).leaves if not leaf.right)
    return leaf


def found(example: Example) -> Finding:
    finding = examine(example, np.random.default_rng(0)).explained()
    assert finding.broken == "gradient"
    return finding


def test_the_examples_themselves_are_right() -> None:
    for make in (affine, mixture, gated):
        example: Example = make(lambda *_: {})
        assert examine(example, np.random.default_rng(0)).ok


def at_1(a: Array) -> Array:
    """Without its index 1."""
    a[1] = 0.0
    return a


@pytest.mark.parametrize(
    ("leaf", "spoil", "hint"),
    [
        ("W", lambda g, d, at: 0 * g["W"], "it is 0 everywhere: this path has no gradient"),
        ("x", lambda g, d, at: -g["x"], "the sign is wrong"),
        ("W", lambda g, d, at: g["W"].T, "it is the transpose of the right one"),
        (
            "b",
            lambda g, d, at: d["y"].mean(axis=0),
            "it is 0.333333 times the right one (1/3: a mean instead of a sum?)",
        ),
        ("x", lambda g, d, at: 2 * g["x"], "it is 2 times the right one (counted 2 times?)"),
        (
            "x",
            lambda g, d, at: 0.73 * g["x"],
            "it is 0.73 times the right one (a constant factor is wrong)",
        ),
        (
            "W",
            lambda g, d, at: -0.5 * g["W"],
            "it is -0.5 times the right one (1/2: a mean instead of a sum?)",
        ),
        ("x", lambda g, d, at: at_1(g["x"]), "index 1 of axis 0 has been left out"),
        (
            "x",
            lambda g, d, at: np.roll(g["x"], 1, axis=0),
            "it is shifted by one along axis 0: each index has the gradient of the one before",
        ),
        (
            "x",
            lambda g, d, at: np.roll(g["x"], -1, axis=0),
            "it is shifted by one along axis 0: each index has the gradient of the one after",
        ),
        (
            "x",
            lambda g, d, at: 0 * g["x"] + g["x"].sum(axis=0),
            "it is the sum over axis 0, where there should be no sum",
        ),
        (
            "x",
            lambda g, d, at: 0 * g["x"] + g["x"].mean(axis=1, keepdims=True),
            "it is the mean over axis 1, where there should be no mean",
        ),
        (
            "b",
            lambda g, d, at: d["y"][0],
            "it is the part of row 0 alone: a sum over the rows is missing",
        ),
        (
            "W",
            lambda g, d, at: at["x"][:2].T @ d["y"][:2],
            "row 2 is missing from the sum over the rows",
        ),
    ],
)
def test_a_pattern_of_a_leaf_is_told_and_the_other_leaves_are_right(
    leaf: str, spoil: Callable[[Leaves, Leaves, Leaves], Array], hint: str
) -> None:
    finding = found(affine(lambda g, d, at: {leaf: spoil(g, d, at)}))
    assert {found.name: found.hint for found in finding.leaves if not found.right} == {leaf: hint}
    assert finding.text == f"the gradient of '{leaf}' is wrong"


@pytest.mark.parametrize(
    ("spoil", "hint"),
    [
        (
            lambda k, d, at: {"c": d["c"] + d["h"]},
            "in the part that comes from h: a factor (1 - tanh_c^2) is missing",
        ),
        (lambda k, d, at: {"c": k["dc"] * k["tanh_c"]}, "there is an extra factor tanh_c"),
        (
            lambda k, d, at: {"c": d["c"] + d["h"] * (1 - k["tanh_c"])},
            "in the part that comes from h: there is a factor (1 - tanh_c) instead of (1 - tanh_c^2)",
        ),
        (
            lambda k, d, at: {"c": d["c"] + 0 * d["h"]},
            "in the part that comes from h: it is 0 everywhere: this path has no gradient",
        ),
        (
            lambda k, d, at: {"c": d["c"] - d["h"] * (1 - k["tanh_c"] ** 2)},
            "in the part that comes from h: the sign is wrong",
        ),
        (lambda k, d, at: {"gain": k["dc"].sum(axis=0)}, "a factor act[i] * act[g] is missing"),
        (
            lambda k, d, at: {"gain": (k["dc"] * k["i"]).sum(axis=0)},
            "a factor act[g] is missing",
        ),
    ],
)
def test_a_factor_is_named_from_the_cache(
    spoil: Callable[[Any, Leaves, Leaves], dict[str, Array]], hint: str
) -> None:
    assert diagnosed(gated(spoil)).hint == hint


def halves(i: Array, g: Array) -> dict[str, Array]:
    return {"z": np.concatenate((i, g), axis=-1)}


@pytest.mark.parametrize(
    ("spoil", "right", "hint"),
    [
        (
            lambda k, d, at: halves(k["z"][:, :5], k["dc"] * at["gain"] * k["i"]),
            "i",
            "in gate g: a factor (1 - act[g]^2) is missing",
        ),
        (
            lambda k, d, at: halves(k["dc"] * at["gain"] * k["g"] * k["i"], k["z"][:, 5:]),
            "g",
            "in gate i: a factor (1 - act[i]) is missing",
        ),
        (
            lambda k, d, at: halves(-k["z"][:, :5], k["z"][:, 5:]),
            "g",
            "in gate i: the sign is wrong",
        ),
        (lambda k, d, at: {"z": 3 * k["z"]}, "", "it is 3 times the right one (counted 3 times?)"),
        (
            lambda k, d, at: halves(-k["z"][:, :5], 0 * k["z"][:, 5:]),
            "",
            "in gate i: the sign is wrong; "
            "in gate g: it is 0 everywhere: this path has no gradient",
        ),
        (
            lambda k, d, at: halves(k["z"][:, 5:], k["z"][:, :5]),
            "",
            "in gate i: it is the gradient of gate g; in gate g: it is the gradient of gate i",
        ),
    ],
)
def test_gates_are_judged_and_explained_one_by_one(
    spoil: Callable[[Any, Leaves, Leaves], dict[str, Array]], right: str, hint: str
) -> None:
    leaf = diagnosed(gated(spoil))
    assert leaf.gates == {gate: gate == right for gate in GATES}
    assert leaf.hint == hint


@pytest.mark.parametrize(
    ("spoil", "hint"),
    [
        (lambda g, d, at: d["y"] * at["b"], "a term c * dy is missing"),
        (
            lambda g, d, at: g["a"] + d["y"] * at["a"] * at["b"],
            "there is an extra term a * b * dy",
        ),
        (
            lambda g, d, at: d["y"] * (at["b"] - at["c"]),
            "a term c * dy is subtracted where it should be added",
        ),
    ],
)
def test_a_term_is_named(spoil: Callable[[Leaves, Leaves, Leaves], Array], hint: str) -> None:
    assert diagnosed(mixture(lambda g, d, at: {"a": spoil(g, d, at)})).hint == hint


def test_a_gradient_of_what_does_not_matter_is_told() -> None:
    idle = Example(
        {"x": np.ones(3), "k": np.ones(3)},
        lambda at: ({"y": at["x"] + 0 * at["k"]}, None),
        lambda at, d, cache: {"x": d["y"], "k": d["y"]},
        single="skip",
    )
    assert (
        diagnosed(idle).hint
        == "the derivative is 0: no output depends on it, but backward gives a gradient"
    )


@pytest.mark.parametrize("seed", range(10))
def test_random_noise_has_no_hint(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = {name: rng.uniform(0.9, 1.1, (20, 20)) for name in ("x", "W", "b")}

    finding = found(affine(lambda g, d, at: {k: a * fit(noise[k], a) for k, a in g.items()}))
    assert [leaf.hint for leaf in finding.leaves] == [""] * 3
    mixed = found(mixture(lambda g, d, at: {"a": g["a"] * fit(noise["x"], g["a"])}))
    assert [leaf.hint for leaf in mixed.leaves] == [""] * 3
    z = found(gated(lambda k, d, at: {"z": k["z"] * fit(noise["x"], k["z"])}))
    assert [leaf.hint for leaf in z.leaves] == [""] * 3


def fit(a: Array, like: Array) -> Array:
    """As much of a as has the shape of the other."""
    return a.reshape(-1)[: like.size].reshape(like.shape)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda g, d, at: {"b": 0.73 * g["b"]},
        lambda g, d, at: {"x": g["x"] * at["W"].T},
        lambda g, d, at: {"W": g["W"] + d["y"] * at["b"]},
    ],
)
def test_one_number_is_not_enough_for_a_factor(spoil: Spoil) -> None:
    leaf = diagnosed(affine(spoil, n=1, d=1, m=1))
    assert leaf.wrong_share == 1.0
    assert leaf.hint == ""


def test_the_worst_element_is_shown() -> None:
    def spoil(g: dict[str, Array], d: Leaves, at: Leaves) -> dict[str, Array]:
        wrong = g["W"].copy()
        wrong[2, 1] += 3.0 * d["y"][0, 0]
        wrong[3, 3] += 0.1 * d["y"][0, 0]
        return {"W": wrong}

    leaf = diagnosed(affine(spoil))
    assert leaf.place == (2, 1)
    assert leaf.wrong_share == pytest.approx(2 / 16)
    assert abs(leaf.given - leaf.wanted) > 0.0
    assert leaf.hint == ""


@pytest.mark.parametrize(("factor", "hint"), [(-1.0, "the sign is wrong"), (None, "")])
def test_a_large_leaf_is_sampled_and_only_what_samples_show_is_said(
    factor: float | None, hint: str
) -> None:
    rng = np.random.default_rng(0)
    scale = rng.uniform(0.9, 1.1, (9, 500)) if factor is None else factor
    large = Example(
        {"x": rng.standard_normal((9, 500))},
        lambda at: ({"y": (at["x"] ** 2).sum()}, None),
        lambda at, d, cache: {"x": 2 * at["x"] * d["y"] * scale},
        single="skip",
    )
    leaf = diagnosed(large)
    assert (leaf.wrong_share, leaf.hint) == (1.0, hint)


def test_a_gradient_that_misses_a_sum_has_another_shape_and_is_told() -> None:
    finding = examine(affine(lambda g, d, at: {"b": d["y"]}), np.random.default_rng(0))
    assert (finding.broken, finding.text) == (
        "shapes",
        "the gradient of 'b' has shape (3, 4), not (4,): "
        "a sum over the leading axis is missing (the leaf was broadcast over it)",
    )


def saturated(off: float) -> Example:
    """y = tanh(x W) with large x, so that most of y is nearly 1, and 1 - y^2 has few digits left.

    Args:
        off: what 1 - y^2 is off by besides.
    """
    rng = np.random.default_rng(29)
    x = 300 * rng.standard_normal((6, 4))

    def forward(leaves: Leaves) -> tuple[Leaves, Array]:
        y = np.tanh(x @ leaves["W"])
        return {"y": y}, y

    def backward(_: Leaves, cotangents: Leaves, y: Array) -> Leaves:
        return {"W": x.T @ (cotangents["y"] * (1 - y**2 + off))}

    return Example({"W": rng.standard_normal((4, 5))}, forward, backward, single="skip")


def test_what_rounding_in_the_cache_explains_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    assert examine(saturated(off=0.0), np.random.default_rng(29)).ok
    assert examine(saturated(off=1e-11), np.random.default_rng(29)).broken == "gradient"
    monkeypatch.setattr("rnnkit.testing.examine.unrest", lambda *_: 0.0)
    assert not examine(saturated(off=0.0), np.random.default_rng(29)).ok  # else it shows nothing


def test_what_the_cache_keeps_in_fewer_digits_explains_nothing() -> None:
    rng = np.random.default_rng(29)
    x = rng.standard_normal((6, 4))

    def forward(leaves: Leaves) -> tuple[Leaves, tuple[Array, Array]]:
        z = x @ leaves["W"]
        return {"y": z**2}, (z, z.astype(np.float32))

    def backward(_: Leaves, cotangents: Leaves, cache: tuple[Array, Array]) -> Leaves:
        z, leak = cache
        return {"W": x.T @ (cotangents["y"] * 2 * (0.9 * z + 0.1 * leak))}

    example = Example({"W": rng.standard_normal((4, 5))}, forward, backward, single="skip")
    found = examine(example, np.random.default_rng(29))
    assert found.broken == "gradient"
    assert found.error < NEARLY
