"""Networks of equal parameters: the hidden sizes found are the best there are, by the cells' formulas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import rnnkit
from rnnkit.data import Vocabulary
from rnnkit.errors import SpecError
from rnnkit.network.engine import recurrent_layer
from rnnkit.network.scaling import parameters_of, scaled_to
from rnnkit.network.sizes import Sizes
from rnnkit.spec import parse_spec
from rnnkit.training import Failed, Learnt, compare

F, V, D = 10, 30, 12

SIZES = Sizes(F, Vocabulary.standard(V), 9)

SPEC = """
[model]
words = { use = "embedding", dim = 12 }
[[model.rnn]]
hidden = 24
cell = "lstm"
[train]
epochs = 1
batch = 16
optimizer = "adam"
"""

STACK = """
[model]
words = { use = "embedding", dim = 12 }
[[model.rnn]]
hidden = 40
cell = "vanilla"
[[model.rnn]]
hidden = 10
cell = "vanilla"
"""


def gates(count: int) -> Callable[[int], int]:
    """Parameters with a cell of so many gates, H wide: image, words, gates, head."""
    return lambda h: F * h + h + V * D + count * h * (D + h + 1) + h * V + V


def stacked(h: int) -> int:
    """Parameters of the stack, whose upper layer has a quarter of the width; the image starts both."""
    top = max(1, round(h / 4))
    image = (F + 1) * (h + top)
    return image + V * D + h * (D + h + 1) + top * (h + top + 1) + top * V + V


@pytest.mark.parametrize("wanted", [1_000, 4_321, 50_000])
@pytest.mark.parametrize(("cell", "count"), [("vanilla", 1), ("gru-reset-before", 3), ("lstm", 4)])
def test_the_nearest_hidden_size_is_found(cell: str, count: int, wanted: int) -> None:
    spec = parse_spec(SPEC, overrides=[f"model.rnn[0].cell={cell}"])
    found = scaled_to(spec, wanted, SIZES)
    formula = gates(count)
    nearest = min(range(1, 400), key=lambda h: abs(formula(h) - wanted))
    assert [level.hidden for level in found.model.rnn] == [nearest]
    assert parameters_of(found, SIZES) == formula(nearest)
    level = attrs.evolve(found.model.rnn[0], hidden=24)
    assert attrs.evolve(found, model=attrs.evolve(found.model, rnn=(level,))) == spec


def test_a_stack_keeps_its_proportions() -> None:
    found = scaled_to(parse_spec(STACK), 10_000, SIZES)
    nearest = min(range(1, 400), key=lambda h: abs(stacked(h) - 10_000))
    assert [level.hidden for level in found.model.rnn] == [nearest, max(1, round(nearest / 4))]
    assert parameters_of(found, SIZES) == stacked(nearest)


def test_a_spec_that_has_them_already_stays_as_it_is() -> None:
    for text in (SPEC, STACK):
        spec = parse_spec(text)
        assert scaled_to(spec, parameters_of(spec, SIZES), SIZES) == spec


def test_where_there_is_no_such_size_the_nearest_is_told() -> None:
    with pytest.raises(SpecError) as told:
        scaled_to(parse_spec(SPEC), 100, SIZES)
    assert str(told.value).endswith(
        "model.rnn: no hidden size gives about 100 parameters; "
        f"hidden = 1 comes nearest, with {gates(4)(1):,}"
    )


def test_sizes_that_a_plugin_does_not_take_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_eights(cell: Any, in_features: int, hidden: int, *rest: Any, **options: Any) -> Any:
        if hidden % 8:
            raise ValueError(f"{hidden} is no multiple of 8")
        return recurrent_layer(cell, in_features, hidden, *rest, **options)

    spec = parse_spec(SPEC, overrides=["model.rnn[0].cell=gru-reset-before"])
    monkeypatch.setattr("rnnkit.network.builder.recurrent_layer", in_eights)
    nearest = min(range(8, 400, 8), key=lambda h: abs(gates(3)(h) - 20_000))
    assert scaled_to(spec, 20_000, SIZES).model.rnn[0].hidden == nearest


def test_a_comparison_at_equal_parameters(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lstm, vanilla, none = Path("lstm.toml"), Path("vanilla.toml"), Path("none.toml")
    lstm.write_text(SPEC)
    vanilla.write_text(SPEC.replace("lstm", "vanilla"))
    a, b, c = compare([none, lstm, vanilla], tiny_data, equal_parameters=True)
    assert isinstance(a, Failed)
    assert isinstance(b, Learnt)
    assert isinstance(c, Learnt)
    with rnnkit.open_data(tiny_data) as data:
        built = rnnkit.build(lstm, data)
    assert b.parameters == sum(w.size for w in built.parameters.values())
    assert b.hidden == (24,)
    assert c.hidden[0] > 24
    assert c.parameters == pytest.approx(b.parameters, rel=0.03)
    assert rnnkit.load(c.folder).spec.model.rnn[0].hidden == c.hidden[0]
    (n,) = compare([vanilla], tiny_data, equal_parameters=9_000)
    assert isinstance(n, Learnt)
    assert n.parameters == pytest.approx(9_000, rel=0.02)


def test_more_parameters_than_memory_are_refused_before_they_are_tried() -> None:
    with pytest.raises(SpecError, match=r"model\.rnn: 100,.*,000 parameters take 4e\+08 TB, but"):
        scaled_to(parse_spec(SPEC), 10**20, SIZES)
