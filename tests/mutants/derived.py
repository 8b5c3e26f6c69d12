"""The derived gradient as a judge of mutants: `python -m tests.mutants.derived`.

Every mutant whose numbers the harness finds wrong goes before a second judge, which shares nothing with the first: the
gradient that is derived from the forward pass. The command prints how many of them that finds wrong, and fails if it
misses one in the examples that it can judge.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import warnings
from collections import Counter
from functools import cache, partial
from typing import Any, Final

import numpy as np

from rnnkit.errors import RnnkitError
from rnnkit.kinds import Activation, Array, Layer, Loss, Plugin, RecurrentCell
from rnnkit.kinds.traced import ActivationTrace, CellTrace, LayerTrace
from rnnkit.registry import load
from rnnkit.testing.example import Example, copied
from rnnkit.testing.variants import variants
from rnnkit.tracing import Gradient, gradient, trace
from tests.mutants import rivals
from tests.mutants.mutate import Mutant
from tests.mutants.run import GRADIENT, KINDS, built, equivalents, every_mutant, key, verdict

SIZES: Final = tuple(
    {"N": n, "D": d, "H": h} for n, d, h in ((3, 4, 5), (4, 4, 5), (4, 6, 5), (4, 6, 7), (5, 9, 11))
)

TOLERANCE: Final = 1e-11
"""How far a gradient may be from the derived one, relative to its largest number."""


@cache
def derived(cls: type[Plugin], label: str) -> Gradient | None:
    """The derived gradient of a variant of a plugin, for any sizes; None where none is derived."""
    plugin = next(v.plugin for v in variants(cls) if v.label == label)
    made: Any
    if isinstance(plugin, RecurrentCell):
        made = CellTrace(plugin)
    elif isinstance(plugin, Layer) and not plugin.random:
        made = LayerTrace(plugin, training=False)
    elif isinstance(plugin, Activation):
        made = ActivationTrace(plugin)
    else:
        return None
    try:
        return gradient(trace(made.run, made.draw, SIZES))
    except RnnkitError:
        return None


def catches(original: type[Plugin], mutant: type[Plugin], name: str, seed: int) -> bool | None:
    """Whether the derivation finds a mutant wrong in an example in which it finds the original right.

    None if it can judge none: no example says which tokens a layer is given, or which random numbers.
    """
    judged = False
    for case, example in rivals.examples(mutant, name, seed, np.inf):
        content = right(original, example, case, seed)
        judged |= content is not None
        if content is False:
            same = dict(rivals.examples(original, name, seed, np.inf)).get(case)
            if same is not None and right(original, same, case, seed):
                return True
    return False if judged else None


def right(original: type[Plugin], mutant: Example, case: str, seed: int) -> bool | None:
    """Whether the gradients of an example are the derived ones; None if that cannot be told."""
    found = derived(original, label_in(case))
    if found is None or set(found.graph.inputs) != set(mutant.leaves):
        return None
    rng = np.random.default_rng(seed)
    try:
        outputs, saved = mutant.forward(copied(mutant.leaves))
        cotangents = {k: np.asarray(rng.standard_normal(np.shape(y))) for k, y in outputs.items()}
        given = mutant.backward(copied(mutant.leaves), copied(cotangents), saved)
    except Exception:
        return False
    if not set(outputs) <= set(found.graph.outputs):  # it is of another method
        return None
    flat = {k: in_rows(a) if k == "x" else a for k, a in mutant.leaves.items()}
    wanted = found.evaluate(flat, {k: in_rows(d) if k == "y" else d for k, d in cotangents.items()})
    for name, g in wanted.items():
        room = TOLERANCE * max(1e-300, float(np.max(np.abs(g), initial=0.0)))
        if np.shape(given[name]) != np.shape(mutant.leaves[name]):
            return False
        if not np.allclose(given[name].reshape(g.shape), g, 0.0, room):
            return False
    return True


def label_in(case: str) -> str:
    """Which variant of a plugin a case is of."""
    return case.partition("[")[2].partition("]")[0]


def in_rows(a: Array) -> Array:
    """(N, D), whatever stands before the last axis."""
    return a.reshape(-1, a.shape[-1])


def judged(mutant: Mutant, seed: int) -> tuple[Mutant, bool, bool | None]:
    """A mutant; whether the harness finds its numbers wrong, and whether the derivation does."""
    name, original = f"{mutant.noun}:{mutant.plugin}", load(KINDS[mutant.noun], mutant.plugin)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cls = built(mutant)
        except Exception:
            return mutant, False, False
        killed, check = verdict(mutant, cls, name, seed)
        if killed != GRADIENT:
            return mutant, False, False
        caught = catches(original, cls, name, seed)
        if caught is False and derived(original, label_in(check)) is None:
            caught = None  # it may be wrong only where nothing is derived
        return mutant, True, caught


def main() -> int:
    """Judge all mutants, or those of some plugins."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plugins", nargs="*", help="some plugins, by name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    known = {e.key for e in equivalents()}
    todo = [m for m in every_mutant() if key(m) not in known and m.noun != Loss.noun]
    if options.plugins:
        todo = [m for m in todo if m.plugin in options.plugins]
    wrong: Counter[str] = Counter()
    unjudged: Counter[str] = Counter()
    missed: list[Mutant] = []
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for mutant, by_harness, by_derivation in pool.imap(
            partial(judged, seed=options.seed), todo, chunksize=10
        ):
            if by_harness:
                wrong[f"{mutant.noun} {mutant.plugin}"] += 1
                unjudged[f"{mutant.noun} {mutant.plugin}"] += by_derivation is None
                missed += [mutant] if by_derivation is False else []
    for plugin, count in wrong.items():
        left = sum(f"{m.noun} {m.plugin}" == plugin for m in missed) + unjudged[plugin]
        line = f"{plugin:28} {count:5d} wrong by the harness, {count - left:5d} by the derivation"
        print(f"{line}, {unjudged[plugin]} not judged" if unjudged[plugin] else line)
    for m in missed:
        print(f"missed: {m.noun} {m.plugin}: {m.line}  ({m.change})")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
