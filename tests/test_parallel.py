"""Training in several processes comes to what one comes to, and ends as one."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rnnkit
from rnnkit.captioning.evaluation import nats_per_token
from rnnkit.errors import RnnkitError
from rnnkit.kinds import Array
from rnnkit.network.checkpoint import read_model_file
from rnnkit.parallel import ALONE, Alone, job
from rnnkit.parallel.jobs import _started as started
from rnnkit.training import Run, Trainer, read_history
from rnnkit.training.descent import Descent, WholeDescent
from rnnkit.training.shared_descent import SharedDescent
from rnnkit.training.sharing import share
from tests import many_kills, rank_jobs
from tests.ranks import TWO_NODES, finish, hydra, needs_mpi, start

heavy = pytest.mark.heavy

RELATIVE = {"float64": 1e-12, "float32": 1e-5}


@pytest.fixture(scope="module")
def plain(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of one process."""
    folder = tmp_path_factory.mktemp("plain")
    rank_jobs.numbers(ALONE, tiny_data, folder)
    return folder


def same_numbers(folder: Path, plain: Path, relative: float) -> None:
    """Parameters of the last and the best model, slots, and history, but for what a clock says."""
    for name in ("last.h5", "best.h5"):
        a, b = (read_model_file(run / name) for run in (folder, plain))
        # What is left of a gradient is smaller than what it is the sum of, but rounded like that.
        for ours, theirs, times in ((a.parameters, b.parameters, 1), (a.extra, b.extra, 30)):
            assert ours.keys() == theirs.keys()
            for key, w in ours.items():
                atol = times * relative * float(np.abs(theirs[key]).max())
                np.testing.assert_allclose(w, theirs[key], rtol=0, atol=atol, err_msg=key)
    history, other = read_history(folder), read_history(plain)
    assert [r.step for r in history.records] == [r.step for r in other.records]
    assert [r.best for r in history.records] == [r.best for r in other.records]
    assert [u.tokens for u in history.updates] == [u.tokens for u in other.updates]
    for row, wanted in zip(history.records, other.records, strict=True):
        assert row.train_loss == pytest.approx(wanted.train_loss, rel=relative)
        assert row.val_nats == pytest.approx(wanted.val_nats, rel=relative)
    for mean, expected in zip(history.updates, other.updates, strict=True):
        assert mean.loss == pytest.approx(expected.loss, rel=relative)
        assert mean.gradient_norm == pytest.approx(expected.gradient_norm, rel=10 * relative)


@needs_mpi
@pytest.mark.parametrize("ranks", [pytest.param(2, marks=heavy), 3, pytest.param(4, marks=heavy)])
def test_more_ranks_come_to_the_same_numbers(
    ranks: int, plain: Path, tiny_data: Path, tmp_path: Path
) -> None:
    """Over fifty updates; the last batch of an epoch has fewer rows than there are ranks."""
    finish(start(ranks, "numbers", tiny_data, tmp_path))
    for dtype in rank_jobs.DTYPES:
        same_numbers(tmp_path / dtype, plain / dtype, RELATIVE[dtype])


@needs_mpi
def test_gradients_on_their_way_during_the_backward_pass_come_to_the_same_bits(
    tiny_data: Path, tmp_path: Path
) -> None:
    finish(start(2, "numbers", tiny_data, tmp_path / "after"))
    finish(start(2, "overlap", tiny_data, tmp_path / "during"))
    for dtype in rank_jobs.DTYPES:
        same_numbers(tmp_path / "during" / dtype, tmp_path / "after" / dtype, 0.0)


@needs_mpi
@pytest.mark.skipif(not hydra(), reason="only MPICH's mpiexec makes two nodes of one machine")
@pytest.mark.parametrize("ranks", [pytest.param(4, marks=heavy), 3])
def test_nodes_come_to_the_same_numbers(
    ranks: int, plain: Path, tiny_data: Path, tmp_path: Path
) -> None:
    """Two nodes of two ranks, which sum within the node first; and of two and one, which do not."""
    finish(start(ranks, "nodes", tiny_data, tmp_path, options=TWO_NODES))
    for dtype in rank_jobs.DTYPES:
        for run in (tmp_path, tmp_path / "overlap"):
            same_numbers(run / dtype, plain / dtype, RELATIVE[dtype])


@needs_mpi
def test_one_rank_comes_to_the_same_bits(plain: Path, tiny_data: Path, tmp_path: Path) -> None:
    finish(start(1, "numbers", tiny_data, tmp_path))
    for dtype in rank_jobs.DTYPES:
        same_numbers(tmp_path / dtype, plain / dtype, 0.0)


@needs_mpi
def test_an_interrupt_on_one_rank_ends_all_and_one_process_goes_on(
    plain: Path, tiny_data: Path, tmp_path: Path
) -> None:
    finish(start(2, "interrupt", tiny_data, tmp_path))
    for dtype in rank_jobs.DTYPES:
        broken = rnnkit.load(tmp_path / dtype / "last.h5")
        assert [r.step for r in read_history(tmp_path / dtype).records] == [7]
        run = rnnkit.train(resume=tmp_path / dtype)
        assert run.finished
        assert not np.array_equal(run.model.parameters["rnn.0.Wh"], broken.parameters["rnn.0.Wh"])
        same_numbers(run.folder, plain / dtype, RELATIVE[dtype])


@needs_mpi
def test_a_launcher_that_is_to_end_ends_the_job_with_everything_saved(
    tiny_data: Path, tmp_path: Path
) -> None:
    run, spec = tmp_path / "run", tmp_path / "long.toml"
    spec.write_text(rank_jobs.SPEC.replace("epochs = 7", "epochs = 5000"))
    process = start(2, "command", tmp_path, "train", spec, "--data", tiny_data, "--out", run)
    wait_for(run / "previous.h5")
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out.count(f"go on with: rnnkit train --resume {run}") == 1
    read_model_file(run / "last.h5")


@needs_mpi
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.parametrize("stopped", [0, 1])
def test_a_stopped_rank_is_named_and_the_job_can_be_ended_with_everything_saved(
    stopped: int, tiny_data: Path, tmp_path: Path
) -> None:
    run, spec = tmp_path / "run", tmp_path / "long.toml"
    spec.write_text(rank_jobs.SPEC.replace("epochs = 7", "epochs = 5000"))
    process = start(2, "command", tmp_path, "train", spec, "--data", tiny_data, "--out", run)
    wait_for(run / "previous.h5")
    number = int((tmp_path / f"rank{stopped}.pid").read_text())
    os.kill(number, signal.SIGSTOP)
    assert process.stderr is not None
    told = next(line for line in process.stderr if " is stopped " in line)
    assert told.startswith(f"rank {stopped} of 2 (on ")
    assert (
        f"(kill -CONT {number} lets it go on), and the others wait for it; end the job with" in told
    )
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out.count(f"go on with: rnnkit train --resume {run}") == 1
    read_model_file(run / "last.h5")


@needs_mpi
@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=heavy)])
def test_a_killed_rank_is_named_and_ends_the_job_and_the_run_goes_on(
    kills: int, tmp_path: Path
) -> None:
    found = many_kills.survives(tmp_path, kills, seed=5, size=2)
    for number, said in enumerate(found.said):
        (line,) = (line for line in said.splitlines() if " has died" in line)
        assert line.startswith(f"rank {number % 2} of 2 (on ")
        # By what signal, the system forgets once the launcher has asked.
        assert " has died, killed by SIGKILL, " in line or " has died. The job ends; " in line


@needs_mpi
def test_three_ranks_go_on_from_what_two_have_left(tiny_data: Path, tmp_path: Path) -> None:
    run, spec = tmp_path / "run", tmp_path / "long.toml"
    spec.write_text(rank_jobs.SPEC.replace("epochs = 7", "epochs = 5000"))
    process = start(2, "command", tmp_path, "train", spec, "--data", tiny_data, "--out", run)
    wait_for(run / "previous.h5")
    os.kill(int((tmp_path / "rank1.pid").read_text()), 9)
    process.communicate(timeout=60)
    assert process.returncode != 0
    done = read_history(run).records[-1].epoch
    epochs = f"train.epochs={done + 1}"
    out = finish(start(3, "command", tmp_path, "train", "--resume", run, "--set", epochs))
    assert out.count("wrote ") == 1
    whole = rnnkit.train(spec, tiny_data, tmp_path / "whole", [epochs])
    ended(whole, run)


def ended(whole: Run, run: Path) -> None:
    """A run came to where a whole one came; after how many updates, the kill has decided."""
    for name, w in rnnkit.load(run / "last.h5").parameters.items():
        np.testing.assert_allclose(w, whole.model.parameters[name], atol=1e-3, err_msg=name)
    assert len(read_history(run).records) == len(whole.history.records)
    assert not list(run.glob(".*.tmp"))


def wait_for(file: Path) -> None:
    end = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < end, f"{file} does not come"
        time.sleep(0.01)


@needs_mpi
def test_a_full_disk_ends_the_job_with_a_sentence_and_the_run_goes_on(
    tiny_data: Path, plain: Path, tmp_path: Path
) -> None:
    shutil.copytree(plain / "float64", tmp_path / "run")
    before = (tmp_path / "run" / "last.h5").read_bytes()
    more = ["--set", "train.epochs=9"]
    process = start(2, "full", "0", tmp_path, "train", "--resume", tmp_path / "run", *more)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    (line,) = err.splitlines()
    assert line.startswith("rank 0 of 2 (on ")
    assert f"cannot write {tmp_path / 'run'}" in line
    assert line.endswith("File too large")
    assert (tmp_path / "run" / "last.h5").read_bytes() == before
    finish(start(2, "command", tmp_path, "train", "--resume", tmp_path / "run", *more))
    spec = rnnkit.parse_spec(rank_jobs.SPEC, overrides=["model.dtype=float64", "train.epochs=9"])
    rnnkit.train(spec, tiny_data, tmp_path / "whole")
    same_numbers(tmp_path / "run", tmp_path / "whole", RELATIVE["float64"])


@needs_mpi
def test_a_rank_that_raises_is_named_and_ends_the_job() -> None:
    process = start(3, "raise")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.count("rank 1 of 3 (on ") == 1
    assert err.count("ValueError: a row is upside down") == 1


@needs_mpi
def test_what_all_ranks_meet_is_told_once(tiny_data: Path, plain: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(rank_jobs.SPEC)
    run = plain / "float64"
    process = start(3, "command", tmp_path, "train", spec, "--data", tiny_data, "--out", run)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert err.count("has a run already") == 1
    assert "rank" not in err.partition("holds")[0]
    assert not out


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("rows", [0, 1, 5, 64])
def test_every_row_has_one_rank_and_ranks_have_as_much_to_do(size: int, rows: int) -> None:
    lengths = np.random.default_rng(rows).integers(2, 18, rows)
    shares = [share(lengths, rank, size) for rank in range(size)]
    assert sorted(np.concatenate(shares).tolist()) == list(range(rows))
    counts = [len(mine) for mine in shares]
    assert max(counts) - min(counts) <= 1
    tokens = [int(lengths[mine].sum()) for mine in shares]
    assert max(tokens) - min(tokens) <= max(lengths, default=0)
    for mine in shares:
        assert (np.diff(mine) > 0).all()


class Together(Alone):
    """The second of two ranks, the first of which has found the same gradient, and does not send its share."""

    rank = 1
    size = 2
    share = 1

    def sum_shares(self, buffer: Array, share: Array) -> Callable[[], None]:
        share[...] = 2.0 * buffer[len(share) :]
        return lambda: None


def test_each_rank_updates_its_share_of_the_parameters(tiny_data: Path) -> None:
    spec = rnnkit.parse_spec(rank_jobs.SPEC, overrides=["model.dtype=float64"])
    with rnnkit.open_data(tiny_data) as data:
        before, model = rnnkit.build(spec, data).parameters, rnnkit.build(spec, data)
    one, shared = WholeDescent(model), SharedDescent(rnnkit.build(spec, data), Together())
    squares: dict[Descent, float] = {}
    rng = np.random.default_rng(5)
    for number in (1, 2, 3):
        gradients = {name: rng.standard_normal(w.shape) for name, w in before.items()}
        for descent, scale in ((one, 1.0), (shared, 0.5)):
            descent.take(gradients)
            descent.taken()
            squares[descent] = descent.square()
            descent.update(number, 1.0, scale)
    updated = 0
    for name, w in shared.model.parameters.items():
        mine = w != before[name]
        np.testing.assert_array_equal(w[mine], model.parameters[name][mine])
        updated += int(np.count_nonzero(mine))
    assert updated == pytest.approx(sum(w.size for w in before.values()) / 2, rel=0.05)
    assert squares[shared] == pytest.approx(4.0 * squares[one] / 2, rel=0.05)


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_ranks_do_not_drop_out_the_same(rate: float, tiny_data: Path) -> None:
    spec = rnnkit.parse_spec(
        rank_jobs.SPEC.replace(
            'words = { use = "embedding", dim = 16 }',
            f'words = [{{ use = "embedding", dim = 16 }}, {{ use = "dropout", rate = {rate} }}]',
        )
    )
    with rnnkit.open_data(tiny_data) as data:
        train = data.split("train")
        losses = []
        for rank in range(2):
            model = rnnkit.build(spec, data)
            ranks = Together() if rank else ALONE
            features = train.features.rows(train.image_idxs[:16], model.dtype)
            step = Trainer(model, train, ranks=ranks).update(train.captions[:16], features)
            losses.append(step.loss)
    assert (losses[0] == losses[1]) == (rate == 0.0)


def test_each_rank_evaluates_a_part(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnkit.captioning.evaluation.EVAL_BATCH", 8)
    with rnnkit.open_data(tiny_data) as data:
        model = rnnkit.build(rnnkit.parse_spec(rank_jobs.SPEC), data)
        val = data.split("val")
        wanted = nats_per_token(model, val)
        parts: list[Array] = []

        class Part(Alone):
            size = 2

            def __init__(self, rank: int) -> None:
                self.rank = rank

            def sum(self, buffer: Array) -> None:
                parts.append(buffer.copy())

        for rank in range(2):
            nats_per_token(model, val, Part(rank))
    found = np.sum(parts, axis=0)
    assert ((parts[0] == 0) != (parts[1] == 0)).all()  # of each batch, one rank alone
    nats, tokens = found.sum(axis=0)
    assert nats / tokens == wanted


@pytest.mark.parametrize(
    ("environment", "size"),
    [
        ({}, 1),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, 4),
        ({"PMI_SIZE": "3", "PMI_RANK": "0"}, 3),
        ({"PMIX_RANK": "0", "SLURM_STEP_NUM_TASKS": "8"}, 8),
        ({"SLURM_STEP_NUM_TASKS": "8"}, 1),  # not started by srun as a rank
    ],
)
def test_a_launcher_is_known_by_its_environment(environment: dict[str, str], size: int) -> None:
    assert started(environment) == size


def test_a_process_of_its_own_needs_no_mpi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with job() as ranks:
        assert ranks is ALONE


def test_a_launcher_without_mpi4py_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    with pytest.raises(RnnkitError, match=r'pip install "rnnkit\[mpi\]"'), job():
        pass
