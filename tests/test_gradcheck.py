"""`rnnkit gradcheck` and the pytest suite, as their users meet them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CELL = ROOT / "tests" / "thirdparty" / "example_cells" / "leaky_integrator.py"
WRONG = ("dz = self.rate * ds.h * (1.0 - cache * cache)", "dz = self.rate * ds.h * (1.0 - cache)")

Ran = subprocess.CompletedProcess[str]


def gradcheck(*arguments: str | Path) -> Ran:
    command = [sys.executable, "-m", "rnnkit", "gradcheck", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def pytest_in(folder: Path, *arguments: str) -> Ran:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def right_cell(tmp_path: Path) -> Path:
    file = tmp_path / "leaky.py"
    file.write_text(CELL.read_text())
    return file


@pytest.fixture
def wrong_cell(right_cell: Path) -> Path:
    text = right_cell.read_text()
    assert WRONG[0] in text
    right_cell.write_text(text.replace(*WRONG))
    return right_cell


def test_a_right_plugin_is_a_row_of_the_table() -> None:
    ran = gradcheck("lstm")
    assert ran.returncode == 0
    row = ran.stdout.splitlines()[1].split()
    assert row[:3] == ["cell", "lstm", "rnnkit"]
    assert float(row[5]) < 1e-12
    assert row[-1] == "ok"


def test_what_a_plugin_prints_is_shown_beside_the_result(right_cell: Path) -> None:
    text = right_cell.read_text()
    right_cell.write_text(text.replace(WRONG[0], f"print('\\x1b[31mred'); {WRONG[0]}"))
    ran = gradcheck(f"{right_cell}::LeakyIntegrator", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)[0]["ok"]
    assert "\\x1b[31mred" in ran.stderr
    assert "\x1b" not in ran.stderr


def test_a_class_in_a_file_is_checked_without_installing_it(right_cell: Path) -> None:
    ran = gradcheck(f"{right_cell}::LeakyIntegrator", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (report,) = json.loads(ran.stdout)
    assert report["ok"]
    assert report["checks"] >= 10
    assert report["failures"] == []


def test_a_wrong_gradient_is_explained(wrong_cell: Path) -> None:
    ran = gradcheck(f"{wrong_cell}::LeakyIntegrator")
    assert ran.returncode == 1
    assert "FAILS" in ran.stdout
    explanation = ran.stdout[ran.stdout.index("fails") :]
    assert "the gradient of 'zx', 'zh' is wrong" in explanation
    line = next(
        n
        for n, text in enumerate(wrong_cell.read_text().splitlines(), 1)
        if "def step_back" in text
    )
    assert f"backward: {wrong_cell}:{line}" in explanation
    again = explanation.split("again:")[1].splitlines()[0].split("rnnkit gradcheck")[1]
    assert "::LeakyIntegrator --case " in again


def test_a_whole_spec_is_checked_against_every_parameter() -> None:
    ran = gradcheck("--spec", ROOT / "specs" / "stacked.toml", "--json")
    assert ran.returncode == 0, ran.stdout
    (report,) = json.loads(ran.stdout)
    assert (report["kind"], report["checks"]) == ("spec", 3)


def test_a_function_is_pointed_to_what_checks_functions(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("def step(x):\n    return x, None\n")
    ran = gradcheck(f"{tmp_path / 'layers.py'}::step")
    assert ran.returncode == 2
    assert "::step is a function, and not one of a pair such as rnn_step_forward" in ran.stderr
    assert "`rnnkit.testing.check(forward, backward, x=x, W=W)` checks any two" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["lsmt"], 2, "no plugin is called 'lsmt'; did you mean 'lstm'?"),
        (["nowhere.py::Cell"], 2, "nowhere.py: no such file"),
        (["--kind", "cels"], 2, "there is no kind 'cels'; did you mean 'cell'?"),
        (["lstm", "--case", "nothing like it"], 2, "no check has 'nothing like it' in its name"),
    ],
)
def test_mistakes_are_told_in_a_sentence(arguments: list[str], code: int, text: str) -> None:
    ran = gradcheck(*arguments)
    assert ran.returncode == code
    assert text in ran.stderr
    assert "Traceback" not in ran.stderr


def test_one_line_of_test_beside_a_cell_runs_the_suite_for_it_alone(right_cell: Path) -> None:
    (right_cell.parent / "test_leaky.py").write_text("from rnnkit.testing.suite import *\n")
    ran = pytest_in(right_cell.parent)
    assert ran.returncode == 0, ran.stdout
    ran_tests = [line for line in ran.stdout.splitlines() if "PASSED" in line]
    assert len(ran_tests) >= 10
    assert all("cell:leaky.py::LeakyIntegrator" in line for line in ran_tests)


def test_the_suite_fails_with_the_explanation(wrong_cell: Path) -> None:
    (wrong_cell.parent / "test_leaky.py").write_text("from rnnkit.testing.suite import *\n")
    ran = pytest_in(wrong_cell.parent, "-k", "step-N2-H5")
    assert ran.returncode == 1
    assert "the gradient of 'zx', 'zh' is wrong" in ran.stdout
    assert "6 failed" in ran.stdout  # the default options, and five others
    assert "Traceback" not in ran.stdout


def test_the_suite_can_be_run_for_one_distribution(tmp_path: Path) -> None:
    ran = pytest_in(
        tmp_path, "--pyargs", "rnnkit.testing.suite", "--rnnkit", "rnnkit", "-k", "gru and stacked"
    )
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout
    wrong = pytest_in(tmp_path, "--pyargs", "rnnkit.testing.suite", "--rnnkit", "nobody")
    assert "no installed package of that name has plugins" in wrong.stdout + wrong.stderr


def test_the_pytest_plugin_costs_other_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_other():\n"
        "    assert 'rnnkit.testing.pytest_plugin' in sys.modules\n"
        "    assert not {'numpy', 'h5py', 'attrs', 'rnnkit.kinds'} & set(sys.modules)\n"
    )
    ran = pytest_in(tmp_path)
    assert ran.returncode == 0, ran.stdout


EYES = """
from __future__ import annotations
import attrs
import numpy as np
from rnnkit import MissingPackage
from rnnkit.kinds import Array, Encoder, Picture, Prepared

@attrs.frozen
class Eyes(Encoder):
    \"\"\"Needs a package.\"\"\"
    @property
    def shape(self) -> tuple[int, ...]:
        return (3,)
    def prepare(self, picture: Picture) -> Prepared:
        raise MissingPackage("eyes need lenses: pip install lenses")
    def encode(self, prepared: Prepared) -> Array:
        return np.zeros((len(prepared), 3), np.float32)
"""


def test_what_needs_a_package_that_is_not_there_is_not_checked_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "eyes.py").write_text(EYES)
    eyes = f"{tmp_path / 'eyes.py'}::Eyes"
    alone = gradcheck(eyes)
    assert alone.returncode == 1, alone.stdout + alone.stderr  # nothing at all was checked
    assert "it is not checked: eyes need lenses: pip install lenses" in " ".join(
        alone.stdout.split()
    )
    both = gradcheck(eyes, "tanh", "--json")
    assert both.returncode == 0
    assert [(r["ok"], r["missing"]) for r in json.loads(both.stdout)] == [
        (True, "eyes need lenses: pip install lenses"),
        (True, None),
    ]
