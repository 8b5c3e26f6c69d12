"""Plugins by name: every built-in loads, and a real third party's good and bad plugins are told apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnkit import registry
from rnnkit.errors import RegistryError
from rnnkit.kinds import KINDS, Activation, Layer, RecurrentCell
from rnnkit_builtin.cells.lstm import LSTM

ROOT = Path(__file__).parents[1]
BUILTIN = ROOT / "plugins" / "rnnkit_builtin"


def test_every_builtin_file_is_one_entry_point_named_like_it() -> None:
    declared = {
        (entry.kind.group.removeprefix("rnnkit."), entry.name.replace("-", "_"))
        for kind in KINDS
        for entry in registry.entries_of(kind)
        if entry.package == "rnnkit"
    }
    files = {(f.parent.name, f.stem) for f in BUILTIN.glob("*/*.py")}
    assert declared == files


def test_every_builtin_loads() -> None:
    rows = [row for row in registry.survey() if row.entry.package == "rnnkit"]
    assert [row.problem for row in rows if row.problem] == []
    assert len(rows) > 35


def test_the_core_imports_no_plugin() -> None:
    compat = ROOT / "rnnkit" / "compat"  # interfaces over certain plugins, not part of the core
    code = (f for f in (ROOT / "rnnkit").rglob("*.py") if compat not in f.parents)
    assert [str(f) for f in code if "rnnkit_builtin" in f.read_text(encoding="utf-8")] == []


def test_a_plugin_knows_where_it_comes_from() -> None:
    entry = registry.entry_of(LSTM())
    assert entry is not None
    assert (entry.name, entry.package, entry.target) == (
        "lstm",
        "rnnkit",
        "rnnkit_builtin.cells.lstm:LSTM",
    )


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        (RecurrentCell, "lsmt", "no cell is called 'lsmt'; did you mean 'lstm'?"),
        (Activation, "xyz", "no activation is called 'xyz'; there is elu, gelu, identity"),
        (RecurrentCell, ":lstm", "no cell is called ':lstm'; did you mean 'lstm'?"),
        (Layer, "nobody:affine", "no layer is called 'nobody:affine'"),
    ],
)
def test_a_missing_plugin_is_told_with_a_way_out(kind: type, name: str, text: str) -> None:
    with pytest.raises(RegistryError) as caught:
        registry.load(kind, name)
    assert text in str(caught.value)
    assert kind.group in str(caught.value)  # type: ignore[attr-defined]  # kind is one of KINDS


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rnnkit", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_broken_plugin_of_a_third_party_shows_its_own_error(
    with_third_party: dict[str, str],
) -> None:
    ran = run(with_third_party, "plugins", "list", "--json")
    assert ran.returncode == 0, ran.stderr
    rows = {(row["package"], row["name"]): row for row in json.loads(ran.stdout)}
    theirs = {n: row["problem"] for (p, n), row in rows.items() if p == "example-cells"}
    ours = {n for (p, n), row in rows.items() if p == "rnnkit" and row["problem"]}
    assert rows["example-cells", "leaky-integrator"]["version"] == "1.2"
    assert theirs["leaky-integrator"] is None
    assert "fails to import: ModuleNotFoundError" in theirs["unimportable"]
    assert "unimportable.py:3]" in theirs["unimportable"]
    assert "2 packages provide a cell called 'lstm'" in theirs["lstm"]
    assert ours == {"lstm"}
    for sentence in [
        "written for plugin API 2, and this rnnkit has API 1",
        "it does not define step_back",
        "x_gates must be set to a tuple of gate names",
        "step takes (self, p, z, s), not (self, p, zx, zh, s)",
        "@attrs.frozen",
        "option 'colours' has type",
    ]:
        assert sentence in theirs["misfit"]


def test_a_third_party_cell_builds_and_trains_from_a_spec(
    with_third_party: dict[str, str], tiny_data: Path, tmp_path: Path
) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(
        '[[model.rnn]]\nhidden = 8\ncell = { use = "leaky-integrator", rate = 0.25 }\n'
        "[train]\nepochs = 1\nbatch = 8\n"
    )
    built = run(with_third_party, "build", str(spec), "--data", str(tiny_data), "--json")
    assert built.returncode == 0, built.stderr
    part = next(p for p in json.loads(built.stdout)["parts"] if p["name"] == "rnn.0")
    assert (part["plugin"], part["package"], part["version"]) == (
        "leaky-integrator",
        "example-cells",
        "1.2",
    )
    out = tmp_path / "run"
    trained = run(with_third_party, "train", str(spec), "--data", str(tiny_data), "--out", str(out))
    assert trained.returncode == 0, trained.stderr
    # Without the package, the model says whose it was.
    alone = run(dict(os.environ), "caption", str(out), "--data", str(tiny_data))
    assert alone.returncode == 2
    assert "it was made with example-cells 1.2" in alone.stderr


def test_a_model_outlives_a_name_that_becomes_ambiguous(
    with_third_party: dict[str, str], tiny_data: Path, tmp_path: Path
) -> None:
    spec, model = tmp_path / "spec.toml", tmp_path / "model.h5"
    spec.write_text('[[model.rnn]]\nhidden = 8\ncell = "lstm"\n')
    built = run(dict(os.environ), "build", str(spec), "--data", str(tiny_data), "-o", str(model))
    assert built.returncode == 0, built.stderr
    captioned = run(with_third_party, "caption", str(model), "--data", str(tiny_data))
    assert captioned.returncode == 0, captioned.stderr


def test_an_ambiguous_name_asks_for_the_package(
    with_third_party: dict[str, str], tiny_data: Path, tmp_path: Path
) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text('[[model.rnn]]\nhidden = 8\ncell = "lstm"\n')
    asked = run(with_third_party, "build", str(spec), "--data", str(tiny_data))
    assert asked.returncode == 2
    assert f"{spec}:3: model.rnn[0].cell: 2 packages provide a cell called 'lstm'" in asked.stderr
    assert "write 'example-cells:lstm' or 'rnnkit:lstm'" in asked.stderr
    spec.write_text('[[model.rnn]]\nhidden = 8\ncell = "rnnkit:lstm"\n')
    chosen = run(with_third_party, "build", str(spec), "--data", str(tiny_data))
    assert chosen.returncode == 0, chosen.stderr
    assert 'cell = { use = "rnnkit:lstm", forget_bias = 0.0 }' in chosen.stdout
