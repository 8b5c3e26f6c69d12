"""Averaged parameters: their formula, what is evaluated, and runs that go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rnnkit
from rnnkit.captioning.evaluation import nats_per_token
from rnnkit.errors import DataError
from rnnkit.kinds import Array
from rnnkit.network.checkpoint import read_model_file
from rnnkit.training import Step, Trainer
from rnnkit.training.divergence import check_finite


def test_the_average_is_that_of_its_formula_and_is_what_is_evaluated(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    trainers: list[Trainer] = []
    average: dict[str, Array] = {}

    def follow(step: Step) -> None:
        d = min(0.8, (1 + step.number) / (10 + step.number))
        for name, w in trainers[0].model.parameters.items():
            average[name] = d * average[name] + (1 - d) * w.astype(float)

    def begin(trainer: Trainer, _: Path) -> None:
        trainers.append(trainer)
        average.update({n: w.astype(float) for n, w in trainer.model.parameters.items()})

    overrides = ["train.average=0.8", "train.epochs=2"]
    run = rnnkit.train(spec, tiny_data, tmp_path / "run", overrides, on_start=begin, on_step=follow)
    assert run.history.records[-1].best
    best, last = rnnkit.load(run.folder), rnnkit.load(run.folder / "last.h5")
    for name, a in average.items():
        np.testing.assert_allclose(best.parameters[name], a, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(last.parameters[name], run.model.parameters[name])
    with rnnkit.open_data(tiny_data) as data:
        nats = [nats_per_token(m, data.split("val")) for m in (best, last)]
    assert run.history.records[-1].val_nats == nats[0] != nats[1]


def test_averaging_may_begin_and_end_with_a_run_that_goes_on(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    rnnkit.train(spec, tiny_data, tmp_path / "run", ["train.epochs=1"])

    def on(*overrides: str) -> set[str]:
        rnnkit.train(resume=tmp_path / "run", overrides=overrides)
        extra = read_model_file(tmp_path / "run" / "last.h5").extra
        return {key.partition(":")[2] for key in extra if key.startswith("average:")}

    names = set(rnnkit.load(tmp_path / "run").parameters)
    assert on("train.epochs=2", "train.average=0.5") == names
    settings = tmp_path / "run" / "spec.toml"
    settings.write_text(settings.read_text().replace("average = 0.5\n", ""))
    assert on("train.epochs=3") == set()


def test_an_average_that_is_not_finite_is_never_saved() -> None:
    fine, bad = np.ones(2), np.array([1.0, np.inf])
    with pytest.raises(DataError, match=r"average of head.0.b are not finite after update 3"):
        check_finite({"head.0.b": fine}, {}, {"head.0.b": bad}, 3)
