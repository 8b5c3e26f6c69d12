"""Grading: whose points are right, what a submission cannot do, and what is written. All of a class: tests/classroom.py."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from rnnkit.cli import app
from rnnkit.errors import CourseError, RnnkitError
from rnnkit.testing.functions.assignment import read_assignment
from rnnkit.testing.grading.autograder import make_autograder
from rnnkit.testing.grading.classes import grade_class
from rnnkit.testing.grading.grading import Grading, graded
from rnnkit.testing.grading.inside import wire
from rnnkit.testing.grading.results import results
from rnnkit.testing.grading.submissions import Submission, bring, code_of, modules, submissions
from rnnkit.testing.grading.verdicts import Verdict
from tests import classroom
from tests.gradescope import RESULTS
from tests.mistakes.running import SOURCE

linux = pytest.mark.skipif(sys.platform != "linux", reason="the locks are those of Linux")

SMALL = """
extends = "cs231n"
only = ["rnn_step", "word_embedding", "temporal_softmax_loss"]
seconds = 2
"""
VILLAIN = {
    "rnn_step": ("    next_h = np.tanh(", "import os\n    os._exit(0)"),
    "rnn": ("    N, T, _ = x.shape\n    H = h0", "import os\n    while True: os.fork()"),
    "lstm_step": ("    H = prev_h.shape[1]\n    a =", "import socket\n    socket.socket()"),
    "lstm": ("    N, T, _ = x.shape\n    H = h0", "import os\n    while True: os.fork()"),
    "word_embedding": ("    out = W[x]", "import os, signal\n    os.kill(os.getppid(), signal.SIGKILL)"),
    "temporal_affine": ("    out = x.reshape", "open(os.environ['AWAY'], 'w')"),
}  # fmt: skip


def assignment(folder: Path, text: str = SMALL) -> str:
    file = folder / "mine.toml"
    file.write_text(text)
    return str(file)


def handed_in(folder: Path, text: str, name: str = "somebody.py") -> Submission:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return Submission(file.stem, file)


def earned(verdict: Verdict) -> dict[str, list[bool]]:
    return {o.name: [part.right for part in o.parts.values()] for o in verdict.outcomes}


def test_a_class_gets_its_points_and_is_not_graded_twice(tmp_path: Path) -> None:
    wrong = SOURCE.replace("dz = dnext_h * (1 - next_h**2)", "dz = dnext_h")
    folder = tmp_path / "class"
    students = [
        classroom.Student("right.py", {"right.py": SOURCE}, 38),
        classroom.Student("twin_one.py", {"twin_one.py": wrong}, 28),
        classroom.Student("twin_two.zip", {"hw/ie590/rnn_layers.py": wrong + "\n# mine\n"}, 28),
        *(s for s in classroom.everyone() if s.name in ("notebook.ipynb", "empty.py")),
    ]
    classroom.write(students, folder)
    how = Grading(assignment(tmp_path))
    out = tmp_path / "out"
    first = grade_class(folder, how, out, jobs=1)
    points = {v.name: v.earned for v in first.verdicts}
    assert points == {"right": 38, "twin_one": 28, "twin_two": 28, "notebook": 38, "empty": 0}
    assert first.again == 0
    again = grade_class(folder, how, out, jobs=1)
    assert again.again == 5
    assert again.verdicts == first.verdicts
    rows = (out / "grades.csv").read_text().splitlines()
    assert rows[0] == (
        "student,rnn_step values,rnn_step gradients,word_embedding values,word_embedding gradients,"
        "temporal_softmax_loss values,temporal_softmax_loss gradients,total,of"
    )
    assert rows[3] == "right,5,10,3,5,5,10,38,38"
    page = (out / "index.html").read_text()
    assert "5 submissions, 38 points, mean 26.4" in page
    assert "twin_one, twin_two" in page
    assert "a factor (1 - next_h^2) is missing" in page
    of_one = (out / "twin_one" / "index.html").read_text()
    assert "dx should be dz @ Wx.T, where dz = dnext_h * (1 - next_h**2)" in of_one
    told = json.loads((out / "twin_two" / "results.json").read_text())
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(told, RESULTS)
    assert told["score"] == 28
    assert [(t["name"], t["score"], t["max_score"]) for t in told["tests"][:2]] == [
        ("rnn_step: values", 5, 5),
        ("rnn_step: gradients", 0, 10),
    ]


def test_the_same_submission_gives_the_same_and_answers_can_be_left_out(tmp_path: Path) -> None:
    wrong = handed_in(tmp_path, SOURCE.replace("dx = dz.dot(Wx.T)", "dx = dnext_h.dot(Wx.T)"))
    only = assignment(tmp_path, 'extends = "cs231n"\nonly = ["rnn_step"]\n')
    first, second = (graded(wrong, Grading(only, answers=False)) for _ in range(2))
    assert first.outcomes == second.outcomes
    assert first.key == second.key
    (outcome,) = first.outcomes
    assert "in what Wx is multiplied by, a factor (1 - next_h^2) is missing" in outcome.explanation
    assert "should be" not in outcome.explanation
    other = graded(wrong, Grading(only, seed=1, answers=False))
    assert earned(other) == earned(first)
    assert other.outcomes[0].explanation != outcome.explanation  # other inputs


@linux
@pytest.mark.parametrize("way", ["yield dout", "return object()", "return 'dW'"])
def test_what_is_no_gradient_costs_the_points_for_the_gradient(way: str, tmp_path: Path) -> None:
    only = assignment(tmp_path, 'extends = "cs231n"\nonly = ["word_embedding"]\n')
    text = f"{SOURCE}\n\ndef word_embedding_backward(dout, cache):\n    {way}\n"
    (outcome,) = graded(handed_in(tmp_path, text), Grading(only)).outcomes
    assert [part.right for part in outcome.parts.values()] == [True, False]
    assert outcome.gradient is not None
    assert outcome.gradient.text.startswith("returns: the gradient of 'W' is ")
    assert outcome.gradient.text.endswith(", not an array of numbers")


@linux
def test_what_a_submission_does_costs_that_function_and_nothing_else(tmp_path: Path) -> None:
    text = f"import os\n{SOURCE}"
    for old, evil in VILLAIN.values():
        text = text.replace(old, f"    {evil}\n{old}")
    away = tmp_path / "away"
    text = text.replace("os.environ['AWAY']", repr(str(away)))
    verdict = graded(
        handed_in(tmp_path, text),
        Grading(
            assignment(tmp_path, f"{classroom.ASSIGNMENT}".replace("seconds = 4", "seconds = 1"))
        ),
    )
    right = {name for name, parts in earned(verdict).items() if all(parts)}
    assert right == {"temporal_softmax_loss"}
    assert not any(any(parts) for name, parts in earned(verdict).items() if name not in right)
    assert not away.exists()
    said = {o.name: o.value.text for o in verdict.outcomes}
    assert said["rnn_step"] == "ended: it ended its process, with code 0"
    for name in ("rnn", "lstm_step", "word_embedding", "temporal_affine"):
        assert "PermissionError" in said[name], said[name]
    assert len(verdict.locked) == 2


def test_rnnkit_is_not_there_and_what_is_patched_stays_there(tmp_path: Path) -> None:
    only = assignment(tmp_path, 'extends = "cs231n"\nonly = ["rnn_step"]\n')
    imports = handed_in(tmp_path, f"from rnnkit.compat.ie590.rnn_layers import *\n{SOURCE}")
    (outcome,) = graded(imports, Grading(only)).outcomes
    assert outcome.earned == 0
    assert "importing somebody raises" in outcome.value.text
    patched = "import numpy as np\nnp.allclose = np.array_equal = lambda *a, **k: True\nnp.abs = lambda x: 0 * x\n"
    wrong = SOURCE.replace("dz = dnext_h * (1 - next_h**2)", "dz = dnext_h")
    (outcome,) = graded(handed_in(tmp_path, patched + wrong), Grading(only)).outcomes
    assert (outcome.value.right, outcome.earned) == (True, 5)


def test_packages_that_the_assignment_names_can_be_imported_and_no_others(tmp_path: Path) -> None:
    only = 'extends = "cs231n"\nonly = ["word_embedding"]\npackages = ["rich"]\n'
    lazy = f"import rich\nfrom rich.segment import Segment\n{SOURCE}"
    verdict = graded(handed_in(tmp_path, lazy), Grading(assignment(tmp_path, only)))
    assert earned(verdict) == {"word_embedding": [True, True]}
    verdict = graded(
        handed_in(tmp_path, f"import attrs\n{SOURCE}"), Grading(assignment(tmp_path, SMALL))
    )
    assert "No module named 'attrs'" in verdict.outcomes[0].value.text
    with pytest.raises(CourseError, match="packages: 'no_such' is not installed here"):
        graded(
            handed_in(tmp_path, ""),
            Grading(assignment(tmp_path, 'packages = ["no_such"]\n' + SMALL)),
        )


def test_constants_and_what_depends_on_nothing_get_no_points(tmp_path: Path) -> None:
    only = assignment(tmp_path, 'extends = "cs231n"\nonly = ["rnn_step"]\n')
    (outcome,) = graded(handed_in(tmp_path, classroom._constants()), Grading(only)).outcomes
    assert outcome.earned == 0
    assert outcome.gradient is not None
    assert "no output depends on x" in outcome.gradient.text


def test_a_right_derivative_of_a_wrong_function_gets_the_points_for_the_gradient(
    tmp_path: Path,
) -> None:
    only = assignment(tmp_path, 'extends = "cs231n"\nonly = ["temporal_affine"]\n')
    twice = SOURCE.replace(".reshape(N, T, M) + b", ".reshape(N, T, M) - b")
    twice = twice.replace("db = dout.sum(axis=(0, 1))", "db = -dout.sum(axis=(0, 1))")
    (outcome,) = graded(handed_in(tmp_path, twice), Grading(only)).outcomes
    assert earned(graded(handed_in(tmp_path, twice), Grading(only))) == {
        "temporal_affine": [False, True]
    }
    assert "the sign of b is wrong" in outcome.value.text


def test_what_students_see_is_as_the_assignment_says(tmp_path: Path) -> None:
    hidden = 'extends = "cs231n"\nonly = ["rnn_step", "word_embedding"]\n[functions.rnn_step]\nshow = "{}"\n'
    wrong = handed_in(tmp_path, "")
    for show, seen, visibility in (
        ("verdict", "wrong", "visible"),
        ("nothing", "wrong", "after_published"),
    ):
        verdict = graded(wrong, Grading(assignment(tmp_path, hidden.format(show))))
        first = results(verdict)["tests"][0]
        assert (first["output"], first["visibility"]) == (seen, visibility)


CLASSES = 'title = "Classes"\n[plugins.MyTanh]\nsolution = "tanh"\nvalue = 5\ngradient = 10\n'


@pytest.mark.parametrize(
    ("old", "new", "right"),
    [
        ("", "", [True, True]),
        ("1.0 - ", "", [True, False]),
        ("np.tanh(x)", "np.tanh(2.0 * x)", [False, False]),
        ("import numpy as np", "import numpy as np, rnnkit_builtin", [False, False]),
    ],
)
def test_a_plugin_class_is_graded_beside_the_plugin_it_must_agree_with(
    old: str, new: str, right: list[bool], tmp_path: Path
) -> None:
    text = (classroom.ROOT / "plugins/rnnkit_builtin/activations/tanh.py").read_text()
    text = text.replace("class Tanh(", "class MyTanh(")
    assert old in text
    mine = handed_in(tmp_path, text.replace(old, new) if old else text)
    verdict = graded(mine, Grading(assignment(tmp_path, CLASSES)))
    assert earned(verdict) == {"MyTanh": right}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dots.zip", {"../away.py": "x"}),
        ("absolute.zip", {"/away.py": "x"}),
    ],
)
def test_a_zip_does_not_leave_its_folder(name: str, text: dict[str, str], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as packed:
        for inside, words in text.items():
            packed.writestr(inside, words)
    with pytest.raises(CourseError, match="would leave its folder"):
        bring(Submission("a", tmp_path / name), tmp_path / "a" / "b")
    assert not (tmp_path / "a" / "away.py").exists()


def test_a_zip_in_a_folder_is_unpacked(tmp_path: Path) -> None:
    folder = tmp_path / "student"
    folder.mkdir()
    with zipfile.ZipFile(folder / "hw 3.zip", "w") as packed:
        packed.writestr("ie590/rnn_layers.py", SOURCE)
    bring(Submission("student", folder), tmp_path / "a")
    task = read_assignment("cs231n").tasks[0]
    assert modules(tmp_path / "a", task)[0] == "hw_3.ie590.rnn_layers"


@pytest.mark.parametrize(
    "line",
    ["from .more import sigmoid", "from more import sigmoid", "from ie590.more import sigmoid"],
)
def test_a_submission_of_several_files_imports_its_own(line: str, tmp_path: Path) -> None:
    split = SOURCE.replace("def sigmoid(x):\n    return 1 / (1 + np.exp(-x))", line)
    more = "import numpy as np\ndef sigmoid(x):\n    return 1 / (1 + np.exp(-x))\n"
    files = {
        "hw3/ie590/rnn_layers.py": split,
        "hw3/ie590/more.py": more,
        "hw3/ie590/__init__.py": "",
    }
    classroom.write([classroom.Student("somebody", files, 0)], tmp_path / "class")
    only = 'extends = "cs231n"\nonly = ["lstm_step"]\n'
    (one,) = submissions(tmp_path / "class")
    assert earned(graded(one, Grading(assignment(tmp_path, only)))) == {"lstm_step": [True, True]}


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.py", bytes(60_000_000))
    with pytest.raises(CourseError, match="at most 2,000 of 50 MB are read"):
        bring(Submission("a", tmp_path / "bomb.zip"), tmp_path / "a")


def test_of_a_notebook_only_definitions_are_run(tmp_path: Path) -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "source": ["%load_ext x\n", "import numpy as np\n", "N = 3\n", "y = open('z')"]},
        {"cell_type": "code", "source": "@np.vectorize\ndef f(x):\n    return x\nprint(f(3))"},
        {"cell_type": "code", "source": "this is no Python"},
    ]  # fmt: skip
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    names: dict[str, Any] = {}
    exec(code_of(tmp_path / "n.ipynb"), names)
    assert names["N"] == 3
    assert names["f"](3) == 3
    assert "y" not in names


@pytest.mark.parametrize("target", ["/dev/zero", "other.py", "n.py", "folder", "nowhere"])
def test_a_submission_that_is_a_link_is_not_followed(target: str, tmp_path: Path) -> None:
    (tmp_path / "class" / "folder").mkdir(parents=True)
    (tmp_path / "class" / "folder" / "secret.py").write_text("x = 1")
    (tmp_path / "class" / "other.py").write_text("x = 1")
    (tmp_path / "class" / "n.py").symlink_to(target)
    (link,) = [one for one in submissions(tmp_path / "class") if one.path.name == "n.py"]
    with pytest.raises(CourseError, match="it is a link, which is not followed"):
        bring(link, tmp_path / "out")
    assert link.digest() == Submission("none", tmp_path / "nothing").digest()


def test_a_submission_that_never_ends_or_is_too_large_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="is a device, where a file must be"):
        bring(Submission("zero", Path("/dev/zero")), tmp_path / "zero")
    with (tmp_path / "large.py").open("wb") as file:
        file.truncate(60_000_000)
    with pytest.raises(CourseError, match="it has 1 files of 60 MB; at most"):
        bring(Submission("large", tmp_path / "large.py"), tmp_path / "large")


@pytest.mark.parametrize("source", [3, None, ["x = 1", 3], {"a": 1}])
def test_a_notebook_with_a_cell_that_is_no_text_cannot_be_read(
    source: object, tmp_path: Path
) -> None:
    file = tmp_path / "n.ipynb"
    file.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source}]}))
    with pytest.raises(
        CourseError, match=r"read: n\.ipynb is no notebook: a cell has a source that"
    ):
        bring(Submission("n", file), tmp_path / "out")


def test_a_folder_without_submissions_or_with_two_of_a_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="has no submissions"):
        submissions(tmp_path)
    for ending in ("py", "zip"):
        (tmp_path / f"a.{ending}").touch()
    with pytest.raises(CourseError, match="two submissions of 'a'"):
        submissions(tmp_path)


def test_messages_are_arrays_as_bytes_and_nothing_else() -> None:
    arrays: list[Any] = []
    value = (np.eye(2), None, {"a": [1.5, np.float32(2)]}, object(), np.array([object()]))
    data = wire.pack(wire.described(value, arrays), arrays)
    at = [0]

    def read(size: int) -> bytes:
        part = data[at[0] : at[0] + size]
        at[0] += size
        return part

    form, came = wire.unpack(read)
    a, none, named, other, objects = wire.restored(form, came)
    assert a.tolist() == np.eye(2).tolist()
    assert none is None
    assert named["a"][1].dtype == np.float32
    assert (repr(other), repr(objects)) == ("a object", "a ndarray")
    for wrong in (b"", b"garbage", data[:-1], wire.pack([], [np.zeros(2)])[:-8], b"\xff" * 64):
        rest = iter([wrong])
        with pytest.raises(wire.Garbled):
            wire.unpack(lambda size, rest=rest: next(rest, b""))  # type: ignore[misc]
    with pytest.raises(wire.Garbled):
        wire.restored({"array": 7}, [])


def test_gradescope_runs_the_zip(tmp_path: Path) -> None:
    """All but setup.sh, which installs the wheel: here Python is the one that runs the tests."""
    (tmp_path / "solution.py").write_text(SOURCE)
    only = 'solution = "solution.py"\n[functions.word_embedding]\nvalue = 3\ngradient = 5\n'
    make_autograder(tmp_path / "auto.zip", assignment(tmp_path, only), seed=3, answers=False)
    with zipfile.ZipFile(tmp_path / "auto.zip") as packed:
        packed.extractall(tmp_path / "source")
        modes = {m.filename: m.external_attr >> 16 & 0o777 for m in packed.infolist()}
    assert modes["setup.sh"] == modes["run_autograder"] == 0o755
    (wheel,) = (tmp_path / "source").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        record = packed.read(next(n for n in names if n.endswith("/RECORD"))).decode()
        points = packed.read(next(n for n in names if n.endswith("/entry_points.txt"))).decode()
    assert {line.rpartition(",sha256=")[0] or line[:-2] for line in record.splitlines()} == names
    assert {"rnnkit/__init__.py", "rnnkit_builtin/cells/lstm.py", "rnnkit/specs/lstm.toml"} <= names
    assert "[rnnkit.cells]" in points
    (tmp_path / "environment/bin").mkdir(parents=True)
    python = tmp_path / "environment/bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission/rnn_layers.py").write_text(
        SOURCE.replace("np.add.at(dW, x, dout)", "dW[x] += dout")
    )
    run = ["bash", str(tmp_path / "source/run_autograder")]
    subprocess.run(run, env={**os.environ, "AUTOGRADER": str(tmp_path)}, check=True)
    told = json.loads((tmp_path / "results/results.json").read_text())
    pytest.importorskip("jsonschema").validate(told, RESULTS)
    assert [(t["score"], t["status"]) for t in told["tests"]] == [(3, "passed"), (0, "failed")]
    assert "they must be added up (np.add.at does)" in told["tests"][1]["output"]
    assert "should be" not in told["tests"][1]["output"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["class", "--out", "o"], "--assignment: name what is to be graded"),
        (["class", "--assignment", "ie590"], "--out: name the folder"),
        (["class", "--assignment", "ie59", "--out", "o"], "did you mean 'ie590'?"),
        (["nowhere", "--assignment", "ie590", "--out", "o"], "nowhere: no such folder"),
        (["class", "--assignment", "ie590", "--out", "file"], "file cannot be made"),
        (
            ["class", "--assignment", "ie590", "--out", "class/o"],
            "is in the folder of the submissions",
        ),
        (["class", "--assignment", "ie590", "--out", "mine"], "is not a page of rnnkit"),
        (
            ["nowhere", "--assignment", "ie590", "--results", "r.json"],
            "nowhere: no such submission",
        ),
        (
            ["class/a.py", "--assignment", "ie590", "--results", "file"],
            "file exists and is not results for Gradescope",
        ),
        (["--assignment", "ie590", "--make-autograder", "file"], "is not an autograder of rnnkit"),
    ],
)
def test_a_mistake_on_the_command_line_is_told(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("class").mkdir()
    Path("class/a.py").touch()
    Path("file").write_text("mine")
    Path("mine").mkdir()
    Path("mine/index.html").write_text("<h1>mine</h1>")
    ran = CliRunner().invoke(app, ["grade", *words])
    assert isinstance(ran.exception, RnnkitError)
    assert told in str(ran.exception)


@pytest.mark.heavy
def test_a_run_that_is_killed_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "class"
    students = [classroom.Student(f"s{k}.py", {"f": f"{SOURCE}\n# {k}\n"}, 38) for k in range(6)]
    classroom.write(students, folder)
    command = [sys.executable, "-m", "rnnkit", "grade", str(folder), "--out", str(tmp_path / "out")]
    command += ["--assignment", assignment(tmp_path), "--jobs", "2"]
    first = subprocess.Popen(command, start_new_session=True)
    while not list((tmp_path / "out").glob("*/verdict.json")):
        time.sleep(0.05)
        assert first.poll() is None
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    label = hashlib.sha256(str((tmp_path / "out").resolve()).encode()).hexdigest()[:8]
    scratch = Path(tempfile.gettempdir())
    assert list(scratch.glob(f"rnnkit-grade-{label}-*"))
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "of 6 were graded before, and are the same" in ended.stdout
    assert (tmp_path / "out/grades.csv").read_text().count(",38,38\n") == 6
    assert not list(scratch.glob(f"rnnkit-grade-{label}-*"))


@linux
@pytest.mark.heavy
def test_everybody_in_the_made_up_class_gets_the_right_points(tmp_path: Path) -> None:
    assert classroom.main(tmp_path / "all") == 0
    assert not Path("/tmp/rnnkit-was-here").exists()
