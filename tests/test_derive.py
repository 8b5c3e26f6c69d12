"""`rnnkit plugins derive`: gradients as source, printed or written into the plugin's file."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from rnnkit.cli import app
from rnnkit.errors import TraceError
from rnnkit.testing.checks import checks_of_class
from rnnkit.testing.source import class_at

BUILT_IN: Final = Path(importlib.import_module("rnnkit_builtin").__path__[0])

WRITTEN: Final = {
    "cells/lstm.py": "LSTM",
    "cells/gru.py": "GRU",
    "cells/peephole_lstm.py": "PeepholeLSTM",
    "cells/gru_reset_before.py": "GRUResetBefore",
    "cells/attention_lstm.py": "AttentionLSTM",
    "layers/affine.py": "Affine",
    "layers/embedding.py": "Embedding",
    "layers/layer_norm.py": "LayerNorm",
    "activations/gelu.py": "Gelu",
    "activations/leaky_relu.py": "LeakyRelu",
    "activations/relu.py": "Relu",
    "activations/softplus.py": "Softplus",
    "activations/tanh.py": "Tanh",
}
"""Files of which a copy is to lose its way back, and get a derived one."""

STEP: Final = '''\
"""h' = (1 - a) h + a tanh(zx + zh)."""

from typing import ClassVar

import attrs
import numpy as np
from rnnkit.kinds import Array, DType, GatedStep, NoParams, Rng, State


@attrs.frozen
class Leaky(GatedStep[NoParams, State]):
    """Leaky integrator."""

    rate: float = 0.5
    x_gates: ClassVar[tuple[str, ...]] = ("h",)
    h_gates: ClassVar[tuple[str, ...]] = ("h",)

    def init(self, hidden: int, rng: Rng, dtype: DType) -> NoParams:
        return NoParams()

    def start(self, h0: Array) -> State:
        return State(h0)

    def step(self, p: NoParams, zx: Array, zh: Array, s: State) -> State:
        g = np.tanh(zx + zh)
        return State((1.0 - self.rate) * s.h + self.rate * g)
'''

PRINTED: Final = """\
class Leaky(GatedCell[NoParams, State, Array]):
    # step ends in
        return State((1.0 - self.rate) * s.h + self.rate * g), g

    def step_back(
        self, p: NoParams, ds: State, cache: Array
    ) -> tuple[Array, Array, State, NoParams]:
        dz = self.rate * ds.h * (1.0 - cache**2)
        return dz, dz, State((1.0 - self.rate) * ds.h), p
"""

LOSS: Final = '''\
"""Half the squared distance of scores from one-hot targets."""

import attrs
import numpy as np
from rnnkit.kinds import Array, Ints, Loss, Mask, Scalar


@attrs.frozen
class Squares(Loss):
    """Squared error."""

    weight: float = 2.0

    def evaluate(self, scores: Array, targets: Ints, mask: Mask) -> tuple[Scalar, Array]:
        rows = np.flatnonzero(mask)
        inside = scores[rows]
        hit = scores[rows, targets[rows]]
        loss: Scalar = self.weight * (0.5 * (inside**2).sum() - hit.sum())
        return loss, scores
'''


def derived(*arguments: str | Path) -> str:
    ran = CliRunner().invoke(app, ["plugins", "derive", *map(str, arguments)])
    assert ran.exit_code == 0, ran.output + repr(ran.exception)
    return ran.output


def failures(file: Path, name: str) -> list[str]:
    cls = class_at(f"{file}::{name}")
    defaults = [c for c in checks_of_class(cls, name) if "=" not in c.id.rpartition("/")[0]]
    return [c.id for c in defaults if not c.run(0).ok]


def without_back(file: Path) -> None:
    """Let the ways back raise."""
    text = file.read_text()
    for name in ("step_back", "backward"):
        found = re.search(rf"    def {name}\((?:.|\n)*?:\n(?=        )", text)
        if found:
            rest = text[found.end() :]
            after = re.search(r"\n(?=    def |    @|\n)", rest)
            left = rest[after.start() :] if after else "\n"
            text = f"{text[: found.end()]}        raise NotImplementedError{left}"
    file.write_text(text)


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    file = tmp_path / f"leaky_{tmp_path.name}.py"
    file.write_text(STEP)
    return file


def test_a_step_back_is_printed_as_its_author_would_write_it(leaky: Path) -> None:
    assert derived(f"{leaky}::Leaky") == PRINTED
    assert leaky.read_text() == STEP


def test_a_step_back_is_written_into_the_file(leaky: Path) -> None:
    assert derived(f"{leaky}::Leaky", "--write").startswith(f"wrote {leaky}")
    text = leaky.read_text()
    assert "import Array, DType, GatedCell, NoParams, Rng, State\n" in text
    assert ") -> tuple[State, Array]:\n        g = np.tanh(zx + zh)\n" in text
    assert text.endswith(PRINTED.partition("\n\n")[2])
    assert failures(leaky, "Leaky") == []


@pytest.mark.parametrize("path", WRITTEN)
def test_what_is_written_passes_as_what_was_there(path: str, tmp_path: Path) -> None:
    file = tmp_path / f"{Path(path).stem}_derived_{tmp_path.name}.py"
    shutil.copy(BUILT_IN / path, file)
    without_back(file)
    assert "raise NotImplementedError" in file.read_text()
    derived(f"{file}::{WRITTEN[path]}", "--write")
    assert "raise NotImplementedError" not in file.read_text()
    del sys.modules[file.stem]
    assert failures(file, WRITTEN[path]) == []


def test_the_gradient_of_a_loss_is_written_beside_it(tmp_path: Path) -> None:
    file = tmp_path / f"squares_{tmp_path.name}.py"
    file.write_text(LOSS)
    derived(f"{file}::Squares", "--write")
    del sys.modules[file.stem]
    assert failures(file, "Squares") == []


def test_an_lstm_is_as_long_as_the_one_that_people_wrote(tmp_path: Path) -> None:
    for path in ("cells/lstm.py", "cells/gru.py", "cells/peephole_lstm.py"):
        file = tmp_path / f"{Path(path).stem}_length_{tmp_path.name}.py"
        shutil.copy(BUILT_IN / path, file)
        by_hand = class_at(f"{file}::{WRITTEN[path]}").step_back  # type: ignore[attr-defined]  # a cell's
        lines = len(inspect.getsource(by_hand).splitlines())
        said = derived(f"{file}::{WRITTEN[path]}")
        assert len(said[said.index("    def step_back") :].splitlines()) <= 1.5 * lines


@pytest.mark.heavy
def test_what_is_written_is_typed(leaky: Path, tmp_path: Path) -> None:
    derived(f"{leaky}::Leaky", "--write")
    files = [leaky]
    for path, name in WRITTEN.items():
        files.append(tmp_path / f"{Path(path).stem}_typed.py")
        shutil.copy(BUILT_IN / path, files[-1])
        derived(f"{files[-1]}::{name}", "--write")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(tmp_path),
        *map(str, files),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_nothing_is_written_that_is_wrong_for_other_options(tmp_path: Path) -> None:
    file = tmp_path / f"vanilla_{tmp_path.name}.py"
    shutil.copy(BUILT_IN / "cells/vanilla.py", file)
    before = file.read_text()
    ran = CliRunner().invoke(app, ["plugins", "derive", f"{file}::Vanilla", "--write"])
    assert isinstance(ran.exception, TraceError)
    assert "computes something else with activation=Elu" in str(ran.exception)
    assert file.read_text() == before
    assert "note: Vanilla computes something else" in derived(f"{file}::Vanilla")


def test_what_has_no_gradient_is_said() -> None:
    address = f"{BUILT_IN / 'schedules/cosine.py'}::Cosine"
    ran = CliRunner().invoke(app, ["plugins", "derive", address])
    assert isinstance(ran.exception, TraceError)
    assert "only cells, layers, activations and losses have a gradient" in str(ran.exception)


def test_what_draws_random_numbers_is_not_derived() -> None:
    ran = CliRunner().invoke(
        app, ["plugins", "derive", f"{BUILT_IN / 'layers/dropout.py'}::Dropout"]
    )
    assert isinstance(ran.exception, TraceError)
    assert "Dropout does something else in training" in str(ran.exception)
