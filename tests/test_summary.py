"""The table of `build`: parameters, work and memory, against closed forms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rnnkit.data import Vocabulary
from rnnkit.describing.summary import Part, summarize
from rnnkit.describing.work import multiply_adds
from rnnkit.kinds import Array
from rnnkit.network.builder import assemble
from rnnkit.network.sizes import Sizes
from rnnkit.spec import parse_spec

F, V, T, D, H = 7, 11, 6, 5, 4
STEPS, FLOAT = T - 1, 4


def parts(cell: str) -> dict[str, Part]:
    source = f"""
        [model]
        words = [{{ use = "embedding", dim = {D} }}, {{ use = "dropout", rate = 0.5 }}]
        [[model.rnn]]
        hidden = {H}
        cell = "{cell}"
    """
    model = assemble(parse_spec(source), Sizes(F, Vocabulary.standard(V), T))
    summary = summarize(model)
    assert summary.parameters == sum(a.size for a in model.parameters.values())
    return {part.name: part for part in summary.parts}


@pytest.mark.parametrize("cell", ["vanilla", "lstm", "attention-lstm"])
def test_a_long_caption_is_what_it_would_be_if_all_of_it_were_run(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = parts(cell)
    monkeypatch.setattr("rnnkit.describing.summary._MEASURED", 1)
    assert parts(cell) == whole


@pytest.mark.parametrize(
    ("cell", "parameters", "multiply_adds"),
    [
        ("vanilla", H * (D + H + 1), H * (D + H)),
        ("lstm", 4 * H * (D + H + 1), 4 * H * (D + H)),
        ("gru", 3 * H * (D + H + 1) + H, 3 * H * (D + H)),
        ("gru-reset-before", 3 * H * (D + H + 1), 3 * H * (D + H)),
        ("peephole-lstm", 4 * H * (D + H + 1) + 3 * H, 4 * H * (D + H)),
    ],
)
def test_a_cell_has_the_parameters_and_products_of_its_equations(
    cell: str, parameters: int, multiply_adds: int
) -> None:
    part = parts(cell)["rnn.0"]
    assert (part.parameters, part.multiply_adds) == (parameters, STEPS * multiply_adds)
    # Backward: a gradient for each parameter, input, and initial state.
    assert part.backward_bytes == FLOAT * (parameters + STEPS * D + H)
    assert part.forward_bytes >= FLOAT * (parameters + STEPS * H)


def test_memory_of_a_vanilla_cell() -> None:
    # Its parameters; h0 and every output; and the value of tanh at each step for the way back.
    assert parts("vanilla")["rnn.0"].forward_bytes == FLOAT * (
        H * (D + H + 1) + (STEPS + 1) * H + STEPS * H
    )


def test_layers_are_counted_position_by_position() -> None:
    found = parts("lstm")
    assert list(found) == ["image.0", "words.0", "words.1", "rnn.0", "head.0"]
    assert [p.parameters for p in found.values()][:3] == [F * H + H, V * D, 0]
    assert [p.multiply_adds for p in found.values()] == [
        F * H,
        0,
        0,
        STEPS * 4 * H * (D + H),
        STEPS * H * V,
    ]
    head = found["head.0"]
    assert head.forward_bytes == FLOAT * (H * V + V + STEPS * V)
    assert head.backward_bytes == FLOAT * (H * V + V + STEPS * H)
    assert (found["words.1"].plugin, found["words.1"].package) == ("dropout", "rnnkit")


def test_products_are_counted_however_they_are_written() -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.random((3, 4)), rng.random((4, 5)), rng.random((2, 3, 4))

    def count(f: Callable[..., object], *arrays: Array) -> int:
        found = multiply_adds(lambda at: f(*at.values()), {str(i): x for i, x in enumerate(arrays)})
        assert found is not None
        return found

    assert count(lambda x, y: x @ y, a, b) == 60
    assert count(lambda x, y: np.dot(x, y), a, b) == 60
    assert count(lambda x, y: x.dot(y), a, b) == 60
    assert count(lambda x, y: x @ y, c, b) == 120
    assert count(lambda x, y: np.tensordot(x, y, 1), c, b) == 120
    assert count(lambda x, y: np.einsum("nij,jk->nik", x, y), c, b) == 120
    assert count(lambda x, y: np.einsum("...j,jk", x, y), c, b) == 120
    assert count(lambda x: np.tanh(x + 1.0) * 2.0, a) == 0
    assert count(lambda x, y: (np.tanh(x) @ y)[0] @ y.T, a, b) == 80
    assert multiply_adds(lambda at: np.sort(at["x"]), {"x": a}) is None  # cannot be traced
