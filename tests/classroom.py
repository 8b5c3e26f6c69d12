"""A made-up class of 60: right, wrong, unwritten, crashing, endless, hostile; and the points that each must get.

`python -m tests.classroom DIR` writes it, grades it in one go, and says whose points are not right.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from tests.mistakes.running import SOURCE
from tests.mistakes.styles import STYLES

ROOT: Final = Path(__file__).parents[1]
ASSIGNMENT: Final = """
extends = "cs231n"
only = ["rnn_step", "rnn", "word_embedding", "temporal_affine", "temporal_softmax_loss", "lstm_step", "lstm"]
seconds = 4
memory = "1 GB"
"""
POINTS: Final = {
    "rnn_step": (5, 10),
    "rnn": (5, 10),
    "word_embedding": (3, 5),
    "temporal_affine": (2, 5),
    "temporal_softmax_loss": (5, 10),
    "lstm_step": (5, 15),
    "lstm": (5, 10),
}
FULL: Final = sum(map(sum, POINTS.values()))
SOME: Final = 7
"""Right solutions in other styles."""


@attrs.frozen
class Student:
    """A submission, and the points that it is worth.

    Attributes:
        name: of the file, with its ending; of a folder without.
        files: path -> text; one with the name of the submission, or those of a folder or zip.
        points: that it must get.
    """

    name: str
    files: Mapping[str, str]
    points: float


def everyone() -> list[Student]:
    """The whole class."""
    found = [*_right(), *_wrong(), *_unwritten(), *_hostile(), *_forms()]
    assert len({student.name for student in found}) == len(found)
    return found


def write(students: list[Student], folder: Path) -> None:
    """Write submissions into a folder."""
    folder.mkdir(parents=True)
    for student in students:
        path = folder / student.name
        if path.suffix == ".zip":
            with zipfile.ZipFile(path, "w") as packed:
                for name, text in student.files.items():
                    packed.writestr(name, text)
        elif path.suffix:
            (text,) = student.files.values()
            path.write_text(text, encoding="utf-8")
        else:
            for name, text in student.files.items():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).write_text(text, encoding="utf-8")


def _one(name: str, text: str, points: float) -> Student:
    return Student(f"{name}.py", {f"{name}.py": text}, points)


def _changed(*changes: tuple[str, str]) -> str:
    text = SOURCE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def _right() -> Iterator[Student]:
    yield _one("right", SOURCE, FULL)
    for style, changes in list(STYLES.items())[:SOME]:
        yield _one(f"right_{re.sub(r'[^a-z]+', '_', style)}", _changed(*changes), FULL)


def _wrong() -> Iterator[Student]:
    """Mistakes, and the parts that they cost."""
    for name, old, new, lost in (
        ("step_factor", "dz = dnext_h * (1 - next_h**2)", "dz = dnext_h", 20),  # in rnn, too
        ("step_transposed", "dprev_h = dz.dot(Wh.T)", "dprev_h = dz.dot(Wh)", 20),
        ("rnn_way", "dh[:, t] + dprev_h, cache[t])", "dh[:, t], cache[t])", 10),
        ("rnn_twin", "dh[:, t] + dprev_h, cache[t])", "dh[:, t], cache[t])", 10),
        ("rnn_order", "reversed(range(T))", "range(T)", 20),  # and in lstm
        ("rnn_sum", "db += db_t", "db = db_t", 20),
        ("lstm_gates", "(dai, daf, dao, dag)", "(dai, dao, daf, dag)", 25),
        ("lstm_c", "df = dc * prev_c", "df = dc * next_c", 25),
        ("lstm_way", "dprev_c, cache[t]", "np.zeros((N, H)), cache[t]", 10),
        ("words", "np.add.at(dW, x, dout)", "dW[x] += dout", 5),
        ("affine_mean", "db = dout.sum(axis=(0, 1))", "db = dout.mean(axis=(0, 1))", 5),
        ("affine_b", ".reshape(N, T, M) + b", ".reshape(N, T, M)", 7),  # nothing depends on b
        ("loss_mask", "dx_flat *= mask_flat[:, None]", "pass", 10),
        ("loss_mean", "dx_flat /= N", "dx_flat /= N * T", 10),
        ("loss_consistent", "    N, T, V = x.shape\n", "    N, T, V = x.shape\n    mask = np.ones_like(mask)\n", 5),
        ("sigmoid_step", "next_h = np.tanh(x.dot", "next_h = sigmoid(x.dot", 30),
        ("single", "dx = dz.dot(Wx.T)", "dx = dz.dot(Wx.T).astype(np.float32)", 20),
        ("in_place", "next_h = np.tanh(", "x *= 1.5\n    next_h = np.tanh(", 30),
    ):  # fmt: skip
        yield _one(f"wrong_{name}", _changed((old, new)), FULL - lost)


def _unwritten() -> Iterator[Student]:
    for way in ("pass", "raise NotImplementedError", "return None, None"):
        text = re.sub(
            r"(def \w+_(?:forward|backward|loss)\(.*\):\n)(?:    .*\n|\n(?=    ))+",
            rf"\1    {way}\n",
            SOURCE,
        )
        yield _one(f"unwritten_{re.sub('[^a-z]+', '_', way.lower())}", text, 0)
    half = (
        SOURCE[: SOURCE.index("def lstm_step_forward")]
        + SOURCE[SOURCE.index("def word_embedding_forward") :]
    )
    yield _one("half", half, FULL - 35)
    yield _one("empty", "", 0)
    yield _one("constants", _constants(), 0)


def _constants() -> str:
    """Functions that return the numbers of the handout, whatever they are given."""
    return """
import numpy as np
def rnn_step_forward(x, prev_h, Wx, Wh, b):
    return np.zeros_like(prev_h), (x, prev_h, Wx, Wh, b)
def rnn_step_backward(dnext_h, cache):
    return tuple(np.zeros_like(a) for a in cache)
"""


def _hostile() -> Iterator[Student]:
    """What a grader must survive; a step that does something, in an otherwise right submission, costs that step."""
    forward = "    next_h = np.tanh(x.dot"

    def step(name: str, code: str, lost: float = 30) -> Student:
        lines = "".join(f"    {line}\n" for line in code.strip().splitlines())
        return _one(name, _changed((forward, f"{lines}{forward}")), FULL - lost)

    # rnn calls the step, so both lose what is lost.
    yield step("endless", "while True: pass")
    yield step("sleeps", "import time\ntime.sleep(10_000)")
    yield step("huge", "y = np.ones((10_000_000_000,), np.uint8); y.sum()")
    yield step("exits", "import os\nos._exit(0)")
    yield step("raises_exit", "raise SystemExit(0)")
    yield step("crashes", "import ctypes\nctypes.string_at(0)")
    yield step("divides", "1 / 0")
    yield step("forks", "import os\nfor _ in range(10_000): os.fork()")
    yield step(
        "bombs", "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'while 1: pass'])"
    )
    yield step("prints", "print('x' * 10_000)", 0)
    yield step("prints_endless", "while True: print('x' * 10_000)")
    yield step("network", "import socket\nsocket.create_connection(('127.0.0.1', 80), 1)")
    yield step("kills", "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)")
    yield step("writes_away", "open('/tmp/rnnkit-was-here', 'w').write('x')")
    yield step("reads_grader", "import rnnkit")
    yield step(
        "fills_disk", "for k in range(10_000):\n    open(f'{k}', 'wb').write(bytes(10_000_000))"
    )
    yield step(
        "deletes",
        "import os, shutil\nfor p in ('/tmp', '/work', '/home', os.path.expanduser('~'), os.path.dirname(__file__)):\n"
        "    shutil.rmtree(p, ignore_errors=True)",
        0,
    )
    yield step("returns_text", "return 'next_h', None")
    yield step("returns_objects", "return np.array([object()]), None")
    yield _one(
        "patches",
        "import numpy as np\nnp.allclose = lambda *a, **k: True\nnp.array_equal = np.allclose\nnp.abs = lambda x: 0 * x\n"
        + _changed(("dz = dnext_h * (1 - next_h**2)", "dz = dnext_h")),
        FULL - 20,
    )
    yield _one(
        "imports_solution",
        "from rnnkit.compat.ie590.rnn_layers import *\nrnn_step_forward = rnn_step_forward\n"
        + _forwards(),
        0,
    )
    yield _one("loops_at_import", f"while True: pass\n{SOURCE}", 0)
    yield _one("no_python", f"def (:\n{SOURCE}", 0)
    yield _one(
        "garbles",
        f"import os\nfor fd in range(3, 30):\n    try: os.write(fd, b'garbage')\n    except OSError: pass\n{SOURCE}",
        0,
    )


def _forwards() -> str:
    names = re.findall(r"^def (\w+_(?:forward|backward|loss))\(", SOURCE, re.MULTILINE)
    return "".join(f"{name} = {name}\n" for name in names)


def _forms() -> Iterator[Student]:
    cells = [
        {"cell_type": "markdown", "source": "# Mine"},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import numpy as np\n", "from ie590.layers import *"]},
        {"cell_type": "code", "source": SOURCE},
        {"cell_type": "code", "source": "raise RuntimeError('the grader runs no cell')"},
    ]  # fmt: skip
    notebook = json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}})
    yield Student("notebook.ipynb", {"notebook.ipynb": notebook}, FULL)
    yield Student("zipped.zip", {"hw3/ie590/rnn_layers.py": SOURCE, "hw3/readme.txt": "hi"}, FULL)
    yield Student("folder", {"ie590/rnn_layers.py": SOURCE, "ie590/__init__.py": ""}, FULL)
    yield Student("no_zip.zip", {"../../escaped.py": SOURCE}, 0)


def main(folder: Path) -> int:
    """Grade the class in one go; 1 if anybody's points are not right."""
    students = everyone()
    write(students, folder / "class")
    (folder / "mine.toml").write_text(ASSIGNMENT)
    began = time.monotonic()
    command = [sys.executable, "-m", "rnnkit", "grade", str(folder / "class")]
    command += ["--assignment", str(folder / "mine.toml"), "--out", str(folder / "out")]
    subprocess.run(command, check=True)
    print(f"{len(students)} submissions in {time.monotonic() - began:.0f} s")
    with (folder / "out/grades.csv").open(newline="") as handle:
        got = {row["student"]: float(row["total"]) for row in csv.DictReader(handle)}
    wrong = 0
    for student in students:
        name = Path(student.name).stem
        if got[name] != student.points:
            wrong += 1
            print(f"{name}: {got[name]:g}, not {student.points:g}")
    print(f"{len(students) - wrong} of {len(students)} have their right points")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
