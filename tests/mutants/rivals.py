"""Two well-known gradient checks as judges of the same examples, with their default numbers.

`gradcheck` is `torch.autograd.gradcheck`: the whole Jacobian, element by element, by central differences of
width 1e-6, equal within 1e-5 + 1e-3 |difference|. `probe` is the reverse mode of `jax.test_util.check_grads`:
one random direction along all leaves at once, by a central difference of width 1e-4, and one random cotangent,
equal within 1e-5 (1 + |difference|). Both compare numbers only: a type or a changed input is not their concern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final, TypeAlias

import numpy as np

from rnnkit.kinds import Array, Plugin, Rng
from rnnkit.testing.cases import differentiable_cases
from rnnkit.testing.example import Example, Leaves, copied, seeded
from rnnkit.testing.variants import variants

Rival: TypeAlias = Callable[[Example, Example, str, int], bool]
"""(example of the mutant, the same of the original, the example's name, seed) -> whether it is content."""

GRADCHECK_EPS: Final = 1e-6
GRADCHECK_ATOL: Final = 1e-5
GRADCHECK_RTOL: Final = 1e-3
PROBE_EPS: Final = 1e-4
PROBE_TOLERANCE: Final = 1e-5
LARGEST: Final = 300
"""Numbers in the leaves of an example: a whole Jacobian of more takes minutes, for thousands of mutants."""


def catches(
    rival: Rival, mutant: type[Plugin], original: type[Plugin], name: str, seed: int
) -> bool:
    """Whether a rival finds fault with a mutant in any example where it finds none with the original."""
    own = _of_original(original, name, seed)
    for case, wrong in examples(mutant, name, seed):
        if case not in own:
            continue  # sizes depend on the constants of the code, which a mutant may change
        try:
            content = rival(wrong, own[case], case, seed)
        except Exception:
            content = False
        if not content and _content_with_original(rival, original, name, seed)[case]:
            return True
    return False


def examples(
    cls: type[Plugin], name: str, seed: int, largest: float = LARGEST
) -> Iterator[tuple[str, Example]]:
    """The examples that the harness examines a plugin class with, of so many numbers at most."""
    for variant in variants(cls):
        for case in differentiable_cases(variant.plugin) if variant.promised else ():
            if case.core or not variant.label:
                whole = f"{name}[{variant.label}]/{case.id}"
                example = case.draw(seeded(whole, seed))
                if sum(a.size for a in example.leaves.values()) <= largest:
                    yield whole, example


@cache
def _of_original(original: type[Plugin], name: str, seed: int) -> Mapping[str, Example]:
    return dict(examples(original, name, seed))


@cache
def _content_with_original(
    rival: Rival, original: type[Plugin], name: str, seed: int
) -> Mapping[str, bool]:
    return {case: rival(right, right, case, seed) for case, right in examples(original, name, seed)}


def gradcheck(mutant: Example, original: Example, case: str, seed: int) -> bool:
    """The Jacobian, element by element."""
    wanted = _jacobian(original, case, seed)
    outputs, saved = mutant.forward(copied(mutant.leaves))
    for output, y in outputs.items():
        for i in range(np.size(y)):
            cotangents = {name: np.zeros(np.shape(other)) for name, other in outputs.items()}
            cotangents[output].flat[i] = 1.0
            gradients = mutant.backward(copied(mutant.leaves), cotangents, saved)
            for name, leaf in mutant.leaves.items():
                given, differences = gradients[name], wanted[output, name][i]
                if np.shape(given) != leaf.shape:
                    return False
                off = np.abs(given.ravel() - differences)
                if not np.all(off <= GRADCHECK_ATOL + GRADCHECK_RTOL * np.abs(differences)):
                    return False
    return True


JACOBIANS: Final[dict[tuple[str, int], dict[tuple[str, str], Array]]] = {}
"""Jacobians of the originals (outputs, elements of the leaf), computed when first wanted."""


def _jacobian(example: Example, case: str, seed: int) -> dict[tuple[str, str], Array]:
    if (case, seed) not in JACOBIANS:
        JACOBIANS[case, seed] = _differences(example)
    return JACOBIANS[case, seed]


def _differences(example: Example) -> dict[tuple[str, str], Array]:
    columns: dict[tuple[str, str], list[Array]] = {}
    for name, leaf in example.leaves.items():
        for i in range(leaf.size):
            direction = np.zeros(leaf.shape)
            direction.flat[i] = 1.0
            for output, dy in _central(example, {name: direction}, GRADCHECK_EPS).items():
                columns.setdefault((output, name), []).append(np.ravel(dy))
    return {key: np.stack(rows, axis=1) for key, rows in columns.items()}


def probe(mutant: Example, original: Example, case: str, seed: int) -> bool:
    """One random direction, one random cotangent."""
    rng = seeded(f"{case}/probe", seed)
    direction = _like(rng, original.leaves)
    differences = _central(original, direction, PROBE_EPS)
    cotangents = mutant.cotangents or _like(rng, differences)
    _, saved = mutant.forward(copied(mutant.leaves))
    gradients = mutant.backward(copied(mutant.leaves), copied(cotangents), saved)
    if any(np.shape(gradients[name]) != v.shape for name, v in direction.items()):
        return False
    given = sum(float(np.sum(gradients[name] * v)) for name, v in direction.items())
    wanted = sum(float(np.sum(cotangents[name] * dy)) for name, dy in differences.items())
    return abs(given - wanted) <= PROBE_TOLERANCE + PROBE_TOLERANCE * abs(wanted)


def _like(rng: Rng, leaves: Leaves) -> dict[str, Array]:
    return {name: np.asarray(rng.standard_normal(np.shape(a))) for name, a in leaves.items()}


def _central(example: Example, direction: Leaves, eps: float) -> dict[str, Array]:
    """The derivatives of the outputs along a direction of some leaves."""

    def outputs(t: float) -> Leaves:
        moved = copied(example.leaves)
        for name, v in direction.items():
            moved[name] += t * v
        return example.forward(moved)[0]

    above, below = outputs(eps), outputs(-eps)
    return {name: np.asarray((above[name] - below[name]) / (2 * eps)) for name in above}
