"""Threads for elementwise work: the same numbers as on one thread, and the user's limits kept."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import rnnkit.system.process
from rnnkit.data import HeldFeatures, Split, Vocabulary
from rnnkit.kinds import Array, Decoder, Ints, Optimizer, RecurrentCell
from rnnkit.network.builder import assemble
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes
from rnnkit.registry import load, names
from rnnkit.spec import parse_spec
from rnnkit.system import cores, groups
from rnnkit.system.memory import memory
from rnnkit.system.process import Threads, pieces, together
from rnnkit.training import Trainer


@pytest.fixture
def three_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rnnkit.system.process, "_threads", Threads(3, lambda: 3, elementwise=True))
    monkeypatch.setattr(rnnkit.system.process, "_pool", None)
    monkeypatch.setattr(rnnkit.system.process, "GRAIN", 1)


def test_pieces_are_all_rows_once() -> None:
    assert pieces(10, 1) == [slice(0, 10)]
    assert pieces(0, 5) == []


@pytest.mark.usefixtures("three_threads")
def test_pieces_are_as_many_as_threads_and_never_empty() -> None:
    assert pieces(10, 1) == [slice(0, 3), slice(3, 6), slice(6, 10)]
    assert pieces(2, 1) == [slice(0, 1), slice(1, 2)]


@pytest.mark.usefixtures("three_threads")
def test_too_little_work_stays_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rnnkit.system.process, "GRAIN", 100)
    assert pieces(10, 19) == [slice(0, 10)]
    assert len(pieces(10, 20)) == 2


@pytest.mark.usefixtures("three_threads")
def test_jobs_run_at_the_same_time_and_answer_in_order() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def job(i: int) -> int:
        meeting.wait()
        return i

    assert together([partial(job, i) for i in range(3)]) == [0, 1, 2]


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("failing", [0, 2])
def test_an_error_waits_for_the_others(failing: int) -> None:
    ended = []

    def job(i: int) -> None:
        if i == failing:
            raise ValueError(f"job {i}")
        ended.append(i)

    with pytest.raises(ValueError, match=f"job {failing}"):
        together([partial(job, i) for i in range(3)])
    assert sorted(ended) == [i for i in range(3) if i != failing]


@pytest.mark.usefixtures("three_threads")
def test_threads_keep_to_numpys_error_handling() -> None:
    def divide() -> float:
        return float(np.float64(1.0) / np.float64(0.0))

    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        together([lambda: 0.0, divide])
    with np.errstate(divide="ignore"):
        assert together([lambda: 0.0, divide]) == [0.0, np.inf]


def network(cell: str, dtype: str = "float64") -> Captioner:
    """Two layers of a cell, so that both distinct words and plain inputs are projected."""
    text = f"""
[model]
dtype = "{dtype}"
words = {{ use = "embedding", dim = 6 }}
[[model.rnn]]
hidden = 8
cell = "{cell}"
[[model.rnn]]
hidden = 7
cell = "{cell}"
"""
    return assemble(parse_spec(text), Sizes(5, Vocabulary.standard(30), 12))


def batch(n: int = 9) -> tuple[Array, Ints]:
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 12, n)
    captions = rng.integers(4, 30, (n, 12)) * (np.arange(12) < lengths[:, None])
    captions[:, 0] = 1
    return rng.standard_normal((n, 5)), captions


@pytest.mark.parametrize("cell", names(RecurrentCell))
def test_gradients_do_not_depend_on_threads(cell: str, request: pytest.FixtureRequest) -> None:
    model, (features, captions) = network(cell), batch()
    loss, gradients = model.loss_and_gradients(features, captions)
    request.getfixturevalue("three_threads")
    threaded_loss, threaded = model.loss_and_gradients(features, captions)
    assert threaded_loss == pytest.approx(loss, rel=1e-14)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(threaded[name], gradient, rtol=1e-11, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("optimizer", names(Optimizer))
def test_updates_do_not_depend_on_threads_and_blocks(
    optimizer: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, captions = batch()

    def trained() -> dict[str, Array]:
        spec = parse_spec(f'{TRAINED} optimizer = "{optimizer}"')
        model = assemble(spec, Sizes(5, Vocabulary.standard(30), 12))
        split = Split("train", captions, np.arange(len(captions)), HeldFeatures(features))
        trainer = Trainer(model, split)
        for _ in range(3):
            trainer.update(captions, features)
        return model.parameters

    whole = trained()
    monkeypatch.setattr("rnnkit.training.blocks.UPDATE_SIZE", 16)
    request.getfixturevalue("three_threads")
    for name, w in trained().items():
        np.testing.assert_allclose(w, whole[name], rtol=1e-12, atol=1e-14, err_msg=name)


TRAINED = """
[model]
dtype = "float64"
[[model.rnn]]
hidden = 8
cell = "lstm"
[train]
"""


@pytest.mark.parametrize("decoder", names(Decoder))
def test_captions_do_not_depend_on_threads(decoder: str, request: pytest.FixtureRequest) -> None:
    model, (features, _) = network("lstm"), batch()
    choose = load(Decoder, decoder)()
    alone = model.decode(features, choose)
    request.getfixturevalue("three_threads")
    threaded = model.decode(features, choose)
    np.testing.assert_array_equal(threaded.tokens, alone.tokens)
    np.testing.assert_allclose(threaded.log_probs, alone.log_probs, rtol=1e-12)


def settled(first: str = "", sharing: int = 1, **environment: str) -> list[str]:
    """What a new process says of itself once it has settled."""
    script = f"""{first}
import rnnkit.system.process
rnnkit.system.process.settle({sharing})
import os
mine = rnnkit.system.process.threads()
print(mine.cuts if mine.elementwise else 1, os.environ.get("OPENBLAS_THREAD_TIMEOUT"))
print(os.environ.get("OMP_NUM_THREADS"))
"""
    kept = {k: v for k, v in os.environ.items() if not k.endswith(("_THREADS", "_TIMEOUT"))}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=kept | environment,
    )
    return done.stdout.split()


def test_processes_on_the_same_cores_share_them() -> None:
    count = cores.count()
    half = str(max(1, count // 2))
    assert settled(sharing=2) == [half, "4", half]
    assert settled(sharing=count + 1) == ["1", "4", "1"]
    assert settled(sharing=2, OMP_NUM_THREADS="1") == ["1", "4", "1"]
    assert settled(sharing=2, MKL_NUM_THREADS="1") == ["1", "4", "None"]


def test_a_settled_process_uses_its_cores_and_lets_idle_threads_sleep() -> None:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    assert settled() == [str(cores), "4", "None"]


def test_what_the_user_has_set_stays() -> None:
    assert settled(OMP_NUM_THREADS="1", OPENBLAS_THREAD_TIMEOUT="20") == ["1", "20", "1"]
    assert settled(OPENBLAS_NUM_THREADS="1")[0] == "1"


def test_once_numpy_is_there_settling_changes_nothing() -> None:
    assert settled("import numpy") == ["1", "None", "None"]


def put_in_groups(
    own: str | None, files: dict[str, str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    if own is not None:
        (root / "own").write_text(f"{own}\n")
    monkeypatch.setattr(groups, "_GROUPS", root)
    monkeypatch.setattr(groups, "_OWN", root / "own")


@pytest.mark.parametrize(
    ("own", "files", "found"),
    [
        ("0::/", {"cpu.max": "max 100000"}, float("inf")),
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/pods/a", {"cpu.max": "800000 100000", "pods/a/cpu.max": "max 100000"}, 8.0),
        ("0::/pods/a", {"pods/cpu.max": "50000 100000", "pods/a/cpu.max": "200000 100000"}, 0.5),
        ("0::/pods/b", {"pods/a/cpu.max": "50000 100000"}, float("inf")),
        (
            "4:cpu,cpuacct:/a\n1:name=systemd:/a",
            {
                "cpu,cpuacct/a/cpu.cfs_quota_us": "300000",
                "cpu,cpuacct/a/cpu.cfs_period_us": "100000",
            },
            3.0,
        ),
        (
            "4:cpu,cpuacct:/a",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "-1", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
            float("inf"),
        ),
        (None, {}, float("inf")),
    ],
)
def test_a_container_has_as_many_cores_as_its_quota_pays_for(
    own: str | None,
    files: dict[str, str],
    found: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_in_groups(own, files, tmp_path, monkeypatch)
    monkeypatch.setattr(cores, "cores", lambda: frozenset(range(6)))
    assert cores.quota() == found
    assert cores.count() == max(1, min(6, int(min(found, 6))))


@pytest.mark.parametrize(
    ("own", "files", "found"),
    [
        ("0::/", {"memory.max": "max"}, None),
        ("0::/", {"memory.max": "1000000"}, 1_000_000),
        ("0::/pods/a", {"pods/memory.max": "1000000", "pods/a/memory.max": "2000000"}, 1_000_000),
        ("0::/pods/a", {"pods/memory.max": "max", "pods/a/memory.max": "2000000"}, 2_000_000),
        ("0::/pods/b", {"pods/a/memory.max": "1000000"}, None),
        ("5:memory:/a", {"memory/a/memory.limit_in_bytes": "3000000"}, 3_000_000),
        ("5:memory:/a", {"memory/memory.limit_in_bytes": "3000000"}, 3_000_000),
        (None, {}, None),
    ],
)
def test_a_container_has_as_much_memory_as_the_least_of_its_groups(
    own: str | None,
    files: dict[str, str],
    found: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_in_groups(None, {}, tmp_path, monkeypatch)
    of_the_machine = memory()
    put_in_groups(own, files, tmp_path, monkeypatch)
    assert memory() == (of_the_machine if found is None else found)
