"""`rnnkit plugins list`, `show` and `new` in the terminal; and cards, which are read off classes and docstrings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import rnnkit
import rnnkit_builtin.cells.lstm
from rnnkit.cli import app
from rnnkit.describing.plugin_card import Option, card
from rnnkit.describing.plugin_cost import cost
from rnnkit.errors import RegistryError
from rnnkit.kinds import KINDS, Activation, Array, GatedCell, Initializer, Plugin, RecurrentCell
from rnnkit.registry import Entry, entries_called, entries_of, load, survey
from rnnkit.registry.docstrings import entries, paragraphs, section
from rnnkit_builtin.cells.gru import GRU
from rnnkit_builtin.cells.lstm import LSTM
from rnnkit_builtin.cells.peephole_lstm import PeepholeLSTM
from rnnkit_builtin.initializers.xavier import Xavier
from rnnkit_builtin.layers.affine import Affine
from rnnkit_builtin.layers.embedding import Embedding

ROOT = Path(__file__).parents[1]
LEAKY = ROOT / "tests" / "thirdparty" / "example_cells" / "leaky_integrator.py"

BUILT_IN = [entry for kind in KINDS for entry in entries_of(kind) if entry.package == "rnnkit"]
CELLS = [entry for entry in BUILT_IN if entry.kind is RecurrentCell]

SIZE = re.compile(r"(\d*)([A-Z])")
"""A size in a shape, such as the 4H of (D, 4H)."""

DOC = """First,
continued.

Second: not a heading.

Attributes:
    a: one
        goes on: here.
    b: two.

Returns:
    (y, cache): both.
"""


@pytest.fixture
def plugins(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `rnnkit plugins ...` in this process; gives what it prints."""

    def run(*arguments: str | Path) -> str:
        app(["plugins", *map(str, arguments)], standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_a_docstring_comes_apart_into_paragraphs_and_sections() -> None:
    assert paragraphs(DOC) == ["First, continued.", "Second: not a heading."]
    assert entries(DOC, "Attributes") == {"a": "one goes on: here.", "b": "two."}
    assert section(DOC, "Returns") == "(y, cache): both."
    assert section(DOC, "Raises") == ""
    assert paragraphs(None) == []


def test_a_card_says_what_the_module_and_the_class_say() -> None:
    made = card(LSTM)
    assert (made.kind, made.name, made.package, made.api) == ("cell", "lstm", "rnnkit", 1)
    assert made.target == "rnnkit_builtin.cells.lstm:LSTM"
    assert made.file == rnnkit_builtin.cells.lstm.__file__
    assert made.summary.endswith("c' = f c + i g; h' = o tanh(c')")
    assert made.notation.startswith("with z = x Wx + h Wh + b; Wx (D, 4H)")
    assert made.source.startswith('Hochreiter & Schmidhuber, "Long short-term memory" (1997)')
    what, when = made.description.splitlines()
    assert what == "Long short-term memory."
    assert "Try it where you have no reason for another cell" in when
    assert [option.name for option in made.options] == ["forget_bias"]


def test_a_card_says_what_to_import_and_what_the_arrays_are() -> None:
    made = card(LSTM)
    assert made.imports == "from rnnkit_builtin.cells.lstm import LSTM, LSTMState"
    assert [str(holder) for holder in made.holders] == ["LSTMState: h (N, H), c (N, H)"]
    peephole = card(PeepholeLSTM)
    assert peephole.imports == (
        "from rnnkit_builtin.cells.peephole_lstm import PeepholeLSTM, Peepholes\n"
        "from rnnkit_builtin.cells.lstm import LSTMState"
    )
    assert str(peephole.holders[0]) == "Peepholes: i (H,), f (H,), o (H,)"


@pytest.mark.parametrize("entry", BUILT_IN, ids=str)
def test_what_a_card_says_to_import_is_there(entry: Entry) -> None:
    cls: type[Plugin] = load(entry.kind, entry.full_name)
    there: dict[str, object] = {}
    exec(card(entry).imports, there)
    assert there[cls.__name__] is cls


@pytest.mark.parametrize("name", [entry.full_name for entry in CELLS])
def test_arrays_of_cells_have_the_shapes_that_the_card_says(name: str) -> None:
    sizes = {"N": 2, "D": 3, "H": 5}
    cell: Any = rnnkit.load_plugin(RecurrentCell, name)
    widths = [sizes["H"]] if isinstance(cell, GatedCell) else [sizes["D"], sizes["H"]]
    rng, double = np.random.default_rng(0), np.dtype(np.float64)
    state = cell.start(np.zeros((sizes["N"], cell.start_width(sizes["H"]))))
    arrays = {type(a).__name__: a for a in (cell.init(*widths, rng, double), state)}
    for holder in card(type(cell)).holders:
        for array, shape in holder.arrays.items():
            assert shape, f"{holder.name}.{array} has no shape"
            has = getattr(arrays[holder.name], array).shape
            for length, (times, letter) in zip(has, SIZE.findall(shape), strict=True):
                assert letter not in sizes or length == int(times or 1) * sizes[letter]


def test_a_card_has_types_defaults_and_meanings_of_options() -> None:
    assert card(Xavier).options == (
        Option("distribution", "one of 'uniform', 'normal'", '"uniform"', '"uniform" or "normal".'),
        Option(
            "gain",
            "number",
            "1.0",
            "factor on all values, for the activation that follows (1 for tanh).",
        ),
    )
    units, weights, _ = card(Affine).options
    assert (units.type, units.default) == ("whole number", "left open")
    assert (weights.type, weights.default) == ("initializer name", "normal")
    dim, weights = card(Embedding).options
    assert (dim.default, weights.default) == ("required", "normal(std=0.01)")


def test_an_entry_and_its_class_have_the_same_card() -> None:
    (entry,) = entries_called("xavier", Initializer)
    assert card(entry) == card(Xavier)


def test_a_class_that_is_not_installed_has_a_card() -> None:
    @attrs.frozen
    class Double(Activation):
        """Twice."""

        def forward(self, x: Array) -> tuple[Array, Array]:
            return 2.0 * x, x

        def backward(self, dy: Array, saved: Array) -> Array:
            return 2.0 * dy

    made = card(Double)
    assert (made.kind, made.name, made.version) == ("activation", "Double", "")
    assert made.package == __name__
    assert made.description == "Twice."


def test_every_builtin_plugin_says_what_it_is_and_what_each_option_means() -> None:
    silent = []
    for row in survey():
        if row.entry.package == "rnnkit":
            made = card(row.entry)
            options = [option.name for option in made.options if not option.doc]
            silent += [made.name] if options or not (made.summary and made.description) else []
    assert silent == []


def test_the_cost_of_a_plugin_is_that_of_its_equation() -> None:
    D, H = 3, 2
    lstm = cost(LSTM, {"D": D, "H": H})
    assert lstm is not None
    assert lstm.parameters == (("Wx", (D, 4 * H)), ("Wh", (H, 4 * H)), ("b", (4 * H,)))
    assert lstm.count == 4 * H * (D + H + 1)
    assert (lstm.multiply_adds, lstm.per) == (4 * H * (D + H), "step")
    gru = cost(GRU, {"D": D, "H": H})
    assert gru is not None
    assert gru.count == 3 * H * (D + H + 1) + H
    affine = cost(Affine, {"D": 5, "M": 7})
    assert affine is not None
    assert (affine.count, affine.multiply_adds, affine.per) == (5 * 7 + 7, 5 * 7, "position")
    embedding = cost(Embedding, {"V": 11})
    assert embedding is not None
    dim = embedding.assumed["dim"]
    assert embedding.parameters == (("W", (11, dim)),)
    assert embedding.sizes == {"V": 11, "M": dim}
    assert embedding.multiply_adds == 0
    assert cost(Xavier, {}) is None


def test_show_prints_the_card_the_cost_and_the_gradient(plugins: Any) -> None:
    out = plugins("show", "lstm", "--sizes", "D=3,H=2")
    assert out.startswith("lstm: cell from rnnkit ")
    assert "forget_bias number 0.0     initial bias of the forget gate" in out
    assert "48 parameters, 40 multiply-adds a step, for D=3, H=2" in out
    worst = out.split("the worst error of a gradient is ")[1].split()[0]
    assert float(worst) < 1e-11
    assert "class: rnnkit_builtin.cells.lstm:LSTM, plugin API 1" in out
    assert "import: from rnnkit_builtin.cells.lstm import LSTM, LSTMState\n" in out
    assert "LSTMState: h (N, H), c (N, H)\n" in out


def test_show_has_the_same_as_json(plugins: Any) -> None:
    (page,) = json.loads(plugins("show", "gru", "--sizes", "D=3,H=2", "--json"))
    assert page["name"] == "gru"
    assert page["cost"]["parameters"]["cell.bn"] == [2]
    assert page["gradcheck"]["ok"] is True
    assert page["gradcheck"]["explanation"] is None


def test_show_has_a_page_for_each_plugin_of_a_name(plugins: Any) -> None:
    pages = json.loads(plugins("show", "constant", "--no-check", "--json"))
    assert {page["kind"] for page in pages} == {"schedule", "initializer"}
    assert all(page["gradcheck"] is None for page in pages)
    (page,) = json.loads(plugins("show", "constant", "--kind", "schedule", "--no-check", "--json"))
    assert page["kind"] == "schedule"


def test_show_explains_what_is_wrong_with_a_class_in_a_file(plugins: Any, tmp_path: Path) -> None:
    file, text = tmp_path / "wrong_leaky.py", LEAKY.read_text()
    assert "(1.0 - cache * cache)" in text
    file.write_text(text.replace("(1.0 - cache * cache)", "(1.0 - cache)"))
    out = plugins("show", f"{file}::LeakyIntegrator")
    assert "rate" in out
    assert "failed; see below" in out
    assert "the gradient of 'zx', 'zh' is wrong" in out


def test_a_list_of_one_kind(plugins: Any) -> None:
    rows = json.loads(plugins("list", "schedule", "--json"))
    assert {row["kind"] for row in rows} == {"schedule"}
    assert {"constant", "cosine", "warm-up"} <= {row["name"] for row in rows}
    assert all(row["unwritten"] == [] for row in rows)
    assert plugins("list", "schedule").splitlines()[1].split()[:3] == [
        "schedule",
        "constant",
        "rnnkit",
    ]


def test_new_says_what_it_wrote_and_how_to_go_on(
    plugins: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = plugins("new", "cell", "leaky")
    file = "src/rnnkit_leaky/leaky.py"
    lines = (tmp_path / "rnnkit-leaky" / file).read_text().splitlines()
    step, back = (n for n, text in enumerate(lines, 1) if "raise NotImplementedError" in text)
    assert f"Now write the maths: {file}, lines {step} and {back}." in out
    assert "  cd rnnkit-leaky\n" in out
    assert "  rnnkit gradcheck leaky " in out
    written = [
        str(f.relative_to(tmp_path / "rnnkit-leaky")) for f in tmp_path.rglob("*.*") if f.is_file()
    ]
    assert all(f"  {name}\n" in out for name in written)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["show", "lsmt"], "no plugin is called 'lsmt'; did you mean 'lstm'?"),
        (["show", "tanh", "--kind", "cell"], "no cell is called 'tanh'"),
        (["show", "lstm", "--kind", "cels"], "there is no kind 'cels'; did you mean 'cell'?"),
        (["show", "lstm", "--sizes", "D=0"], "--sizes has 'D=0'; give widths of at least 1"),
        (["show", "lstm", "--sizes", "64"], "--sizes has '64'; give widths"),
        (
            ["show", "lstm", "--sizes", "X=3"],
            "there is no width 'X': this cell has the widths D and H",
        ),
        (["show", "tanh", "--sizes", "D=3"], "this activation has no widths to set"),
        (["list", "layers"], "there is no kind 'layers'; did you mean 'layer'?"),
        (["new", "cells", "x"], "there is no kind 'cells'; did you mean 'cell'?"),
    ],
)
def test_mistakes_are_told_in_a_sentence(plugins: Any, arguments: list[str], text: str) -> None:
    with pytest.raises(RegistryError) as caught:
        plugins(*arguments)
    assert text in str(caught.value)


def test_a_mistake_is_exit_code_2_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rnnkit", "plugins", "new", "cell", "lstm"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "has a cell called 'lstm' already" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_name_in_a_package_finds_that_one_alone() -> None:
    (entry,) = entries_called("rnnkit:lstm")
    assert load(entry.kind, entry.full_name) is LSTM
