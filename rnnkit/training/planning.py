"""Which runs a comparison has: specs, the values that are put over theirs, and what they have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import attrs

from rnnkit.errors import RnnkitError, SpecError, place_of
from rnnkit.network.sizes import as_spec
from rnnkit.spec import Spec, parse_spec, source_of, sweep

T = TypeVar("T")


@attrs.frozen
class Reason:
    """Why there is nothing, and whether it is the user's to mend."""

    text: str
    mistake: bool


@attrs.frozen
class Run:
    """A run that is to be.

    Attributes:
        name: as in `Learnt`.
        spec: which of those given, from 0.
        source: of its file, as it was when all began; None for a spec in memory.
        overrides: that go over it.
        problem: why it cannot be, if that is known already.
        number: as in `Learnt`.
    """

    name: str
    spec: int
    source: str | None = attrs.field(default=None, repr=False)
    overrides: tuple[str, ...] = ()
    problem: Reason | None = None
    number: int = 0

    def read(self, specs: Sequence[str | Path | Spec]) -> Spec:
        """Its spec.

        Raises:
            SpecError: it has mistakes.
        """
        given = specs[self.spec]
        if self.source is None:
            return as_spec(given, self.overrides)
        return parse_spec(self.source, str(given), self.overrides)


@attrs.frozen
class Plan:
    """All runs, and what they have in common.

    Attributes:
        runs: in order.
        seed: of all; None if each has its own.
        data: the data folder of the first spec that names one.
    """

    runs: tuple[Run, ...]
    seed: int | None
    data: str | None


def make_plan(
    specs: Sequence[str | Path | Spec], overrides: Sequence[str], seed: int | None
) -> Plan:
    """Read each spec with each combination of the values that overrides give.

    What is wrong with a spec whatever its values are is the problem of one run.

    Raises:
        SpecError: there is one seed for all, and several in the overrides.
    """
    runs: list[Run] = []
    readable: list[Spec] = []
    own_seeds = False
    for number, spec in enumerate(specs):
        name = f"spec {number + 1}" if isinstance(spec, Spec) else str(spec)
        variants = attempt(partial(_variants, name, number, spec, overrides))
        if isinstance(variants, Reason):
            runs.append(Run(name, number, problem=variants))
            continue
        read = [attempt(partial(run.read, specs)) for run in variants]
        good = [found for found in read if isinstance(found, Spec)]
        reasons = [found for found in read if isinstance(found, Reason)]
        if not good and len(set(reasons)) == 1:
            runs.append(Run(name, number, problem=reasons[0]))
            continue
        runs += variants
        readable += good
        own_seeds = own_seeds or len({found.model.seed for found in good}) > 1
    if own_seeds and seed is not None:
        raise SpecError(
            f"{seed} cannot be the seed of all runs where model.seed has several values; give one or the other"
        )
    if readable and seed is None and not own_seeds:
        seed = readable[0].model.seed
    data = next((spec.data.path for spec in readable if spec.data.path), None)
    return Plan(tuple(_numbered(runs)), seed, data)


def _variants(
    name: str, number: int, spec: str | Path | Spec, overrides: Sequence[str]
) -> list[Run]:
    """The runs of one spec."""
    if isinstance(spec, Spec):
        return [Run(name, number, None, tuple(overrides))]
    source = source_of(spec)
    return [
        Run(f"{name} {variant.label}".rstrip(), number, source, variant.overrides)
        for variant in sweep(source, name, overrides)
    ]


def _numbered(runs: Sequence[Run]) -> Iterator[Run]:
    """The runs with their numbers, no two of one name."""
    before: Counter[str] = Counter()
    for number, run in enumerate(runs):
        before[run.name] += 1
        count = before[run.name]
        name = f"{run.name} ({count})" if count > 1 else run.name
        yield attrs.evolve(run, name=name, number=number)


def attempt(work: Callable[[], T]) -> T | Reason:
    """What the work gives, or why it gives nothing: a plugin may raise anything."""
    try:
        return work()
    except RnnkitError as e:
        return Reason(str(e), mistake=True)
    except Exception as e:
        return Reason(f"{type(e).__name__}: {e} {place_of(e)}", mistake=False)
