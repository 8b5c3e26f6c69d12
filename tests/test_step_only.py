"""Cells of which the step alone is written: what is derived of them passes as if it were written."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

from benchmarks.step_only import step_only
from rnnkit import registry
from rnnkit.describing.plugin_card import card
from rnnkit.errors import RegistryError, TraceError
from rnnkit.kinds import Array, DType, GatedCell, GatedStep, NoParams, RecurrentCell, Rng, State
from rnnkit.kinds.source import indented
from rnnkit.network import recurrent_layer
from rnnkit.network.derived import derived, whole
from rnnkit.registry import misfits
from rnnkit.testing.checks import checks_of, checks_of_class
from rnnkit.testing.variants import variants


@attrs.frozen
class Leaky(GatedStep[NoParams, State]):
    """h' = (1 - a) h + a tanh(zx + zh)."""

    rate: float = attrs.field(default=0.5, validator=attrs.validators.gt(0.0))
    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> State:
        return State((1.0 - self.rate) * s.h + self.rate * np.tanh(zx + zh))


LEAKY = """\
def step_back(
    self, p: NoParams, ds: State, cache: Array
) -> tuple[Array, Array, State, NoParams]:
    dz = self.rate * ds.h * (1.0 - cache**2)
    return dz, dz, State((1.0 - self.rate) * ds.h), p"""


def cells() -> list[RecurrentCell[Any, Any, Any]]:
    found: list[RecurrentCell[Any, Any, Any]] = []
    for name in registry.names(RecurrentCell):
        try:
            cls = registry.load(RecurrentCell, name)
        except RegistryError:
            continue
        found += [v.plugin for v in variants(cls) if v.promised and len(v.changed) < 2]
    return found


def test_a_step_alone_is_a_whole_plugin() -> None:
    assert list(misfits(Leaky, RecurrentCell)) == []
    failed = [check.id for check in checks_of_class(Leaky, "leaky") if not check.run(0).ok]
    assert failed == []


def test_what_is_derived_reads_as_if_it_were_written() -> None:
    assert derived(Leaky()).source.back == LEAKY
    assert inspect.getsource(derived(Leaky(0.25)).step_back).strip() == LEAKY


def test_it_is_derived_once() -> None:
    assert derived(Leaky(0.25)) is derived(Leaky(0.25))
    assert whole(Leaky(0.25)) == whole(Leaky(0.25))


def test_an_engine_takes_it_as_any_other() -> None:
    x, h0 = np.ones((4, 3), np.float32), np.zeros((4, 5), np.float32)
    rnn = recurrent_layer(Leaky(), 3, 5, np.random.default_rng(0), np.dtype(np.float32))
    after = rnn.advance(rnn.project(x), rnn.start(h0))
    p = rnn.params
    np.testing.assert_allclose(after.h, 0.5 * np.tanh(x @ p.Wx + p.b), rtol=1e-6)
    assert after.h.dtype == np.float32


def test_a_step_that_cannot_be_traced_is_named_with_its_line() -> None:
    line = f"{__file__}:{Choosy.step.__code__.co_firstlineno + 1}: "
    with pytest.raises(TraceError, match="depends on the numbers in an array") as raised:
        whole(Choosy())
    assert str(raised.value).startswith(line)


@pytest.mark.parametrize("cell", cells(), ids=repr)
def test_every_cell_does_without_its_step_back(cell: RecurrentCell[Any, Any, Any]) -> None:
    few = ["step,N=2,H=5", "large", "zero", "sequence,ragged"]
    checks = [c for c in checks_of(step_only(cell), repr(cell)) if c.id in few]
    assert [c.id for c in checks] == few
    assert [(c.id, f.text) for c in checks if not (f := c.run(0)).ok] == []


@pytest.mark.heavy
@pytest.mark.parametrize("cell", cells(), ids=repr)
def test_the_whole_suite_passes_without_a_step_back(cell: RecurrentCell[Any, Any, Any]) -> None:
    for check in checks_of(step_only(cell), repr(cell)):
        finding = check.run(0)
        assert finding.ok, (check.id, finding.text)


class Choosy(Leaky):
    """Of which nothing can be derived."""

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> State:
        return State(zx if zx.max() > 0 else zh)


def test_a_card_has_what_is_derived_or_why_nothing_is() -> None:
    made = card(Leaky)
    assert made.derived.endswith(indented(LEAKY))
    assert made.not_derived == ""
    choosy = card(Choosy)
    assert choosy.derived == ""
    assert "depends on the numbers in an array" in choosy.not_derived
    assert card(registry.load(RecurrentCell, "lstm")).derived == ""


def test_the_harness_says_what_cannot_be_derived() -> None:
    finding = next(iter(checks_of_class(Choosy, "choosy"))).run(0)
    assert finding.broken == "derived"
    assert finding.text.startswith("its step back cannot be derived: ")


def test_a_gated_cell_stays_what_it_is() -> None:
    cell = registry.load(RecurrentCell, "lstm")()
    assert whole(cell) is cell
    assert isinstance(whole(step_only(cell)), GatedCell)
