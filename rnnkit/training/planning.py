"""Which runs a comparison has: specs, the values that are put over theirs, and what they have in common."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import attrs

from rnnkit.errors import RnnkitError, SpecError, quoted, told
from rnnkit.network.sizes import as_spec
from rnnkit.registry.blame import culprit, method_at_fault
from rnnkit.spec import Spec, parse_spec, source_of, sweep
from rnnkit.system.limits import MOST_RUNS

T = TypeVar("T")

_LONG: Final = 60
"""Characters of the name of a run that its folder's name has, at most."""


@attrs.frozen
class Reason:
    """Why there is nothing, and whether it is the user's to mend."""

    text: str
    mistake: bool


@attrs.frozen
class Planned:
    """A run that is to be.

    Attributes:
        row: as in `Learnt`.
        spec: which of those given, from 0.
        short: the row without folders.
        source: of its file, as it was when all began; None for a spec in memory.
        overrides: that go over it.
        problem: why it cannot be, if that is known already.
        seed: that it has instead of the spec's.
        name: as in `Learnt`.
        number: as in `Learnt`.
        folder: what its folder is called.
    """

    row: str
    spec: int
    short: str
    source: str | None = attrs.field(default=None, repr=False)
    overrides: tuple[str, ...] = ()
    problem: Reason | None = None
    seed: int | None = None
    name: str = ""
    number: int = 0
    folder: str = ""

    def read(self, specs: Sequence[str | Path | Spec]) -> Spec:
        """Its spec.

        Raises:
            SpecError: it has mistakes.
        """
        given = specs[self.spec]
        if self.source is None:
            spec = as_spec(given, self.overrides)
        else:
            spec = parse_spec(self.source, str(given), self.overrides)
        if self.seed is None:
            return spec
        return attrs.evolve(spec, model=attrs.evolve(spec.model, seed=self.seed))


@attrs.frozen
class Plan:
    """All runs, and what they have in common.

    Attributes:
        runs: in order.
        data: the data folder of the first spec that names one.
    """

    runs: tuple[Planned, ...]
    data: str | None


def make_plan(
    specs: Sequence[str | Path | Spec], overrides: Sequence[str], seed: int | None, seeds: int
) -> Plan:
    """Read each spec with each combination of the values that overrides give.

    What is wrong with a spec whatever its values are is the problem of one run.

    Raises:
        SpecError: there is one seed for all, or several for each, and several in the overrides; or `seeds` is
            less than 1, or there are more runs than anybody compares.
    """
    if seeds < 1:
        raise SpecError(f"a comparison takes 1 seed or more, not {seeds}")
    if seeds > MOST_RUNS:
        raise SpecError(f"a comparison takes {MOST_RUNS:,} seeds at most, not {quoted(seeds)}")
    rows: list[Planned] = []
    readable: list[Spec] = []
    own_seeds = False
    for number, spec in enumerate(specs):
        whole = Planned(*_names(spec, number))
        variants = attempt(partial(_variants, whole, spec, overrides))
        if isinstance(variants, Reason):
            rows.append(attrs.evolve(whole, problem=variants))
            continue
        read = [attempt(partial(run.read, specs)) for run in variants]
        good = [found for found in read if isinstance(found, Spec)]
        reasons = [found for found in read if isinstance(found, Reason)]
        if not good and len(set(reasons)) == 1:
            rows.append(attrs.evolve(whole, problem=reasons[0]))
            continue
        rows += variants
        readable += good
        own_seeds = own_seeds or len({found.model.seed for found in good}) > 1
    if own_seeds and (seed is not None or seeds > 1):
        what = f"{seeds} seeds cannot be those" if seeds > 1 else f"{seed} cannot be the seed"
        raise SpecError(
            f"{what} of all runs where model.seed has several values; give one or the other"
        )
    if readable and seed is None and not own_seeds:
        seed = readable[0].model.seed
    if len(rows) * seeds > MOST_RUNS:
        raise SpecError(
            f"a comparison has {MOST_RUNS:,} runs at most, and {len(rows):,} networks with {seeds:,} seeds each are more"
        )
    data = next((spec.data.path for spec in readable if spec.data.path), None)
    return Plan(tuple(_runs(list(_told_apart(rows)), seed, seeds)), data)


def _names(spec: str | Path | Spec, number: int) -> tuple[str, int, str]:
    """A spec's name, number, and name without folders."""
    if isinstance(spec, Spec):
        return f"spec {number + 1}", number, "spec"
    return str(spec), number, Path(spec).stem


def _variants(whole: Planned, spec: str | Path | Spec, overrides: Sequence[str]) -> list[Planned]:
    """The rows of one spec."""
    if isinstance(spec, Spec):
        return [attrs.evolve(whole, overrides=tuple(overrides))]
    source = source_of(spec)
    return [
        attrs.evolve(
            whole,
            row=f"{whole.row} {variant.label}".rstrip(),
            short=f"{whole.short} {variant.label}".rstrip(),
            source=source,
            overrides=variant.overrides,
        )
        for variant in sweep(source, whole.row, overrides)
    ]


def _told_apart(rows: Sequence[Planned]) -> Iterator[Planned]:
    """The rows, no two of one name."""
    before: Counter[str] = Counter()
    for row in rows:
        before[row.row] += 1
        count = before[row.row]
        yield attrs.evolve(row, row=f"{row.row} ({count})") if count > 1 else row


def _runs(rows: Sequence[Planned], seed: int | None, seeds: int) -> Iterator[Planned]:
    """A run for each seed of each row, with names for it and its folder, which begins with its number."""
    runs = [run for row in rows for run in _seeded(row, seed, seeds)]
    digits = len(str(len(runs)))
    for number, run in enumerate(runs):
        words = re.sub(r"[^\w.]+", "-", run.short).strip("-")[:_LONG]
        yield attrs.evolve(run, number=number, folder=f"{number + 1:0{digits}}-{words}")


def _seeded(row: Planned, seed: int | None, seeds: int) -> list[Planned]:
    """The runs of a row, the first of them with this seed; one of a row that has a problem."""
    if seed is None or seeds == 1 or row.problem is not None:
        return [attrs.evolve(row, seed=seed, name=row.row)]
    return [
        attrs.evolve(row, seed=s, name=f"{row.row} seed={s}", short=f"{row.short} seed={s}")
        for s in range(seed, seed + seeds)
    ]


def attempt(work: Callable[[], T]) -> T | Reason:
    """What the work gives, or why it gives nothing: a plugin may raise anything."""
    try:
        return work()
    except RnnkitError as e:
        return Reason(str(e), mistake=True)
    except KeyboardInterrupt:
        raise
    except Exception as e:
        return Reason(culprit(e) or told(e), mistake=False)
    except BaseException as e:
        said = method_at_fault(e)
        if said is None:  # the program that asks for it ends
            raise
        return Reason(said, mistake=False)
