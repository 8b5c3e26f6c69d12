"""A small share of what `python -m tests.hostile` makes by the thousand; and what it has found."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections import Counter
from pathlib import Path

import attrs
import numpy as np
import pytest
from typer.testing import CliRunner

import rnnkit
from rnnkit.cli import app
from rnnkit.data.looking.figure import Shown, save_figure
from rnnkit.describing.summary import _link
from rnnkit.errors import CheckpointError, RegistryError
from rnnkit.kinds import Activation, Array, NoParams
from rnnkit.network.chain import Chain, Elementwise, Link
from rnnkit.system.fault import MISTAKE, said_of
from rnnkit.training.folders import earlier_settings, written_by_run
from rnnkit.training.history import read_history
from tests.specs import LSTM
from tests.test_fault import ended

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="inputs run in forked processes")


def test_no_input_ends_in_more_than_a_sentence() -> None:
    from tests.hostile.many import outcomes
    from tests.hostile.worker import KINDS

    found = list(outcomes(33, seed=0, workers=1))
    assert not [
        (one.kind, one.number, one.call, one.faults, one.said) for one in found if one.faults
    ]
    assert Counter(one.kind for one in found) == dict.fromkeys(KINDS, 3)
    assert [one.label for one in found if one.accepted == ""] == []
    assert {one.code for one in found} <= {0, 1, 2}
    assert all(one.said for one in found if one.code == 2)


def test_the_same_seed_makes_the_same_inputs(
    tmp_path: Path, tiny_data: Path, small_run: Path
) -> None:
    from random import Random

    from tests.hostile.case import Base
    from tests.hostile.worker import KINDS

    base = Base(tiny_data, small_run, small_run / "spec.toml")
    for kind, make in KINDS.items():
        first, second = tmp_path / kind / "1", tmp_path / kind / "2"
        for folder in (first, second):
            folder.mkdir(parents=True)
        one, two = make(Random(7), first, base), make(Random(7), second, base)
        for case in (one, two):
            if case.listening is not None:
                case.listening.close()
        assert one.label == two.label
        assert [re.sub(r":\d+/", "/", arg) for arg in one.args] == [
            re.sub(r":\d+/", "/", arg) for arg in two.args
        ]


@pytest.mark.heavy
def test_an_input_of_a_killed_worker_is_not_waited_for() -> None:
    import multiprocessing

    from tests.hostile.many import outcomes

    found = outcomes(200, seed=0, kinds=("arguments",), workers=1)
    next(found)
    (worker,) = multiprocessing.active_children()
    worker.kill()
    with pytest.raises(
        RuntimeError, match=r"a worker was killed, at one of \[\('arguments', \d+\)"
    ):
        list(found)


@attrs.frozen
class Odd(Activation):
    """y = x, but for what its methods return."""

    gives: object = None
    back: object = None

    def forward(self, x: Array) -> tuple[Array, Array]:
        return self.gives  # type: ignore[return-value]  # this is what is wrong with it

    def backward(self, dy: Array, cache: Array) -> Array:
        return self.back  # type: ignore[return-value]  # and this


X = np.ones((2, 3))


@pytest.mark.parametrize(
    ("plugin", "sentence"),
    [
        (Odd(None), "Odd: forward returned None, but must return (y, cache)"),
        (Odd(X), "must return (y, cache)"),
        (Odd((X[:1], X)), "forward returned an array of shape (1, 3) and type float64, but must return an array of shape (2, 3) as y"),
        (Odd((3, 3)), "forward returned int 3, but must return an array of shape (2, 3) as y"),
        (Odd((X, X), None), "backward returned None, but must return an array of shape (2, 3) as dx"),
    ],
)  # fmt: skip
def test_a_layer_that_returns_something_else_is_named(plugin: Odd, sentence: str) -> None:
    chain = Chain((Link(Elementwise(plugin), NoParams(), 3, 3),))
    with pytest.raises(RegistryError, match=re.escape(sentence)):
        chain.backward(X, chain.forward(X, None)[1])


def test_a_plugin_does_not_end_the_program_as_if_all_were_well(tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text("import sys\ndef forward(): sys.exit(0)\n")
    code, said = ended("sys.path.insert(0, '.'); import leaving; leaving.forward()", tmp_path)
    assert code == MISTAKE, said
    assert said.startswith("the code of a plugin has failed: SystemExit: 0 ")


def test_what_the_system_refuses_is_no_fault() -> None:
    with pytest.raises(OSError, match="too long") as refused:
        Path("x" * 5000).is_dir()
    text, code = said_of(refused.value)
    assert code == MISTAKE
    assert text.startswith("the system refuses 'xxx")
    assert text.endswith("..: File name too long")
    assert len(text) < 150


def test_a_file_of_a_run_that_never_ends_is_not_read(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    settings = run / "spec-until-3.toml"
    settings.write_bytes(b"\xff")
    with pytest.raises(CheckpointError, match=r"spec-until-3\.toml is not UTF-8 text"):
        earlier_settings(run)
    (run / "spec.toml").unlink()
    (run / "spec.toml").symlink_to("/dev/zero")
    assert not written_by_run(run)
    (run / "history.csv").unlink()
    os.mkfifo(run / "history.csv")
    with pytest.raises(
        CheckpointError, match=r"history\.csv: .*is a named pipe, where a file must be"
    ):
        read_history(run)


NOISY = """
import attrs
from rnnkit.kinds import Activation
print("noise\\x1b[31m")

@attrs.frozen
class Noisy(Activation):
    def forward(self, x):
        print("noise")
        return x, x

    def backward(self, dy, cache):
        return dy
"""


def test_what_a_plugin_prints_is_no_part_of_its_card(tmp_path: Path) -> None:
    file = tmp_path / "noisy.py"
    file.write_text(NOISY)
    ran = CliRunner().invoke(app, ["plugins", "show", f"{file}::Noisy", "--json"])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)[0]["kind"] == "activation"
    assert "noise" in ran.stderr
    assert "\x1b" not in ran.stderr


def test_a_layer_that_returns_something_else_is_named_where_its_work_is_measured() -> None:
    model = rnnkit.build(
        rnnkit.parse_spec(LSTM + "[data]\nfeatures = 4\nvocabulary = 8\nlength = 5\n")
    )
    link = Link(Elementwise(Odd(None)), NoParams(), 3, 3)
    with pytest.raises(RegistryError, match="Odd: forward returned None"):
        _link(model, "head.0", link, 2)


def test_pictures_with_control_characters_are_drawn(tmp_path: Path) -> None:
    one = Shown("no\x1b[31m picture", ("a \x07 circle",))
    save_figure(tmp_path / "figure.png", [one])
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
