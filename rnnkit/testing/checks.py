"""All checks of a plugin: gradients and laws for what has a gradient, contracts for what has none."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from rnnkit.errors import MissingPackage, RegistryError, TraceError
from rnnkit.kinds import Decoder, Encoder, Layer, Plugin, Rng
from rnnkit.registry.options import option_types
from rnnkit.spec import Spec
from rnnkit.testing.cases import differentiable_cases, draws, network_cases
from rnnkit.testing.contracts import contracts_of
from rnnkit.testing.examine import Finding, examine, trouble
from rnnkit.testing.example import Broken, Case, seeded
from rnnkit.testing.idle import idle
from rnnkit.testing.raised import in_words, raising
from rnnkit.testing.randomness import watched
from rnnkit.testing.reach import never_reached
from rnnkit.testing.unwritten import told, told_of_spec, unwritten
from rnnkit.testing.variants import Variant, variants


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
    try:
        every = list(variants(cls))
    except RegistryError as e:
        text = str(e)
        yield Check("options", lambda seed: Finding(broken="options", text=text))
        return
    usual: list[Check] = []
    for variant in every:
        for check in _of_one(variant, f"{name}[{variant.label}]"):
            if variant.label:
                yield Check(f"{variant.label}/{check.id}", check.run)
            else:  # what is found is asked for again, by the check that every leaf matters
                usual.append(Check(check.id, functools.cache(check.run)))
                yield usual[-1]
    plugin = every[0].plugin
    if any(True for _ in differentiable_cases(plugin)):
        yield Check("every leaf matters", _reach(usual))
    if option_types(cls) and not isinstance(plugin, Decoder | Encoder):
        yield Check("options", lambda seed: Finding(note="; ".join(idle(every)) or None))
    if isinstance(plugin, Layer) and plugin.random:
        yield Check(
            "random numbers", _some_draw([v.plugin for v in every if isinstance(v.plugin, Layer)])
        )


def _of_one(variant: Variant[Plugin], name: str) -> Iterator[Check]:
    """The checks of a variant, and what holds around each: given randomness alone, and options unchanged."""
    plugin = variant.plugin
    with watched(plugin) as said:  # to see which widths it takes, it is run
        every = list(checks_of(plugin, name, few=bool(variant.label), daring=not variant.promised))
    for check in every:
        yield Check(check.id, _watched(plugin, check.run, said))


def _watched(
    plugin: Plugin, run: Callable[[int], Finding], before_it: list[str]
) -> Callable[[int], Finding]:
    def watching(seed: int) -> Finding:
        before = copy.deepcopy(plugin)
        with watched(plugin) as said:
            finding = run(seed)
        said[:0] = before_it
        if finding.ok and said:
            return Finding(broken="randomness", text=said[0])
        if finding.ok and plugin != before:
            return Finding(broken="options unchanged", text=f"it changes its options to {plugin}")
        return finding

    return watching


def _some_draw(plugins: list[Layer[Any, Any, Any]]) -> Callable[[int], Finding]:
    """That a layer that says it is random has other results for another generator, with some options."""

    def run(seed: int) -> Finding:
        if any(draws(plugin, seed) for plugin in plugins):
            return Finding()
        return Finding(
            broken="random",
            text="it says random = True, and gives the same in training whatever the source of randomness "
            "holds: draw from `rng`",
        )

    return run


def _reach(checks: Iterable[Check]) -> Callable[[int], Finding]:
    """That every parameter, slot and input has a gradient in some example."""

    def run(seed: int) -> Finding:
        findings = []
        for check in checks:
            findings.append(check.run(seed))
            if not findings[-1].ok:  # which a check of its own tells
                return Finding()
        told = list(never_reached(findings))
        return Finding(broken="reached", text="; ".join(told)) if told else Finding()

    return run


def checks_of(
    plugin: Plugin, name: str, *, few: bool = False, daring: bool = False
) -> Iterator[Check]:
    """Every check of one instance.

    Args:
        plugin: with its options.
        name: for the seeds.
        few: leave out all but the few that options other than the defaults need.
        daring: the options may be beyond what the forward pass can compute with.
    """
    for case in differentiable_cases(plugin):
        if case.core or not few:
            yield _gradient(case, name, daring=daring)
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


def _gradient(case: Case, name: str, *, daring: bool = False) -> Check:
    def run(seed: int) -> Finding:
        rng = seeded(f"{name}/{case.id}", seed)
        try:
            example = case.draw(rng)
        except Broken as e:
            if daring and e.law == "widths":
                return Finding(note=refused(name, e.text))
            return Finding(broken=e.law, text=e.text)
        except TraceError as e:
            return Finding(broken="derived", text=f"its step back cannot be derived: {e}")
        except MissingPackage:
            raise
        except Exception as e:
            if daring:
                return Finding(note=refused(name, in_words(e)))
            return Finding(broken="builds", text=raising("making it", e))
        if daring:
            problem = trouble(example)
            if problem:
                return Finding(note=refused(name, problem))
        return examine(example, rng)

    return Check(case.id, run)


def refused(name: str, why: str) -> str:
    """What is noted of options that no validator excludes, and that the forward pass cannot compute with."""
    return f"{name.partition('[')[2].rstrip(']')} is not checked, as forward cannot do it: {why}"


def _kept(law: Callable[[Rng], None], name: str) -> Callable[[int], Finding]:
    def run(seed: int) -> Finding:
        try:
            law(seeded(name, seed))
        except Broken as e:
            return Finding(broken=e.law, text=e.text)
        except MissingPackage:
            raise
        except Exception as e:
            return Finding(broken="runs", text=f"it raises {in_words(e)}")
        return Finding()

    return run
