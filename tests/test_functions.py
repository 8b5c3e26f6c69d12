"""Files of functions before gradcheck: what is found in them, what is said, and with which arguments."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from rnnkit.errors import CourseError
from rnnkit.testing import check_functions
from rnnkit.testing.functions.arguments import Arguments, make
from rnnkit.testing.functions.assignment import read_assignment, shipped
from rnnkit.testing.functions.finding import find, unwritten
from rnnkit.testing.functions.settings import settings
from rnnkit.testing.functions.targets import of_module
from rnnkit.testing.targets import run
from tests.mistakes.running import SOURCE, written

ROOT = Path(__file__).parents[1]


def module(source: str) -> ModuleType:
    made = written([])
    for name in [n for n in vars(made) if not n.startswith("__") and n != "np"]:
        delattr(made, name)
    exec(source, made.__dict__)
    return made


def gradcheck(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rnnkit", "gradcheck", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_pairs_and_losses_are_found_in_the_order_of_the_lines() -> None:
    names = [(found.name, found.is_loss) for found in find(written([]))]
    assert names == [
        ("rnn_step", False),
        ("rnn", False),
        ("lstm_step", False),
        ("lstm", False),
        ("word_embedding", False),
        ("temporal_affine", False),
        ("temporal_softmax_loss", True),
    ]


def test_pairs_are_found_with_the_way_ahead_of_the_name() -> None:
    (found,) = find(module("def forward_relu(x): pass\ndef backward_relu(dout, cache): pass"))
    assert found.name == "relu"
    assert found.names == ("forward_relu", "backward_relu")
    assert found.forward is not None
    assert found.backward is not None


@pytest.mark.parametrize(
    ("body", "blank"),
    [
        ("pass", True),
        ("'''Says what it does.'''\n    raise NotImplementedError", True),
        ("raise NotImplementedError('later')", True),
        ("h, cache = None, None\n    # TODO\n    pass\n    return h, cache", True),
        ("return None", True),
        ("h = x\n    return h, None", False),
        ("raise ValueError", False),
    ],
)
def test_what_is_not_written_is_told_from_what_is(body: str, blank: bool, tmp_path: Path) -> None:
    sys.path.insert(0, str(tmp_path))
    name = f"blank_{abs(hash(body))}"
    (tmp_path / f"{name}.py").write_text(f"def f_forward(x):\n    {body}\n")
    try:
        assert unwritten(__import__(name).f_forward) is blank
    finally:
        sys.path.remove(str(tmp_path))


def test_the_command_lists_what_is_unwritten_and_explains_what_is_wrong(tmp_path: Path) -> None:
    text = SOURCE.replace("dx = dz.dot(Wx.T)", "dx = dnext_h.dot(Wx.T)")
    start = text.index("def rnn_backward")
    end = text.index("def lstm_step_forward")
    text = f"{text[:start]}def rnn_backward(dh, cache):\n    pass\n\n\n{text[end:]}"
    (tmp_path / "rnn_layers.py").write_text(text)
    ended = gradcheck("rnn_layers.py::rnn_step", cwd=tmp_path)
    assert ended.returncode == 1
    assert "x       WRONG" in ended.stdout
    assert "in what Wx is multiplied by, a factor (1 - next_h^2) is missing" in ended.stdout
    assert "dx should be dz @ Wx.T" in ended.stdout
    assert "backward: rnn_layers.py:19" in ended.stdout
    ended = gradcheck("rnn_layers.py::rnn", cwd=tmp_path)
    assert ended.returncode == 1
    assert (
        "rnn_backward is not written yet [rnn_layers.py:43]; it must return dx (N, T, D), dh0 (N, H), "
        "dWx (D, H), dWh (H, H), db (H,)"
    ) in ended.stdout


def test_the_assignments_of_rnnkit_are_right_themselves() -> None:
    assert shipped() == ["cs231n", "ie590"]
    for name in shipped():
        assignment = read_assignment(name)
        for target in of_module(assignment.module(), "solution", assignment):
            report = run(target)
            assert report.ok, (target.name, report.failures)


def test_values_are_compared_with_the_solution_and_with_what_was_printed() -> None:
    wrong = written([("next_h = o * np.tanh(next_c)", "next_h = np.tanh(next_c)")])
    checked = check_functions(wrong, assignment="cs231n")
    text = repr(checked)
    assert not checked.ok
    assert "next_h  WRONG at [" in text
    assert "forward gives" in text
    assert "it must be" in text
    assert "the assignment prints" in text


def test_a_switch_is_tried_both_ways() -> None:
    source = (
        "def f_forward(x, twice=False):\n    return (2 * x if twice else x), twice\n"
        "def f_backward(dout, cache):\n    return dout\n"
    )
    text = repr(check_functions(module(source)))
    assert "is wrong, with twice=True" in text
    assert "it is 0.5 times the right one" in text


def test_lengths_are_not_taken_for_each_other() -> None:
    wrong = written(
        [("dprev_h = np.zeros((N, H))\n    dWx", "dprev_h = np.zeros((2, 2))\n    dWx")]
    )
    assert "could not be broadcast" in repr(check_functions(wrong))


def test_an_unknown_parameter_is_named_with_the_way_out(tmp_path: Path) -> None:
    source = "def f_forward(foo):\n    return 3 * foo, None\ndef f_backward(dout, cache):\n    return 3 * dout\n"
    assert "does not know what 'foo' of f_forward is" in repr(check_functions(module(source)))
    table = tmp_path / "a.toml"
    table.write_text('[[arguments]]\nfoo = "N 2D"\n')
    assert check_functions(module(source), arguments=table).ok


def test_arguments_are_made_as_a_table_says() -> None:
    rng, sizes = np.random.default_rng(0), {"N": 3, "V": 5}
    assert make("x", "N 2V", sizes, rng).shape == (3, 10)
    words = make("x", {"shape": "N 4", "below": "V"}, sizes, rng)
    assert words.flat[0] == words.flat[-1]
    assert words.max() < 5
    mask = make("x", {"shape": "N", "of": "bool"}, sizes, rng)
    assert mask.tolist()[::2] == [True, False]
    assert make("x", {"shape": "3", "ramp": [0, 1]}, sizes, rng).tolist() == [0.0, 0.5, 1.0]
    assert make("x", True, sizes, rng) is True
    for wrong in ("N Z", {"shape": "N", "of": "names"}, None):
        with pytest.raises(CourseError, match=r"^x: "):
            make("x", wrong, sizes, rng)


def test_a_notebook_shows_a_table_and_escapes_what_is_in_it() -> None:
    source = "def f_forward(x):\n    raise ValueError('<b>no</b>')\ndef f_backward(dout, cache):\n    return dout\n"
    page = check_functions(module(source))._repr_html_()
    assert page.startswith("<table>")
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert ">wrong</td>" in page


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense = 1", "nonsense"),
        ('extends = "cs231n"\nonly = ["rnn_stp"]', "did you mean 'rnn_step'"),
        ('extends = "cs231n"\n[functions.rnn_step]\nvalu = 3', "did you mean 'value'"),
        ('extends = "cs231n"\n[functions.rnn_step]\nvalue = -3', "-3 is not a number from 0"),
        ('extends = "cs231n"\nmemory = "much"', "write it as"),
        ("[functions.f]\nvalue = 1", "solution: name a module"),
        ('solution = "a.py"', "it has no [functions.NAME]"),
        ('solution = "no.such.module"\n[functions.f]\nvalue = 1', "No module named"),
        ("[", "a.toml"),
        ("packages = 3", "packages: 3 is not an array of texts"),
        ("only = [3]", "only: [3] is not an array of texts"),
        ("functions = 3", "functions: 3 is not tables, one for each name"),
        ('extends = "cs231n"\nmemory = "0 GB"', "is not between 0 and"),
        ('extends = "cs231n"\npackages = ["..x"]', "'..x' is not installed here"),
        (
            'extends = "cs231n"\n[functions.rnn_step]\noptions = { a = 3 }',
            "is not a table of arrays",
        ),
        ('solution = ""\n[plugins.f]\nsolution = 3', "solution: 3 is not a text"),
        ('solution = "..x"\n[functions.f]\nvalue = 1', "solution '..x': "),
    ],
)
def test_a_mistake_in_an_assignment_is_named(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(text)

    def used() -> None:
        read_assignment(str(file)).module()

    with pytest.raises(CourseError, match=told.replace("[", r"\[")):
        used()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sizes = 3", "sizes: 3 is not a table"),
        ("[[arguments]]\nhaving = 3", "having: 3 is not an array of texts"),
        ("[[arguments]]\nnamed = []", "named: [] is not a text"),
        (
            f"[[arguments]]\nx = 0x{'F' * 4000}",
            "arguments[0].x: whole numbers have at most 64 bits",
        ),
        ("[sizes]\nN = 9223372036854775808", "sizes.N: whole numbers have at most 64 bits"),
        ("[[arguments]]\nx = { values = [[1], [1, 2]] }", "says of no argument how it is made"),
        (
            '[[arguments]]\nx = { shape = "N", ramp = ["a", 1] }',
            "says of no argument how it is made",
        ),
        ('[[arguments]]\nx = { shape = "N", below = -3 }', "has no length"),
    ],
)
def test_a_mistake_in_a_table_of_arguments_is_named(text: str, told: str, tmp_path: Path) -> None:
    def f(x: object) -> None: ...

    file = tmp_path / "a.toml"
    file.write_text(text)
    with pytest.raises(CourseError, match=told.replace("[", r"\[")):
        list(settings(f, Arguments.read(file), 0))


def test_an_assignment_is_another_one_with_other_points(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('extends = "ie590"\nonly = ["rnn_step"]\n[functions.rnn_step]\ngradient = 20\n')
    (task,) = read_assignment(str(file)).tasks
    assert (task.value, task.gradient) == (5, 20)
    assert set(task.printed) == {"tanh", "sigmoid"}
    assert task.options == {"use_tanh": [True, False]}


def test_watching_checks_again_when_a_file_is_saved(tmp_path: Path) -> None:
    file = tmp_path / "f.py"
    right = "def f_forward(x):\n    return 2 * x, None\ndef f_backward(dout, cache):\n    return 2 * dout\n"
    file.write_text(right.replace("2 * dout", "dout"))
    log = tmp_path / "log"
    with log.open("w") as out:
        command = [sys.executable, "-u", "-m", "rnnkit", "gradcheck", "f.py", "--watch"]
        watch = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT)
    try:
        _until(lambda: log.read_text().count("watching f.py") == 1)
        assert "0.5 times the right one" in log.read_text()
        file.write_text(right)
        _until(lambda: log.read_text().count("watching f.py") == 2)
        assert " ok" in log.read_text().rpartition("0.5 times")[2]
    finally:
        watch.terminate()
        watch.wait()


def _until(done: object) -> None:
    assert callable(done)
    for _ in range(600):
        if done():
            return
        time.sleep(0.1)
    raise AssertionError("it took a minute")
