"""What there is to check: installed plugins, classes in files, specs; and running all checks of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from rnnkit import registry
from rnnkit.errors import MissingPackage, RegistryError
from rnnkit.kinds import KINDS, Plugin
from rnnkit.parallel import ALONE, Ranks
from rnnkit.spec import read_spec
from rnnkit.testing.answers import answered
from rnnkit.testing.checks import Check, checks_of_class, checks_of_spec
from rnnkit.testing.examine import Finding
from rnnkit.testing.raised import raising
from rnnkit.testing.reasons import reasoned
from rnnkit.testing.source import backward_of, class_at, kind_of


@attrs.frozen
class Target:
    """A plugin or a spec to check.

    Attributes:
        kind: noun of the kind, or "spec".
        name: as users write it.
        package: that provides it, with its version; or the file it is in.
        checks: all of them.
        place: `file:line` of the backward pass.
        problem: why it cannot be checked at all, if it cannot.
        forward: `file:line` of the forward pass, where that is a function of its own.
        separate: whether its checks are about different things, each of which is explained and told.
        more: words after its name that check it in the same way.
    """

    kind: str
    name: str
    package: str
    checks: Callable[[], Iterator[Check]] = attrs.field(eq=False)
    place: str = ""
    problem: str | None = None
    forward: str = ""
    separate: bool = False
    more: tuple[str, ...] = ()

    @property
    def again(self) -> list[str]:
        """The words after `rnnkit gradcheck` that check just this."""
        return ["--spec", self.name] if self.kind == "spec" else [self.name, *self.more]


@attrs.frozen
class Failure:
    """A check that failed."""

    check: str
    finding: Finding


@attrs.frozen
class Report:
    """What came of all checks of one target.

    Attributes:
        target: what was checked.
        checks: number of checks run.
        worst: the largest relative error of a gradient.
        seconds: that it took.
        failures: in the order of the checks.
        notes: what the author should know although nothing is wrong.
        missing: what has to be installed before it can be checked; empty if nothing.
    """

    target: Target
    checks: int
    worst: float
    seconds: float
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    missing: str = ""

    @property
    def ok(self) -> bool:
        """Whether every check that could be run passed, and there was something to check."""
        return not self.failures and self.target.problem is None

    @property
    def telling(self) -> Failure | None:
        """The failure that explains most: a broken law, else a gradient with a reason, else one looked into."""

        def rank(failure: Failure) -> tuple[bool, bool, bool]:
            leaves = failure.finding.leaves
            hinted = any(leaf.hint for leaf in leaves)
            return failure.finding.broken == "gradient", not hinted, not leaves

        return min(self.failures, key=rank, default=None)


def run(target: Target, seed: int = 0, only: str = "", *, answers: bool = True) -> Report:
    """Run the checks of a target, or those whose id contains `only`.

    Args:
        target: what to check.
        seed: of all random numbers.
        only: what the name of a check must contain.
        answers: whether to say what wrong gradients should be.
    """
    began, count, worst = time.perf_counter(), 0, 0.0
    failures: list[Failure] = []
    notes: dict[str, None] = {}
    missing = ""
    try:
        for check in target.checks() if target.problem is None else ():
            if only in check.id:
                finding = check.run(seed)
                count += 1
                worst = max(worst, finding.error)
                if finding.note:
                    notes[finding.note] = None
                if not finding.ok:
                    failures.append(Failure(check.id, finding))
    except MissingPackage as e:
        missing = str(e)
    except KeyboardInterrupt:
        raise
    except BaseException as e:  # it would end the program, and what is left to check
        failures.append(Failure("runs", Finding(broken="runs", text=raising("it", e))))
    found = [failure.finding for failure in failures]
    explained = [f.explained() for f in found] if target.separate else reasoned(found)
    told = tuple(
        attrs.evolve(f, finding=answered(new, f.finding.diagnosis) if answers else new)
        for f, new in zip(failures, explained, strict=True)
    )
    seconds = time.perf_counter() - began
    return Report(target, count, worst, seconds, told, tuple(notes), missing)


def run_each(
    targets: Sequence[Target],
    seed: int = 0,
    only: str = "",
    ranks: Ranks = ALONE,
    *,
    answers: bool = True,
) -> list[Report]:
    """Run the checks of several targets; each is one rank's, whichever is free.

    Returns:
        The reports in the order of the targets; on ranks beyond the first, none.
    """

    def found(number: int) -> tuple[Any, ...]:
        report = run(targets[number], seed, only, answers=answers)
        # Without the target, whose checks are functions: those cannot be sent.
        return attrs.astuple(report, recurse=False)[1:]

    done = dict(ranks.spread(found, len(targets)))
    return [Report(targets[number], *done[number]) for number in sorted(done)]


def installed(package: str | None = None, kind: str | None = None) -> Iterator[Target]:
    """Every registered plugin, or those of one package or kind."""
    for base in KINDS:
        for entry in registry.entries_of(base):
            if package in (None, entry.package) and kind in (None, base.noun):
                yield of_entry(entry)


def named(name: str, kind: str | None = None) -> list[Target]:
    """What a name on the command line stands for: `lstm`, `package:lstm`, or `file.py::ClassName`.

    Raises:
        RegistryError: there is none; with the nearest name there is.
    """
    if "::" in name or name.endswith(".py"):
        return [of_class(class_at(name), name, name.partition("::")[0])]
    base = None if kind is None else registry.kind_called(kind)
    return [of_entry(entry) for entry in registry.entries_called(name, base)]


def of_entry(entry: registry.Entry) -> Target:
    """An installed plugin."""
    where = f"{entry.package} {entry.version}"
    try:
        cls = registry.load_entry(entry)
    except RegistryError as e:
        return Target(entry.kind.noun, entry.name, where, lambda: iter(()), problem=str(e))
    return of_class(cls, entry.spec_name, where)


def of_class(cls: type[Plugin], name: str, where: str) -> Target:
    """A plugin class, installed or not; its random numbers come from what it is, not from how it was named."""
    noun = kind_of(cls).noun
    seeds = f"{noun}:{cls.__qualname__}"
    return Target(noun, name, where, lambda: checks_of_class(cls, seeds), backward_of(cls))


def of_spec(file: Path) -> Target:
    """The network of a spec file.

    Raises:
        SpecError: the file has mistakes.
    """
    spec = read_spec(file)
    here = Path.cwd()
    name = str(file.relative_to(here) if file.is_relative_to(here) else file)
    return Target("spec", name, "", lambda: checks_of_spec(spec, f"spec:{file.stem}"), name)
