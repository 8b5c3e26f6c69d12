"""Layers that know the likelihood of a word alone: it is that of all words, whichever word it is, and so is its gradient."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from rnnkit.kinds import Array, Ints, LikelihoodLayer, Rng, named_arrays
from rnnkit.kinds.arrays import with_values
from rnnkit.testing.cases.setting import SETTINGS, USUAL, Setting
from rnnkit.testing.example import Broken, Case, Example, Leaves
from rnnkit.testing.laws import calls_do_not_meet, close


def likelihood_cases(plugin: LikelihoodLayer[Any, Any, Any], d: int) -> Iterator[Case]:
    """The cases of `likelihood`, at an input of width d."""
    at = partial(_at, plugin=plugin, d=d)
    V = plugin.out_features(d)
    yield Case("likelihood", partial(at, targets=np.arange(V)[::-1]), core=True)
    yield Case("likelihood,M=1", partial(at, targets=np.array([V - 1])))
    yield Case("likelihood of one word", partial(at, targets=np.zeros(4, int)))
    yield Case("likelihood,large", partial(at, targets=np.arange(V), setting=SETTINGS["large"]))


def _at(
    rng: Rng,
    plugin: LikelihoodLayer[Any, Any, Any],
    d: int,
    targets: Ints,
    setting: Setting = USUAL,
) -> Example:
    params = setting.stirred(plugin.init(d, rng, np.dtype(np.float64)), rng)
    leaves: dict[str, Array] = {"x": setting.inputs * rng.standard_normal((len(targets), d))}
    leaves |= {f"p.{name}": a for name, a in named_arrays(params)}

    def forward(at: Leaves) -> tuple[Leaves, Any]:
        given = targets.copy()
        log_probs, cache = plugin.likelihood(with_values(params, at, "p."), at["x"], given)
        if not np.array_equal(given, targets):
            raise Broken("inputs unchanged", "likelihood changes the targets it is given in place")
        return {"log_probs": log_probs}, cache

    def backward(at: Leaves, cotangents: Leaves, cache: Any) -> Leaves:
        p = with_values(params, at, "p.")
        dx, dp = plugin.likelihood_back(p, cotangents["log_probs"], cache)
        return {"x": dx, **{f"p.{name}": a for name, a in named_arrays(dp)}}

    def is_one_of_all(example: Example) -> None:
        """What forward gives for the target, where all add up to 1."""
        every, _ = plugin.forward(params, leaves["x"].copy(), None)
        if not close(np.exp(every).sum(axis=1), np.ones(len(targets))):
            raise Broken("likelihood", "the probabilities that forward gives do not add up to 1")
        found, _ = plugin.likelihood(params, leaves["x"].copy(), targets.copy())
        if not close(found, every[np.arange(len(targets)), targets]):
            raise Broken("likelihood", "likelihood gives another log probability than forward")

    def knows_where_words_are(example: Example) -> None:
        """Each word stands in some parameter, and the axes are as long as they are said to be."""
        axes, shapes = plugin.word_axes(), {name: a.shape for name, a in named_arrays(params)}
        seen: set[int] = set()
        for name, (axis, tokens) in axes.items():
            if name not in shapes or shapes[name][axis] != len(tokens):
                raise Broken("words", f"word_axes tells of {name!r} what its shape does not say")
            seen |= {token for token in tokens.tolist() if token >= 0}
        if seen != set(range(plugin.out_features(d))):
            raise Broken("words", "word_axes leaves words out, or has some that there are not")

    return Example(
        leaves,
        forward,
        backward,
        laws=(is_one_of_all, knows_where_words_are, calls_do_not_meet(type(plugin))),
        single="types" if setting.extreme else "compare",
    )
