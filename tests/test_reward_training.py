"""Runs that learn from a reward: their course, what they say, and that they go on as if nothing had been."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rnnkit
from rnnkit.errors import CheckpointError, SpecError
from rnnkit.kinds import Progress
from rnnkit.metrics import installed
from rnnkit.network.checkpoint import read_model_file
from rnnkit.spec import parse_spec
from rnnkit.training import Record, Run, Scored, Step, Trainer
from rnnkit.training.history import Judged
from rnnkit.training.stages import Stages
from rnnkit.training.watching import Watch
from rnnkit_builtin.schedules.plateau import Plateau
from tests.ranks import finish, needs_mpi, start

pytestmark = pytest.mark.skipif(not installed(), reason='needs pip install "rnnkit[eval]"')

SPEC = """
[model]
dtype = "float64"
words = [{ use = "embedding", dim = 16 }, { use = "dropout", rate = 0.3 }]
[[model.rnn]]
hidden = 24
cell = "lstm"
[train]
epochs = 3
batch = 16
evaluate = 4
metric = "rouge_l"
optimizer = { use = "adam", learning_rate = 8e-3 }
schedule = "cosine"
[train.reward]
reward = "rouge-l"
after = 2
batch = 12
samples = 3
learning_rate = 2e-3
schedule = { use = "exponential", decay = 0.5 }
"""


@pytest.fixture(scope="module")
def run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained from the start to the end, without a break."""
    return rnnkit.train(parse_spec(SPEC), tiny_data, tmp_path_factory.mktemp("whole") / "run")


def captions(tiny_data: Path) -> int:
    with rnnkit.open_data(tiny_data) as data:
        return len(data.split("train").captions)


def same_bits(a: Path, b: Path) -> None:
    for name in ("last.h5", "best.h5"):
        one, other = (read_model_file(folder / name) for folder in (a, b))
        assert one.parameters.keys() == other.parameters.keys()
        assert one.extra.keys() == other.extra.keys()
        for key, w in {**one.parameters, **one.extra}.items():
            assert np.array_equal(w, {**other.parameters, **other.extra}[key]), key


def test_epochs_by_the_loss_come_before_those_by_the_reward(run: Run, tiny_data: Path) -> None:
    n = captions(tiny_data)
    first, second = -(-n // 16), -(-n // 12)
    records = run.history.records
    assert records[-1].step == 2 * first + second
    assert [r.epoch for r in records] == [
        r.step // first + bool(r.step % first) if r.step <= 2 * first else 3 for r in records
    ]
    for record in records:
        rewarded = record.step > 2 * first
        told = record.reward, record.drawn_words, record.drawn_entropy
        assert [value is not None for value in told] == [rewarded] * 3
        assert record.val_words is not None
    last = records[-1]
    assert last.reward is not None
    assert 0 < last.reward < 1
    assert last.drawn_words is not None
    assert 1 <= last.drawn_words <= run.model.limit
    assert last.drawn_entropy is not None
    assert 0 < last.drawn_entropy < np.log(40)
    assert all((u.reward is not None) == (u.step > 2 * first) for u in run.history.updates[1:-1])
    # Its learning rate is its own: 2e-3 in place of 8e-3, half of that after an epoch; the cosine has ended.
    assert last.learning_rate_factor == 2e-3 / 8e-3
    assert next(r for r in records if r.step == 2 * first).learning_rate_factor < 0.05


def test_stages_are_runs_of_their_own() -> None:
    table = parse_spec(SPEC, overrides=["train.epochs=5"]).train
    stages = Stages.of(table, 100)
    assert [(s.begin, s.end, s.batch) for s in stages.all] == [(0, 14, 16), (14, 41, 12)]
    assert (stages.steps, stages.rewarded) == (41, 14)
    assert [stages.at(step).batch for step in (0, 13, 14, 40, 41)] == [16, 16, 12, 12, 12]
    assert stages.at(14).after(23) == (3, 0)
    factors = [stages.at(step).factor(step, ()) for step in (0, 13, 14, 22, 23, 32)]
    assert factors[0] == 1
    assert factors[2:] == [1, 1, 0.5, 0.25]
    assert factors[1] == pytest.approx((1 + np.cos(np.pi * 13 / 14)) / 2)


def test_what_is_drawn_is_worth_more_after_a_while(tiny_data: Path, tmp_path: Path) -> None:
    changes = ["cross_entropy=0.0", "after=3", "schedule=constant", "learning_rate=5e-3"]
    changes = ["train.epochs=6", *(f"train.reward.{change}" for change in changes)]
    spec = parse_spec(SPEC, overrides=changes)
    rewards: list[float] = []

    def note(step: Step) -> None:
        if step.judged.captions:
            rewards.append(step.judged.reward / step.judged.captions)

    rnnkit.train(spec, tiny_data, tmp_path / "run", on_step=note)
    assert np.mean(rewards[-8:]) > 1.15 * np.mean(rewards[:8])


@pytest.mark.parametrize("at", [10, 21])
def test_a_run_that_was_broken_off_goes_on_to_the_same_bits(
    at: int, run: Run, tiny_data: Path, tmp_path: Path
) -> None:
    trainers: list[Trainer] = []

    def stop(step: Step) -> None:
        trainers[0].stop = step.number == at

    rnnkit.train(
        parse_spec(SPEC),
        tiny_data,
        tmp_path / "run",
        on_start=lambda trainer, _: trainers.append(trainer),
        on_step=stop,
    )
    assert rnnkit.train(resume=tmp_path / "run").finished
    same_bits(tmp_path / "run", run.folder)


@needs_mpi
def test_two_ranks_draw_what_one_draws(run: Run, tiny_data: Path, tmp_path: Path) -> None:
    """Up to what sums in another order make; but for dropout, of which each rank has its own."""
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC.replace("rate = 0.3", "rate = 0.0"))
    alone = rnnkit.train(spec, tiny_data, tmp_path / "alone")
    finish(
        start(2, "command", tmp_path, "train", spec, "--data", tiny_data, "--out", tmp_path / "two")
    )
    both = rnnkit.training.read_history(tmp_path / "two")
    for one, other in zip(alone.history.records, both.records, strict=True):
        if one.reward is None:
            continue
        assert one.reward == pytest.approx(other.reward, rel=1e-9)
        assert one.drawn_words == other.drawn_words
        assert one.drawn_entropy == pytest.approx(other.drawn_entropy, rel=1e-9)
    ours, theirs = (rnnkit.load(f / "last.h5").parameters for f in (alone.folder, tmp_path / "two"))
    for name, w in ours.items():
        np.testing.assert_allclose(theirs[name], w, rtol=0, atol=1e-9 * np.abs(w).max())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            "train.reward.after=3",
            "it begins after 3 epochs, and train.epochs = 3 leaves none for it",
        ),
        ("train.metric=nats", "nats get worse while captions get better"),
        ("train.reward.samples=1", "must be >= 2"),
        ("train.reward.reward=cider", "did you mean 'cider-d'?"),
        ("train.reward.reward={ use = 'sum', of = [] }", "Length of 'of' must be >= 1"),
        ("train.reward.after=0", "a network that has learnt nothing draws captions that are worth"),
    ],
)
def test_what_cannot_be_learnt_from_is_told(
    change: str, text: str, tiny_data: Path, tmp_path: Path
) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC)
    with pytest.raises(SpecError) as caught:
        rnnkit.train(spec, tiny_data, tmp_path / "run", [change])
    assert text in str(caught.value)
    assert "train" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("train.reward.batch=6", "it cannot continue as one that learns from a reward after"),
        ("train.reward.after=1", "from a reward after 8 updates, 12 images an update"),
    ],
)
def test_a_run_keeps_the_course_that_it_is_on(
    change: str, text: str, run: Run, tiny_data: Path
) -> None:
    with pytest.raises(CheckpointError) as caught:
        rnnkit.train(resume=run.folder, overrides=[change, "train.epochs=4"])
    assert text in str(caught.value)


def test_a_run_by_the_loss_goes_on_by_a_reward(tiny_data: Path, tmp_path: Path) -> None:
    plain = SPEC[: SPEC.index("[train.reward]")].replace("epochs = 3", "epochs = 1")
    first = rnnkit.train(parse_spec(plain), tiny_data, tmp_path / "run")
    more = ["train.epochs=2", "train.reward.after=1", "train.reward.samples=2"]
    run = rnnkit.train(resume=first.folder, overrides=more)
    assert run.history.records[-1].reward is not None
    assert run.history.records[: len(first.history.records)] == first.history.records


def test_a_run_from_a_model_begins_at_once_and_that_model_is_the_best_so_far(
    run: Run, tiny_data: Path, tmp_path: Path
) -> None:
    changes = ["train.reward.after=0", "train.epochs=1", "train.reward.learning_rate=1e-9"]
    again = rnnkit.train(
        parse_spec(SPEC, overrides=changes),
        tiny_data,
        tmp_path / "run",
        start_from=run.folder / "last.h5",
    )
    assert all(record.reward is not None for record in again.history.records)
    before = read_model_file(run.folder / "last.h5").parameters
    if not any(record.best for record in again.history.records):
        best = read_model_file(again.folder / "best.h5").parameters
        assert all(np.array_equal(best[name], w) for name, w in before.items())
    for name, w in again.model.parameters.items():
        np.testing.assert_allclose(w, before[name], rtol=0, atol=1e-6)


def test_captions_of_characters_are_judged_by_their_words(tiny_data: Path, tmp_path: Path) -> None:
    run = rnnkit.train(
        parse_spec(SPEC, overrides=["data.tokens=char", "train.epochs=3", "train.evaluate=100"]),
        tiny_data,
        tmp_path / "run",
    )
    last = run.history.records[-1]
    assert last.reward is not None
    assert last.drawn_words is not None
    assert last.drawn_words > 15  # characters


def test_a_schedule_goes_by_the_metric_of_its_own_stage_alone(
    tiny_data: Path, tmp_path: Path
) -> None:
    by_loss = SPEC.partition("[train.reward]")[0].replace("rouge_l", "nats")
    first = rnnkit.train(
        parse_spec(by_loss, overrides=["train.epochs=1"]), tiny_data, tmp_path / "run"
    )
    plateau = Plateau(patience=0, threshold=0.9)  # hardly any evaluation is so much better
    table = (
        '{ after = 1, batch = 12, schedule = { use = "plateau", patience = 0, threshold = 0.9 } }'
    )
    more = ["train.epochs=2", "train.metric=rouge_l", f"train.reward={table}"]
    steps: list[Step] = []
    run = rnnkit.train(resume=first.folder, overrides=more, on_step=steps.append)
    before = len(first.history.records)
    assert before > 1
    own = run.history.records[before:]
    for step in steps:
        metric = tuple(-r.val_metric for r in own if r.step < step.number and r.val_metric)
        wanted = plateau.factor(Progress(0, 1, 1, metric))
        assert step.learning_rate_factor == wanted, step.number
    assert len({step.learning_rate_factor for step in steps}) > 1


def test_it_is_told_when_captions_shrink_and_when_they_get_worse_for_long(tiny_data: Path) -> None:
    told: list[str] = []
    with rnnkit.open_data(tiny_data) as data:
        model = rnnkit.build(parse_spec(SPEC), data)
        trainer = Trainer(model, data.split("train"), data.split("val"))
        trainer._place = rnnkit.training.Place(
            step=40, before_reward=Scored(0.4, 10.0), best=0.45, waited=5
        )
        watch = Watch(trainer, data, told.append)
        record = Record(
            3, 40, 1.0, 0.1, 9.0, 3.0, 20.0, None, None, 0.41, False, 1e3, 7.9, 0.5, 9.0, 1.0
        )
        watch.look(record)
        watch.look(record)
    assert len(told) == 2
    assert "the captions of val have 7.9 words, and they had 10.0 before rewards" in told[0]
    assert "none of the last 5 evaluations was better than 0.450" in told[1]
    assert "train.patience = 5 ends such runs" in told[1]


def test_sums_of_what_was_judged_have_means() -> None:
    both = Judged(4, 2.0, 20, 30.0) + Judged(1, 0.5, 5, 20.0)
    assert (both.mean_reward, both.mean_words, both.entropy) == (0.5, 5.0, 2.0)
    assert Judged().mean_reward is Judged().mean_words is Judged().entropy is None
