"""All checks of a plugin: gradients and laws for what has a gradient, contracts for what has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from rnnkit.kinds import Plugin, Rng
from rnnkit.spec import Spec
from rnnkit.testing.cases import differentiable_cases, network_cases
from rnnkit.testing.contracts import contracts_of
from rnnkit.testing.examine import Finding, examine
from rnnkit.testing.example import Broken, Case, seeded
from rnnkit.testing.raised import in_words
from rnnkit.testing.reach import never_reached
from rnnkit.testing.unwritten import told, told_of_spec, unwritten
from rnnkit.testing.variants import variants


@attrs.frozen
class Check:
    """One check, ready to run.

    Attributes:
        id: `variant/case`, or the case alone for the default options.
        run: from a base seed to what was found.
    """

    id: str
    run: Callable[[int], Finding]


def checks_of_class(cls: type[Plugin], name: str) -> Iterator[Check]:
    """Every check of a plugin class, for each of its variants; `name` goes into the seeds.

    A class with methods that are not written yet has one check, which says so.
    """
    if any(True for _ in unwritten(cls)):
        yield Check("written", _written(cls, name))
        return
    yield from _of_variants(cls, name)


def _written(cls: type[Plugin], name: str) -> Callable[[int], Finding]:
    """That every method is written; but what is wrong with those that are comes first."""

    def run(seed: int) -> Finding:
        first = next(_of_variants(cls, name)).run(seed)
        if not first.ok and NotImplementedError.__name__ not in first.text:
            return first
        return Finding(broken="written", text=told(list(unwritten(cls))))

    return run


def _of_variants(cls: type[Plugin], name: str) -> Iterator[Check]:
    for label, plugin in variants(cls):
        for check in checks_of(plugin, f"{name}[{label}]", few=bool(label)):
            yield Check(f"{label}/{check.id}" if label else check.id, check.run)
        if not label and any(True for _ in differentiable_cases(plugin)):
            yield Check("every leaf matters", _reach(plugin, f"{name}[{label}]"))


def _reach(plugin: Plugin, name: str) -> Callable[[int], Finding]:
    """That every parameter, slot and input has a gradient in some example."""

    def run(seed: int) -> Finding:
        findings = [_gradient(case, name).run(seed) for case in differentiable_cases(plugin)]
        told = list(never_reached(findings)) if all(f.ok for f in findings) else []
        return Finding(broken="reached", text="; ".join(told)) if told else Finding()

    return run


def checks_of(plugin: Plugin, name: str, *, few: bool = False) -> Iterator[Check]:
    """Every check of one instance, or the few that options other than the defaults need."""
    for case in differentiable_cases(plugin):
        if case.core or not few:
            yield _gradient(case, name)
    for contract in contracts_of(plugin):
        yield Check(contract.id, _kept(contract.law, f"{name}/{contract.id}"))


def checks_of_spec(spec: Spec, name: str) -> Iterator[Check]:
    """Every check of the network of a spec; one that says so if plugins in it are not written yet."""
    missing = told_of_spec(spec)
    if missing:
        yield Check("written", lambda seed: Finding(broken="written", text=missing))
        return
    for case in network_cases(spec):
        yield _gradient(case, name)


def _gradient(case: Case, name: str) -> Check:
    def run(seed: int) -> Finding:
        rng = seeded(f"{name}/{case.id}", seed)
        try:
            example = case.draw(rng)
        except Broken as e:
            return Finding(broken=e.law, text=e.text)
        except Exception as e:
            text = f"making it raises {in_words(e)}"
            return Finding(broken="builds", text=text)
        return examine(example, rng)

    return Check(case.id, run)


def _kept(law: Callable[[Rng], None], name: str) -> Callable[[int], Finding]:
    def run(seed: int) -> Finding:
        try:
            law(seeded(name, seed))
        except Broken as e:
            return Finding(broken=e.law, text=e.text)
        except Exception as e:
            return Finding(broken="runs", text=f"it raises {in_words(e)}")
        return Finding()

    return run
