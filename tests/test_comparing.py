"""Specs side by side: the same captions for all, runs that end at a target, and what is told of failures."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

import rnnkit
from rnnkit.captioning.evaluation import nats_per_token
from rnnkit.data import as_characters
from rnnkit.errors import CheckpointError, RnnkitError, SpecError
from rnnkit.kinds import Array, Ints
from rnnkit.parallel import Alone
from rnnkit.training import (
    Estimate,
    Failed,
    Learnt,
    Point,
    Result,
    Step,
    Trainer,
    compare,
    draw_curves,
    level_with_best,
    rows_of,
    write_curves,
)

T = TypeVar("T")

SPEC = """
[model]
words = { use = "embedding", dim = 16 }
[[model.rnn]]
hidden = 24
cell = { use = "vanilla", activation = "tanh" }
[train]
epochs = 4
batch = 16
optimizer = { use = "adam", learning_rate = 1e-2 }
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tanh(tmp_path: Path) -> Path:
    file = tmp_path / "tanh.toml"
    file.write_text(SPEC)
    return file


@pytest.fixture
def sigmoid(tmp_path: Path) -> Path:
    file = tmp_path / "sigmoid.toml"
    file.write_text(SPEC.replace('"tanh"', '"sigmoid"'))
    return file


def learnt(results: list[Result]) -> list[Learnt]:
    found = [result for result in results if isinstance(result, Learnt)]
    assert len(found) == len(results), results
    return found


def losses(result: Learnt) -> list[float]:
    return [point.loss for point in result.curve]


def window_means(steps: list[Step], window: int) -> list[float]:
    """Means per caption over every full window, from the bare steps of a run."""
    loss = np.array([s.loss * s.captions for s in steps])
    captions = np.array([s.captions for s in steps])
    ends = range(window, len(steps) + 1)
    return [float(loss[e - window : e].sum() / captions[e - window : e].sum()) for e in ends]


def test_equal_specs_learn_alike_and_like_a_run_of_their_own(
    tanh: Path, tiny_data: Path, tmp_path: Path
) -> None:
    a, b = learnt(compare([tanh, tanh], tiny_data))
    steps: list[Step] = []
    run = rnnkit.train(tanh, tiny_data, tmp_path / "run", on_step=steps.append)
    assert losses(a) == losses(b) == [s.loss for s in steps]
    assert a.updates == steps[-1].steps
    assert (a.name, b.name) == (str(tanh), f"{tanh} (2)")
    assert a.val_nats == b.val_nats == run.history.records[-1].val_nats
    assert a.parameters == sum(w.size for w in run.model.parameters.values())
    assert not a.reached
    assert a.loss == pytest.approx(window_means(steps, a.window)[-1], rel=1e-12)
    # The window is an epoch here, so the means at the ends of epochs are those of the history.
    records = run.history.records
    ends = [a.curve[record.step - 1].mean for record in records]
    assert ends == pytest.approx([record.train_loss for record in records], rel=1e-12)


def test_tanh_and_sigmoid_are_told_apart(tanh: Path, sigmoid: Path, tiny_data: Path) -> None:
    a, b = learnt(compare([tanh, sigmoid], tiny_data))
    assert (a.cell, b.cell) == ("vanilla(activation=tanh)", "vanilla(activation=sigmoid)")
    assert a.parameters == b.parameters
    assert a.loss < b.loss
    seconds = [point.seconds for point in a.curve]
    assert seconds == sorted(seconds)
    assert a.seconds == seconds[-1] > 0


def test_a_run_ends_at_the_update_whose_window_is_first_at_the_target(
    tanh: Path, sigmoid: Path, tiny_data: Path, tmp_path: Path
) -> None:
    steps: list[Step] = []
    run = rnnkit.train(tanh, tiny_data, tmp_path / "run", on_step=steps.append)
    window = run.history.records[0].step
    means = window_means(steps, window)
    for target in (means[5], means[5] + 1e-6, max(losses_of(steps)), np.nextafter(means[-1], 99)):
        first = next(i for i, mean in enumerate(means) if mean <= target)
        a, b = learnt(compare([tanh, sigmoid], tiny_data, until_loss=target))
        assert a.reached
        assert a.window == window
        assert a.updates == window + first
        assert losses(a) == losses_of(steps)[: a.updates]
        assert a.loss <= target
        assert b.reached == (b.loss <= target)
    (never,) = learnt(compare([tanh], tiny_data, until_loss=min(means) / 2))
    assert not never.reached
    assert never.updates == len(steps)


def losses_of(steps: list[Step]) -> list[float]:
    return [s.loss for s in steps]


def test_the_network_is_judged_as_it_was_when_it_reached_the_target(
    tanh: Path, tiny_data: Path
) -> None:
    (result,) = learnt(compare([tanh], tiny_data, until_loss=35.0))
    assert result.reached
    with rnnkit.open_data(tiny_data) as data:
        model = rnnkit.build(tanh, data)

        def until(step: Step) -> None:
            trainer.stop = step.number == result.updates

        trainer = Trainer(model, data.split("train"), on_step=until)
        for _ in trainer.records():
            pass
        assert result.val_nats == nats_per_token(model, data.split("val"))


def test_long_epochs_have_a_window_of_50_updates(tanh: Path, tiny_data: Path) -> None:
    (result,) = learnt(compare([tanh], tiny_data, overrides=["train.batch=2", "train.epochs=1"]))
    assert result.updates > 52
    assert result.window == 50
    assert result.loss == pytest.approx(np.mean(losses(result)[-50:]), rel=0.02)


def test_dropout_does_not_change_the_order_of_captions(
    tanh: Path, tiny_data: Path, tmp_path: Path
) -> None:
    dropped = tmp_path / "dropped.toml"
    dropped.write_text(
        SPEC.replace("[model]", '[model]\nhead = [{ use = "dropout", rate = 0.5 }, "affine"]')
    )
    counts: list[list[int]] = []
    compare(
        [tanh, dropped],
        tiny_data,
        on_start=lambda *_: counts.append([]),
        on_step=lambda step: counts[-1].append(step.tokens),
    )
    assert len(set(counts[0])) > 3
    assert counts[0] == counts[1]


def test_one_seed_for_all(tanh: Path, tiny_data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(SPEC.replace("[model]", "[model]\nseed = 5"))
    (alone,) = learnt(compare([tanh], tiny_data))
    a, b = learnt(compare([tanh, other], tiny_data))
    assert losses(a) == losses(b) == losses(alone)
    c, d = learnt(compare([other, tanh], tiny_data))
    assert losses(c) == losses(d) != losses(a)
    e, f = learnt(compare([tanh, other], tiny_data, seed=5))
    assert losses(e) == losses(f) == losses(c)


def test_specs_in_memory_on_an_open_dataset(tanh: Path, sigmoid: Path, tiny_data: Path) -> None:
    files = learnt(compare([tanh, sigmoid], tiny_data))
    with rnnkit.open_data(tiny_data) as data:
        held = learnt(compare([rnnkit.read_spec(f) for f in (tanh, sigmoid)], data))
    assert [r.name for r in held] == ["spec 1", "spec 2"]
    assert [losses(r) for r in held] == [losses(r) for r in files]


def test_characters_beside_words(tanh: Path, tiny_data: Path, tmp_path: Path) -> None:
    spelled = tmp_path / "spelled.toml"
    spelled.write_text(SPEC + '[data]\ntokens = "char"\n')
    words, characters = learnt(compare([tanh, spelled], tiny_data, overrides=["train.epochs=1"]))
    assert words.updates == characters.updates
    with rnnkit.open_data(tiny_data) as data:
        v = len(as_characters(data).vocabulary), len(data.vocabulary)
    assert words.parameters - characters.parameters == (v[1] - v[0]) * (16 + 24 + 1)


def test_cells_are_described_bottom_to_top(tanh: Path, tiny_data: Path) -> None:
    cell = '{ use = "gru-reset-before", input_weights = "zeros" }'
    two = SPEC + f"[[model.rnn]]\nhidden = 8\ncell = {cell}\n"
    tanh.write_text(two)
    (result,) = learnt(compare([tanh], tiny_data, overrides=["train.epochs=1"]))
    bottom, _, top = result.cell.partition(" + ")
    assert bottom == "vanilla(activation=tanh)"
    assert top == "gru-reset-before(input_weights=zeros)"


def test_a_spec_that_fails_does_not_end_the_others(
    tanh: Path, sigmoid: Path, tiny_data: Path, tmp_path: Path
) -> None:
    wide = tmp_path / "wide.toml"
    wide.write_text(SPEC + "[data]\nfeatures = 3\n")
    wild = tmp_path / "wild.toml"
    wild.write_text(SPEC.replace("adam", "sgd").replace("1e-2", "1e38"))
    told: list[Result] = []
    specs = [tanh, tmp_path / "none.toml", wide, wild, sigmoid]
    results = compare(specs, tiny_data, on_result=told.append)
    assert told == results
    assert [type(r) for r in results] == [Learnt, Failed, Failed, Failed, Learnt]
    assert [r.name for r in results] == [str(s) for s in specs]
    reasons = [r.reason for r in results if isinstance(r, Failed)]
    assert reasons[0] == f"{specs[1]}: cannot read the spec: No such file or directory"
    assert "data.features: the spec says 3" in reasons[1]
    assert "training has diverged" in reasons[2]
    assert all(r.mistake for r in results if isinstance(r, Failed))


def test_a_plugin_that_raises_is_no_mistake_of_the_user(
    tanh: Path, sigmoid: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Trainer.update

    def broken(self: Trainer, captions: Ints, features: Array, of: int | None = None) -> Step:
        if "sigmoid" in repr(self.model.spec.model.rnn[0].cell).lower():
            raise ZeroDivisionError("by a plugin")
        return update(self, captions, features, of)

    monkeypatch.setattr(Trainer, "update", broken)
    a, b = compare([sigmoid, tanh], tiny_data)
    assert isinstance(a, Failed)
    assert isinstance(b, Learnt)
    assert a.reason.startswith("the code of a plugin has failed: ZeroDivisionError: by a plugin [")
    assert "test_comparing.py:" in a.reason
    assert not a.mistake


def test_several_values_are_a_run_each(tanh: Path, sigmoid: Path, tiny_data: Path) -> None:
    overrides = ["train.epochs=[1, 2]", "train.batch=8", 'train.optimizer.use=["adam", "sgd"]']
    found = learnt(compare([tanh, sigmoid], tiny_data, overrides=overrides))
    grid = [(file, n, use) for file in (tanh, sigmoid) for n in (1, 2) for use in ("adam", "sgd")]
    assert [r.name for r in found] == [f"{file} epochs={n}, use={use}" for file, n, use in grid]
    assert [r.number for r in found] == list(range(8))
    for result, (file, n, use) in zip(found, grid, strict=True):
        single = [f"train.epochs={n}", "train.batch=8", f"train.optimizer.use={use}"]
        (alone,) = learnt(compare([file], tiny_data, overrides=single))
        assert losses(result) == losses(alone)


def test_runs_of_one_name_are_numbered(tanh: Path, tiny_data: Path) -> None:
    found = compare([tanh, tanh], tiny_data, overrides=["train.epochs=[1, 1]"])
    name = f"{tanh} epochs=1"
    assert [r.name for r in found] == [name, *(f"{name} ({k})" for k in (2, 3, 4))]


def test_a_wrong_value_is_one_run_and_a_wrong_path_one_spec(tanh: Path, tiny_data: Path) -> None:
    values = ["train.epochs=[1, 0, 2]"]
    a, b, c = compare([tanh], tiny_data, overrides=values)
    assert isinstance(a, Learnt)
    assert isinstance(b, Failed)
    assert isinstance(c, Learnt)
    assert (b.number, b.name, b.mistake) == (1, f"{tanh} epochs=0", True)
    assert b.reason.startswith("--set train.epochs=0: train.epochs: ")
    (failed,) = compare([tanh], tiny_data, overrides=["train.epochs=[1, 2]", "train.bach=[1, 2]"])
    assert isinstance(failed, Failed)
    assert failed.name == str(tanh)
    assert "unknown key 'bach'; did you mean 'batch'?" in failed.reason
    (empty,) = compare([tanh], tiny_data, overrides=["train.batch=[]"])
    assert isinstance(empty, Failed)
    assert "the array is empty" in empty.reason


def test_several_seeds_are_each_runs_own(tanh: Path, sigmoid: Path, tiny_data: Path) -> None:
    seeds = ["model.seed=[5, 6]", "train.epochs=1"]
    found = learnt(compare([tanh, sigmoid], tiny_data, overrides=seeds))
    for result, (file, seed) in zip(
        found, [(tanh, 5), (tanh, 6), (sigmoid, 5), (sigmoid, 6)], strict=True
    ):
        (alone,) = learnt(compare([file], tiny_data, overrides=["train.epochs=1"], seed=seed))
        assert losses(result) == losses(alone)
    with pytest.raises(SpecError, match="3 cannot be the seed of all runs"):
        compare([tanh], tiny_data, overrides=seeds, seed=3)


def test_a_file_is_read_before_the_first_run(tanh: Path, sigmoid: Path, tiny_data: Path) -> None:
    """Who goes on editing it while runs go on for hours does not change what is compared."""

    def edit(*_: object) -> None:
        sigmoid.write_text("[model]")

    wanted = compare([tanh, sigmoid], tiny_data, overrides=["train.epochs=1"])
    found = compare([tanh, sigmoid], tiny_data, overrides=["train.epochs=1"], on_start=edit)
    assert [losses(r) for r in learnt(found)] == [losses(r) for r in learnt(wanted)]


def test_results_are_told_as_they_come_and_returned_in_order(tanh: Path, tiny_data: Path) -> None:
    class Backwards(Alone):
        def spread(self, job: Callable[[int], T], count: int) -> Iterator[tuple[int, T]]:
            return ((number, job(number)) for number in reversed(range(count)))

    told: list[Result] = []
    overrides = ["train.epochs=[1, 2, 0]"]
    found = compare(
        [tanh], tiny_data, overrides=overrides, on_result=told.append, ranks=Backwards()
    )
    assert [r.number for r in found] == [0, 1, 2]
    assert told == found[::-1]
    assert [r.name[-1] for r in found] == ["1", "2", "0"]


def test_the_data_is_one_for_all(
    tanh: Path, sigmoid: Path, tiny_data: Path, tmp_path: Path
) -> None:
    (nowhere,) = compare([tanh])
    assert isinstance(nowhere, Failed)
    assert "comparing needs data" in nowhere.reason
    here, there = tmp_path / "here.toml", tmp_path / "there.toml"
    here.write_text(f'{SPEC}[data]\npath = "{tiny_data}"\n')
    there.write_text(f'{SPEC}[data]\npath = "elsewhere"\n')
    open_path, own, other = compare([tanh, here, there])
    assert isinstance(open_path, Learnt)
    assert isinstance(own, Learnt)
    assert losses(open_path) == losses(own)
    assert isinstance(other, Failed)
    assert f"its data.path is elsewhere, but the first spec's is {tiny_data}" in other.reason
    assert len(learnt(compare([here, there], tiny_data))) == 2


def test_curves_are_written_and_drawn(
    tanh: Path, sigmoid: Path, tiny_data: Path, tmp_path: Path
) -> None:
    results = compare([tanh, tmp_path / "none.toml", sigmoid], tiny_data)
    out = tmp_path / "new" / "folder"
    write_curves(results, out / "curves.csv")
    draw_curves(results, out / "loss.png", until_loss=20.0)
    with (out / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    for result in (r for r in results if isinstance(r, Learnt)):
        own = [row for row in rows if row["spec"] == result.name]
        assert [int(row["update"]) for row in own] == list(range(1, result.updates + 1))
        assert [float(row["loss"]) for row in own] == losses(result)
        assert [float(row["mean"]) for row in own] == [p.mean for p in result.curve]
        assert float(own[-1]["seconds"]) == result.seconds
    assert len({row["spec"] for row in rows}) == 2
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(CheckpointError, match="cannot write"):
        draw_curves(results, tmp_path / "new")


def test_each_spec_has_its_line(
    tanh: Path, sigmoid: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    drawn: list[Axes] = []

    def keep(self: Figure, file: Path, **_: object) -> None:
        drawn.extend(self.axes)
        file.write_text("a plot")

    monkeypatch.setattr(Figure, "savefig", keep)
    results = learnt(compare([tanh, sigmoid], tiny_data))
    draw_curves(results, tmp_path / "loss.png")
    (axes,) = drawn
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    for result in results:
        line = lines[f"{result.name}: {result.cell}"]
        assert np.asarray(line.get_xdata()).tolist() == [point.update for point in result.curve]
        assert np.asarray(line.get_ydata()).tolist() == [point.mean for point in result.curve]


def test_without_matplotlib_drawing_says_what_to_install(
    tanh: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = compare([tanh], tiny_data, overrides=["train.epochs=1"])
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(RnnkitError, match=r'pip install "rnnkit\[plots\]"'):
        draw_curves(results, tmp_path / "loss.png")


def test_each_run_is_kept_as_train_keeps_it(tanh: Path, tiny_data: Path, tmp_path: Path) -> None:
    overrides = ["train.epochs=[1, 2]"]
    one, two = learnt(compare([tanh], tiny_data, overrides=overrides))
    assert one.folder == Path("runs/compare/1-tanh-epochs-1")
    assert two.folder == Path("runs/compare/2-tanh-epochs-2")
    run = rnnkit.train(tanh, tiny_data, "alone", ["train.epochs=2"])
    kept = rnnkit.load(two.folder)
    for name, w in run.model.parameters.items():
        np.testing.assert_array_equal(kept.parameters[name], w)
    alike = [(folder / "spec.toml").read_text() for folder in (two.folder, run.folder)]
    assert alike[0] == alike[1]
    assert alike[0].startswith(f"# from {tanh}\n")
    # Resumed for an epoch more, the first is the second.
    longer = rnnkit.train(resume=one.folder, data=tiny_data, overrides=["train.epochs=2"])
    assert longer.history.records[-1].val_nats == two.val_nats


def test_an_earlier_comparison_stays(tanh: Path, tiny_data: Path) -> None:
    short = ["train.epochs=1"]
    folders = [
        learnt(compare([tanh], tiny_data, overrides=short))[0].folder.parent for _ in range(3)
    ]
    assert folders == [Path("runs") / name for name in ("compare", "compare-2", "compare-3")]
    with pytest.raises(CheckpointError, match="compare-2 is not empty; choose a folder that is"):
        compare([tanh], tiny_data, out="runs/compare-2", overrides=short)
    Path("empty").mkdir()
    (in_it,) = learnt(compare([tanh], tiny_data, out="empty", overrides=short))
    assert in_it.folder == Path("empty/1-tanh")
    (failed,) = compare([tanh], tiny_data, out="nothing", overrides=["train.epochs=0"])
    assert isinstance(failed, Failed)
    assert not Path("nothing").exists()


def test_what_has_ended_is_in_the_folder_when_the_next_is_killed(
    tanh: Path, tiny_data: Path
) -> None:
    def killed(name: str, _: Trainer) -> None:
        if name.endswith("=2"):
            raise SystemExit

    with pytest.raises(SystemExit):
        compare([tanh], tiny_data, overrides=["train.epochs=[1, 2]"], on_start=killed)
    (row,) = json.loads(Path("runs/compare/results.json").read_text())
    assert row["run"] == f"{tanh} epochs=1"
    with Path("runs/compare/curves.csv").open() as file:
        assert {line["spec"] for line in csv.DictReader(file)} == {row["run"]}


def test_ctrl_c_leaves_a_run_that_goes_on_as_if_nothing_had_been(
    tanh: Path, tiny_data: Path
) -> None:
    def stop(step: Step) -> None:
        if step.number == 5:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        compare([tanh], tiny_data, on_step=stop)
    (whole,) = learnt(compare([tanh], tiny_data))
    resumed = rnnkit.train(resume="runs/compare/1-tanh", data=tiny_data)
    assert resumed.history.records[-1].val_nats == whole.val_nats


def test_several_seeds_are_runs_of_one_row(tanh: Path, sigmoid: Path, tiny_data: Path) -> None:
    short = ["train.epochs=1"]
    found = learnt(compare([tanh, sigmoid], tiny_data, seed=4, seeds=3, overrides=short))
    assert [r.row for r in found] == [str(tanh)] * 3 + [str(sigmoid)] * 3
    assert [r.seed for r in found] == [4, 5, 6] * 2
    assert found[1].name == f"{tanh} seed=5"
    assert found[5].folder == Path("runs/compare/6-sigmoid-seed-6")
    (alone,) = learnt(compare([sigmoid], tiny_data, overrides=short, seed=6))
    assert losses(found[5]) == losses(alone)
    first, second = rows_of(found)
    assert (first.name, second.name) == (str(tanh), str(sigmoid))
    a, b, c = (r.loss for r in found[:3])
    mean = (a + b + c) / 3
    spread = (((a - mean) ** 2 + (b - mean) ** 2 + (c - mean) ** 2) / 2) ** 0.5
    loss = first.values["loss"]
    assert loss.n == 3
    assert loss.mean == pytest.approx(mean, rel=1e-12)
    assert loss.spread == pytest.approx(spread, rel=1e-12)
    given = learnt(compare([tanh], tiny_data, seeds=2, overrides=[*short, "model.seed=8"]))
    assert [r.seed for r in given] == [8, 9]
    with pytest.raises(SpecError, match="3 seeds cannot be those of all runs"):
        compare([tanh], tiny_data, seeds=3, overrides=["model.seed=[1, 2]"])
    with pytest.raises(SpecError, match="takes 1 seed or more, not 0"):
        compare([tanh], tiny_data, seeds=0)
    with pytest.raises(SpecError, match="takes 10,000 seeds at most, not 100000000000"):
        compare([tanh], tiny_data, seeds=10**30)
    with pytest.raises(
        SpecError, match="10,000 runs at most, and 2 networks with 9,999 seeds each"
    ):
        compare([tanh, tanh], tiny_data, seeds=9999)


def test_mean_and_spread_of_a_sample() -> None:
    """2, 4, 9: the mean is 5, the squares 9 + 1 + 16 = 26 over n - 1 = 2 give 13."""
    found = Estimate.of([2.0, 4.0, 9.0])
    assert (found.mean, found.n) == (5.0, 3)
    assert found.spread == pytest.approx(13**0.5, rel=1e-15)
    assert Estimate.of([7.0]) == Estimate(7.0, None, 1)


def test_rows_are_apart_if_mean_and_spread_do_not_overlap() -> None:
    one = Estimate(5.0, 1.0, 3)
    assert not one.apart_from(Estimate(7.0, 1.0, 3))
    assert one.apart_from(Estimate(7.0, 0.75, 3))
    assert Estimate(7.0, 0.75, 3).apart_from(one)
    assert not one.apart_from(Estimate(9.0, None, 1))


def some_run(number: int, row: str, loss: float, cider: float) -> Learnt:
    return Learnt(
        number=number,
        row=row,
        name=f"{row} seed={number}",
        seed=number,
        folder=Path(row),
        cell="lstm",
        hidden=(8,),
        parameters=100,
        window=1,
        curve=[Point(1, loss, loss, 0.5)],
        reached=False,
        val_nats=None,
        scores={"cider": cider},
    )


def test_rows_level_with_the_best_are_those_within_the_spread() -> None:
    """a: loss 2 +- 1, b: 3 +- 1, c: 9 +- 1; the best loss is the least, the best score the greatest."""
    values = {"a": (1, 2, 3), "b": (2, 3, 4), "c": (8, 9, 10)}
    runs = [
        some_run(3 * k + i, row, loss, loss)
        for k, (row, seeds) in enumerate(values.items())
        for i, loss in enumerate(seeds)
    ]
    rows = rows_of(runs[::-1])
    assert [row.name for row in rows] == ["a", "b", "c"]
    assert rows[1].values == {"loss": Estimate(3, 1, 3), "cider": Estimate(3, 1, 3)}
    assert level_with_best(rows, "loss") == {"b"}
    assert level_with_best(rows, "cider") == set()
    assert level_with_best(rows, "val_nats") == set()


Ran = subprocess.CompletedProcess[str]


def rnnkit_compare(*arguments: str | Path, cwd: Path | None = None) -> Ran:
    command = [sys.executable, "-m", "rnnkit", "compare", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_command_prints_a_table_and_writes_a_plot(
    tanh: Path, sigmoid: Path, tiny_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    wanted = ["train.epochs=5"]
    (slower,) = learnt(compare([sigmoid], tiny_data, overrides=wanted))
    target = min(point.mean for point in slower.curve) - 0.01
    a, b = learnt(compare([tanh, sigmoid], tiny_data, until_loss=target, overrides=wanted))
    ending = ["--out", str(out), "--until-loss", str(target), "--set", *wanted]
    ran = rnnkit_compare(tanh, sigmoid, "--data", tiny_data, *ending)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    columns = "spec cell params updates to target seconds to target updates loss val nats seconds"
    assert " ".join(lines[0].split()) == columns
    assert a.reached
    assert not b.reached
    row = lines[1].split()
    assert row[:4] == [str(tanh), a.cell, f"{a.parameters:,}", str(a.updates)]
    assert row[5:8] == [str(a.updates), f"{a.loss:.3f}", f"{a.val_nats:.3f}"]
    assert lines[2].split()[3:8] == ["not", "reached", "-", str(b.updates), f"{b.loss:.3f}"]
    assert f"over the last {a.window} updates" in ran.stdout
    files = ["results.json", "curves.csv", "loss.png"]
    assert lines[-1] == f"wrote {', '.join(files)} and the folder of each run into {out}"
    runs = ["1-tanh", "2-sigmoid"]
    assert sorted(f.name for f in out.iterdir()) == sorted([*files, *runs])
    told = [line for line in ran.stderr.splitlines() if not line.startswith("warning: ")]
    assert told[0].startswith(f"1 of 2: {tanh}: loss {a.loss:.3f} after ")
    assert told[1].startswith(f"2 of 2: {sigmoid}: loss {b.loss:.3f} after ")
    assert [line.rpartition(" in ")[2] for line in told] == [str(out / run) for run in runs]


def test_without_matplotlib_the_command_gives_the_table_and_the_curves(
    tanh: Path, tiny_data: Path, tmp_path: Path
) -> None:
    arguments = [tanh, "--data", tiny_data, "--out", tmp_path / "out", "--set", "train.epochs=1"]
    command = [sys.executable, "-c", AWAY, "compare", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    last = ran.stderr.splitlines()[-1]
    assert last == 'no plot without matplotlib: pip install "rnnkit[plots]"'
    into = f"and the folder of each run into {tmp_path / 'out'}"
    assert ran.stdout.splitlines()[-1] == f"wrote results.json, curves.csv {into}"


AWAY = """
import importlib.util as util
find = util.find_spec
util.find_spec = lambda name, *a: None if name == 'matplotlib' else find(name, *a)
from rnnkit.cli import main
main()
"""


def test_the_command_prints_json(tanh: Path, tiny_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = rnnkit_compare(tanh, "--data", tiny_data, "--out", out, "--json", "--seed", "3")
    (found,) = json.loads(ran.stdout)
    assert json.loads((out / "results.json").read_text()) == [found]
    (result,) = learnt(compare([tanh], tiny_data, seed=3))
    assert found.pop("seconds") > 0
    assert found == {
        "spec": str(tanh),
        "run": str(tanh),
        "seed": 3,
        "folder": str(out / "1-tanh"),
        "cell": "vanilla(activation=tanh)",
        "hidden": [24],
        "parameters": result.parameters,
        "reached": False,
        "updates": result.updates,
        "window": result.window,
        "loss": result.loss,
        "val_nats": result.val_nats,
        "scores": {},
    }


def test_the_command_goes_on_after_a_failure_and_exits_1(
    tanh: Path, tiny_data: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(SPEC.replace("tanh", "tahn").replace("batch", "bacth"))
    # Short names: the table breaks messages into lines where the others leave them little room.
    ran = rnnkit_compare(bad.name, tanh.name, "--data", tiny_data, "--out", "out", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.startswith("1 of 2: bad.toml: failed: bad.toml:6: ")
    assert len(ran.stderr.splitlines()) == 2
    assert "did you mean 'tanh'?" in ran.stdout
    assert "did you mean 'batch'?" in ran.stdout
    assert "vanilla(activation=tanh)" in ran.stdout
    assert (tmp_path / "out" / "curves.csv").exists()


def test_the_command_exits_2_if_there_is_nothing_but_mistakes(
    tanh: Path, tiny_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = rnnkit_compare("none.toml", tanh.name, "--data", "none", "--out", out, cwd=tmp_path)
    assert ran.returncode == 2
    table = " ".join(ran.stdout.split())
    assert "none.toml: cannot read the spec" in table
    assert "none does not exist; give the path of a data folder" in table
    assert "Traceback" not in ran.stderr
    assert not out.exists()
    assert rnnkit_compare("--data", tiny_data).returncode == 2
    ran = rnnkit_compare(tanh, "--data", tiny_data, "--out", tanh)
    assert ran.returncode == 2
    assert ran.stderr == f"cannot make the folder {tanh}: File exists\n"


def test_the_command_tells_mean_and_spread_and_marks_what_is_within_it(
    tanh: Path, tiny_data: Path, tmp_path: Path
) -> None:
    twice = ["--seeds", "2", "--set", "train.epochs=1"]
    ran = rnnkit_compare(tanh, tanh, "--data", tiny_data, *twice)
    assert ran.returncode == 0, ran.stderr
    first = rows_of(learnt(compare([tanh], tiny_data, seeds=2, overrides=["train.epochs=1"])))[0]
    loss, nats = first.values["loss"], first.values["val_nats"]
    head, one, other, *below = ran.stdout.splitlines()
    assert head.split()[:4] == ["spec", "cell", "params", "seeds"]
    told = (
        f"{loss.mean:.3f} ± {loss.spread:.3f}",
        f"{nats.mean:.3f} ± {nats.spread:.3f}",
    )
    assert " ".join(one.split()[4:11]) == " ".join([str(first.learnt[0].updates), *told])
    assert " ".join(other.split()[5:12]) == " ".join(
        [str(first.learnt[0].updates), *(f"~{text}" for text in told)]
    )
    assert any(line.startswith("~ differs from the best of its column") for line in below)
    assert sum(" of 4: " in line for line in ran.stderr.splitlines()) == 4


def test_an_out_folder_that_holds_something_is_refused(tanh: Path, tmp_path: Path) -> None:
    ran = rnnkit_compare(tanh, "--data", "none", "--out", tmp_path)
    assert ran.returncode == 2
    assert ran.stderr == (
        f"{tmp_path} is not empty; choose a folder that is not there yet, or remove it\n"
    )


def test_ctrl_c_prints_what_has_ended_and_how_to_go_on(
    tanh: Path, tiny_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = [tanh, "--data", tiny_data, "--out", out, "--set", "train.epochs=[1, 100000]"]
    command = [sys.executable, "-m", "rnnkit", "compare", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    under_way = out / "2-tanh-epochs-100000"
    end = time.monotonic() + 60
    while not (under_way / "last.h5").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    told, err = process.communicate(timeout=60)
    assert process.returncode == 130
    rows = [line for line in told.splitlines() if line.startswith(str(tanh))]
    assert [row.split()[1] for row in rows] == ["epochs=1"]
    assert (
        f"interrupted; only the runs shown had ended\ngo on with: rnnkit train --resume {under_way}"
        in err
    )
    assert "Traceback" not in err
