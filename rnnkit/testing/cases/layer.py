"""Layers: every number of leading axes, in training and outside, numbers of every size, tokens with repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import numpy as np

from rnnkit.kinds import (
    Array,
    Ints,
    Layer,
    LikelihoodLayer,
    Rng,
    SummingLayer,
    map_arrays,
    named_arrays,
)
from rnnkit.kinds.arrays import with_values
from rnnkit.testing.cases.graphs import graph_of
from rnnkit.testing.cases.likelihood import likelihood_cases
from rnnkit.testing.cases.setting import SETTINGS, USUAL, Setting
from rnnkit.testing.cases.widths import Widths
from rnnkit.testing.constants import thresholds
from rnnkit.testing.example import Broken, Case, Example, Leaves, Traceable, equal_bits
from rnnkit.testing.laws import calls_do_not_meet, close

LEADS = ((1,), (3,), (2, 3), (2, 2, 3))
WIDTHS = (4, 5, 1, 16, 17)
"""Even and odd, one, many; others near by are taken if a layer refuses them."""
WORDS = 300
MOST = 400
"""The largest size for a threshold in the code to be tried beyond."""

Inputs = Literal["drawn", "equal"]


def layer_cases(plugin: Layer[Any, Any, Any]) -> Iterator[Case]:
    """The cases of one layer."""
    plugin = fitted(plugin)
    widths = Widths(partial(_begin, plugin))
    main, *others = dict.fromkeys(map(widths.near, WIDTHS))
    beyond = thresholds(type(plugin), 16, MOST)
    more = [*others, *([widths.near(beyond)] if beyond else []), *([WORDS] * plugin.tokens)]
    shapes = [((*lead, main), lead == (2, 3)) for lead in LEADS]
    shapes += [((14, main), False), *(((3, d), False) for d in dict.fromkeys(more))]
    if beyond:
        shapes.append(((beyond, main), False))
    for shape, core in shapes:
        for training in (False, True):
            id = f"x={'x'.join(map(str, shape))}{',training' * training}"
            yield Case(id, partial(_at, plugin=plugin, shape=shape, training=training), core)
    for name, setting in SETTINGS.items():
        made = partial(_at, plugin=plugin, shape=(4, main), training=False, setting=setting)
        yield Case(name, made, core=name == "large")
    if not plugin.tokens:
        rows = partial(_at, plugin=plugin, shape=(4, main), training=False, rows="equal")
        yield Case("equal numbers", rows)
    if isinstance(plugin, LikelihoodLayer):
        yield from likelihood_cases(plugin, main)


def draws(plugin: Layer[Any, Any, Any], seed: int) -> bool:
    """Whether its results in training depend on the source of randomness."""
    plugin = fitted(plugin)
    d = Widths(partial(_begin, plugin)).near(5)
    rng = np.random.default_rng(seed)
    params = plugin.init(d, rng, np.dtype(np.float64))
    x = rng.integers(0, d, 40) if plugin.tokens else rng.standard_normal((40, d))
    one, other = (plugin.forward(params, x.copy(), np.random.default_rng(s))[0] for s in (1, 2))
    return not equal_bits(one, other)


def fitted(plugin: Layer[Any, Any, Any]) -> Layer[Any, Any, Any]:
    """The layer with a small output; of words there are more, as some may be rarer than others."""
    return plugin.fit(12 if isinstance(plugin, LikelihoodLayer) else 3)


def _begin(plugin: Layer[Any, Any, Any], d: int) -> None:
    plugin.out_features(d)
    params = plugin.init(d, np.random.default_rng(0), np.dtype(np.float64))
    with np.errstate(all="ignore"):  # what warns is for the cases to tell
        plugin.forward(params, np.zeros(1, int) if plugin.tokens else np.zeros((1, d)), None)


def _drawn(rng: Rng, shape: tuple[int, ...], rows: Inputs) -> Array:
    x = rng.standard_normal(shape)
    if rows == "equal":
        x[0], x[1], x[2] = 0.0, 0.7, np.round(x[2])
    return x


def _tokens(rng: Rng, lead: tuple[int, ...], words: int) -> Ints:
    """Tokens with repeats, the first and the last word among them."""
    tokens = rng.integers(0, words, lead)
    tokens.flat[:3] = (words - 1, 0, 0)[: tokens.size]
    return tokens


def _at(
    rng: Rng,
    plugin: Layer[Any, Any, Any],
    shape: tuple[int, ...],
    training: bool,
    setting: Setting = USUAL,
    rows: Inputs = "drawn",
) -> Example:
    """One layer on one input."""
    *lead, d = shape
    params = setting.stirred(plugin.init(d, rng, np.dtype(np.float64)), rng)
    seed = int(rng.integers(2**31))
    tokens = _tokens(rng, tuple(lead), d)
    leaves: dict[str, Array]
    leaves = {} if plugin.tokens else {"x": setting.inputs * _drawn(rng, shape, rows)}
    leaves |= {f"p.{name}": a for name, a in named_arrays(params)}

    def run(at: Leaves, x: Any) -> tuple[Array, Any]:
        source = np.random.default_rng(seed) if training else None
        y, cache = plugin.forward(with_values(params, at, "p."), x, source)
        return y, cache

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        given = tokens.copy() if plugin.tokens else at["x"]
        y, cache = run(at, given)
        if plugin.tokens and not np.array_equal(given, tokens):
            raise Broken("inputs unchanged", "forward changes the tokens that it is given in place")
        return {"y": y}, cache

    def backward(at: Leaves, cotangents: Leaves, cache: Any) -> Leaves:
        dx, dp = plugin.backward(with_values(params, at, "p."), cotangents["y"], cache)
        gradients = {f"p.{name}": a for name, a in named_arrays(dp)}
        return gradients if dx is None else {"x": dx, **gradients}

    def says_if_it_draws(example: Example) -> None:
        """A layer that is not `random` gives the same whatever the source of randomness holds."""
        x = tokens if plugin.tokens else leaves["x"]
        one, other = (
            plugin.forward(params, x.copy(), np.random.default_rng(s))[0] for s in (seed, seed + 1)
        )
        if not plugin.random and not equal_bits(one, other):
            raise Broken("random", "it draws random numbers while training: set random = True")

    def has_the_width_it_says(example: Example) -> None:
        """y (..., out_features(D))."""
        got, want = np.shape(run(leaves, _given())[0]), (*lead, plugin.out_features(d))
        if got != want:
            raise Broken(
                "shapes",
                f"for an input of shape {np.shape(_given())} y has shape {got}, where the leading axes and "
                f"out_features({d}) = {want[-1]} make it {want}",
            )

    def ties_what_it_has(example: Example) -> None:
        """`ties` are names of parameters."""
        for name in plugin.ties:
            if f"p.{name}" not in leaves:
                raise Broken("ties", f"it ties {name!r}, and has no such parameter")

    def has_rows_for_its_tokens(example: Example) -> None:
        """What is `by_token` has a row for each token, without a gradient where the token does not come up."""
        y, cache = run(leaves, _given())
        _, dp = plugin.backward(with_values(params, leaves, "p."), np.ones_like(y), cache)
        found, others = dict(named_arrays(dp)), np.setdiff1d(np.arange(d), tokens)
        for name in plugin.by_token:
            if name not in found or len(found[name]) != d or np.any(found[name][others]):
                raise Broken(
                    "by_token",
                    f"{name!r} is no parameter with a row for each token, read by no other",
                )

    def treats_each_position_alone(example: Example) -> None:
        """(N, T, D), (N T, D) and row by row are the same, unless numbers are drawn."""
        x, y = _given(), run(leaves, _given())[0]
        flat, wanted = x.reshape(-1, *x.shape[len(lead) :]), y.reshape(-1, y.shape[-1])
        alone = [run(leaves, flat[i : i + 1].copy())[0] for i in range(len(flat))]
        for what, got in (
            ("all positions in one row", run(leaves, flat.copy())[0]),
            ("one position at a time", np.concatenate(alone)),
        ):
            if not close(got, wanted):
                raise Broken(
                    "positions apart",
                    f"for an input of shape {x.shape} y is another than for {what}: a layer treats each "
                    "position alone",
                )

    def goes_back_alike_when_frozen(example: Example) -> None:
        """backward_input gives the dx of backward."""
        y, cache = run(leaves, _given())
        dy = np.cos(np.arange(float(y.size))).reshape(y.shape)
        dx = plugin.backward_input(with_values(params, leaves, "p."), dy.copy(), cache)
        wanted, _ = plugin.backward(params, dy.copy(), run(leaves, _given())[1])
        alike = dx is wanted if dx is None or wanted is None else close(dx, wanted)
        if not alike:
            raise Broken("backward_input", "backward_input gives another dx than backward does")

    def adds_to_sums(example: Example) -> None:
        """backward_onto gives the dx of backward, and adds its dp to what is there, y being overwritten."""
        assert isinstance(plugin, SummingLayer)
        p = with_values(params, leaves, "p.")
        y, cache = run(leaves, _given())
        dy = np.cos(np.arange(float(y.size))).reshape(y.shape)
        wanted, dp = plugin.backward(p, dy.copy(), run(leaves, _given())[1])
        sums = map_arrays(lambda a: np.full_like(a, 0.5), dp)
        y[...] = np.nan
        dx = plugin.backward_onto(p, dy.copy(), cache, sums)
        parts = zip(named_arrays(sums), named_arrays(dp), strict=True)
        alike = dx is wanted if dx is None or wanted is None else close(dx, wanted)
        if not alike or not all(close(a, 0.5 + b) for (_, a), (_, b) in parts):
            raise Broken(
                "backward_onto",
                "backward_onto gives another dx than backward does, or adds something else than its dp",
            )

    def _given() -> Any:
        return tokens.copy() if plugin.tokens else leaves["x"].copy()

    laws: list[Callable[[Example], None]] = [
        has_the_width_it_says,
        says_if_it_draws,
        ties_what_it_has,
    ]
    if plugin.by_token:
        laws.append(has_rows_for_its_tokens)
    if type(plugin).backward_input is not Layer.backward_input:
        laws.append(goes_back_alike_when_frozen)
    if isinstance(plugin, SummingLayer):
        laws.append(adds_to_sums)
    if not (training and plugin.random):
        laws.append(treats_each_position_alone)
    if setting is USUAL and len(lead) == 2:
        laws.append(calls_do_not_meet(type(plugin)))
    return Example(
        leaves,
        forward,
        backward,
        laws=tuple(laws),
        single="types" if setting.extreme else "compare",
        daring=setting.daring,
        traceable=Traceable(
            partial(graph_of, plugin, d, training=training),
            {"x": tokens} if plugin.tokens else {},
            seed,
            letters={"N": "len(x)", "D": "D", "H": "dy.shape[-1]"},
            remark="all leading axes joined",
            function=plugin.forward,
        ),
    )
