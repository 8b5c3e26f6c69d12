"""Products in pieces: the same bits on any number of threads, which gives way to other programs and not to the user."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnnkit.numerics
from rnnkit.kinds import Array
from rnnkit.network.checkpoint import read_model_file, read_note
from rnnkit.numerics import product
from rnnkit.system import beside, blas, cores, process
from rnnkit.system.beside import Beside, free_threads
from rnnkit.system.blas import Product
from rnnkit.system.process import Threads
from rnnkit.training import Trainer, train
from rnnkit.training.place import Place
from rnnkit.training.threads import cut_as_begun
from tests.specs import TRAINED

cut = pytest.mark.skipif(blas.take(1) is None, reason="of OpenBLAS that multiplies in batches")


@pytest.fixture
def on_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work is cut for three threads, of which two are free, and every product that is large enough for BLAS is cut."""
    monkeypatch.setattr(process, "_threads", Threads(3, lambda: 2, elementwise=True))
    monkeypatch.setattr(rnnkit.numerics, "PIECE", 1 << 21)
    way = rnnkit.numerics._way
    way.cache_clear()
    yield
    way.cache_clear()


def matrices(M: int, K: int, N: int, dtype: str) -> Iterator[tuple[Array, Array]]:
    """The pairs of a layer y = a b: forward, and both of backward."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((K, N)).astype(dtype)
    dy = rng.standard_normal((M, N)).astype(dtype)
    yield a, b
    yield dy, b.T
    yield a.T, dy
    yield np.concatenate((a, a), axis=1)[:, K:], b


SHAPES = [(100, 256, 1024), (700, 257, 130), (150, 128, 2601)]


@cut
@pytest.mark.usefixtures("on_threads")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_in_pieces_are_those_of_wider_numbers(
    shape: tuple[int, int, int], dtype: str
) -> None:
    for a, b in matrices(*shape, dtype):
        found = product(a, b)
        assert found.dtype == dtype
        exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
        bound = len(b) * np.finfo(dtype).eps * (abs(a) @ abs(b))
        assert (abs(found - exact) <= bound).all()


@cut
@pytest.mark.usefixtures("on_threads")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_bit_depends_on_how_many_threads_are_free(
    shape: tuple[int, int, int], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for a, b in matrices(*shape, dtype):
        found = []
        for free in (1, 2, 3):
            monkeypatch.setattr(process, "_threads", Threads(3, partial(int, free), True))
            found.append(product(a, b).tobytes())
        assert found[0] == found[1] == found[2]


@cut
@pytest.mark.usefixtures("on_threads")
def test_large_products_are_cut_and_others_are_numpys(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def in_pieces(*_: object) -> Product:
        def multiply(a: Array, b: Array, at_a_time: int, onto: Array | None = None) -> Array:
            assert onto is None
            made.append(at_a_time)
            found: Array = a @ b
            return found

        return multiply

    monkeypatch.setattr(rnnkit.numerics, "in_pieces", in_pieces)
    a, b = np.ones((128, 256), np.float32), np.ones((256, 512), np.float32)
    assert product(a, b)[0, 0] == 256.0
    assert made == [2]
    product(a[:8], b)
    product(a.astype(complex)[None], b)
    assert made == [2]
    monkeypatch.setattr(process, "_threads", Threads(1, lambda: 1, elementwise=True))
    product(a, b)
    assert made == [2]


@cut
@pytest.mark.usefixtures("on_threads")
def test_what_blas_cannot_take_is_multiplied_all_the_same() -> None:
    a, b = np.arange(2.0 * 160 * 300).reshape(160, 600)[:, ::2], np.ones((300, 200))
    mixed = product(np.ones((160, 300), np.float32), b)
    np.testing.assert_array_equal(product(a, b), a @ b)
    np.testing.assert_array_equal(mixed, np.full((160, 200), 300.0))
    assert mixed.dtype == np.float64
    with pytest.raises(ValueError, match="mismatch"):
        product(np.ones((160, 299)), b)


@cut
@pytest.mark.usefixtures("on_threads")
def test_no_piece_is_too_small_for_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end the process: the last of 65 rows by itself, and all pieces where they are cut too small."""
    a, b = np.ones((65, 4000)), np.ones((4000, 65))
    np.testing.assert_array_equal(product(a, b), np.full((65, 65), 4000.0))
    monkeypatch.setattr(rnnkit.numerics, "PIECE", 1)
    rnnkit.numerics._way.cache_clear()
    for M, K, N in ((129, 100, 50), (200, 8, 128), (300, 40, 190)):
        np.testing.assert_array_equal(
            product(np.ones((M, K)), np.ones((K, N))), np.full((M, N), float(K))
        )


@cut
def test_numpys_own_products_have_their_threads_back_afterwards() -> None:
    before = blas.take(2)
    with blas.on(1):
        product(np.ones((4, 3)), np.ones((3, 4)))
        assert blas.take(1) == 1
    assert blas.take(before or 1) == 2


def test_threads_are_as_many_as_cores_that_others_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "cores", lambda: frozenset(range(4)))
    assert [free_threads(4, others) for others in (0.0, 0.4, 0.6, 2.0, 3.9)] == [4, 4, 3, 2, 1]
    assert free_threads(2, 1.0) == 2
    assert free_threads(2, 3.0) == 1


def test_it_is_looked_at_every_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others come after the first look, and go."""
    now, taken = [0.0], [0.0, 1.0, 0.0, None]
    looks = iter(taken)

    class Others:
        def look(self) -> float | None:
            return next(looks)

    monkeypatch.setattr(beside, "cores", lambda: frozenset(range(2)))
    monkeypatch.setattr(beside, "Others", Others)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    mine, seen = Beside(2), []
    for tenth in range(50):
        now[0] = tenth / 10
        seen.append(mine.threads())
    assert seen[:3] == [2, 2, 2]
    changes = [i for i in range(1, 50) if seen[i] != seen[i - 1]]
    assert len(changes) == 2
    assert seen[changes[0]] == 1
    assert seen[-1] == 2


def test_what_it_was_like_before_a_rest_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    class Others:
        def look(self) -> float:
            return 2.0

    monkeypatch.setattr(beside, "Others", Others)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    mine = Beside(2)
    now[0] = 60.0
    assert mine.threads() == 2
    now[0] = 60.3
    assert mine.threads() == 1


def settled(variable: str, value: str) -> str:
    """How many threads a new process takes beside others that keep all cores busy."""
    script = """
from rnnkit.system import beside, process
beside.Others = type("Others", (), {"look": lambda self: 1000.0})
beside.LOOK = 0.0
process.settle()
mine = process.threads()
print(mine.cuts, mine.free(), mine.asked)
"""
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    environment |= {variable: value} if value else {}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()


def test_threads_that_the_user_asks_for_are_taken_beside_others_too() -> None:
    most = cores.count()
    assert settled("OMP_NUM_THREADS", "") == f"{most} 1 False"
    assert settled("OMP_NUM_THREADS", str(most)) == f"{most} {most} True"
    assert settled("OPENBLAS_NUM_THREADS", "1") == "1 1 True"


def test_a_container_with_a_quota_cuts_work_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in process.THREAD_LIMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("rnnkit.system.cores.cores", lambda: frozenset(range(64)))
    monkeypatch.setattr("rnnkit.system.cores.quota", lambda: 2.5)
    monkeypatch.setattr(process, "_threads", None)
    assert process.threads().cuts == 2


@pytest.mark.parametrize(
    ("begun", "of", "here", "asked", "cuts", "told"),
    [
        (0, 0, 2, False, 2, ""),
        (2, 2, 2, False, 2, ""),
        (2, 0, 1, False, 2, ""),  # of a checkpoint that does not say how many ranks there were
        (2, 1, 1, False, 1, ""),
        (1, 4, 2, False, 2, ""),
        (8, 2, 2, True, 8, ""),
        (1, 2, 4, False, 1, "goes on with 1 thread, as it began; OMP_NUM_THREADS=4 lets it take 4"),
        (2, 2, 4, True, 4, "began with products cut for 2 threads, and goes on with 4"),
    ],
)
def test_a_run_goes_on_with_its_work_cut_as_it_was(
    begun: int,
    of: int,
    here: int,
    asked: bool,
    cuts: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With as many ranks, here two; else for the threads that each of them has."""
    monkeypatch.setattr(process, "_threads", Threads(here, lambda: here, True, asked))
    said: list[str] = []
    with cut_as_begun(Place(cuts=begun, ranks=of), 2, said.append):
        assert process.threads().cuts == cuts
        assert process.threads().free() == here
    assert process.threads().cuts == here
    assert told in "".join(said)
    assert bool(told) == bool(said)


def parameters(folder: Path) -> dict[str, bytes]:
    return {k: a.tobytes() for k, a in read_model_file(folder / "last.h5").parameters.items()}


@cut
@pytest.mark.usefixtures("on_threads")
def test_a_run_has_the_same_bits_beside_others_and_resumed_on_fewer_threads(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, wide = tmp_path / "wide.toml", ("model.rnn[0].hidden=256", "train.batch=96")
    spec.write_text(TRAINED)
    cut_ones: list[bool] = []
    real = rnnkit.numerics._way

    def seen(*given: Any) -> Any:
        cut_ones.append((way := real(*given)) is not None)
        return way

    monkeypatch.setattr(rnnkit.numerics, "_way", seen)
    train(spec, data=tiny_data, out=tmp_path / "whole", overrides=wide)
    assert any(cut_ones)
    _, note = read_note(tmp_path / "whole" / "last.h5")
    assert json.loads(note)["cuts"] == 3

    turns = itertools.count()
    monkeypatch.setattr(process, "_threads", Threads(3, lambda: next(turns) % 3 + 1, True))
    started: list[Trainer] = []
    broken_off = train(
        spec,
        data=tiny_data,
        out=tmp_path / "broken",
        overrides=wide,
        on_start=lambda trainer, _: started.append(trainer),
        on_record=lambda _: setattr(started[0], "stop", True),
    )
    assert not broken_off.finished
    monkeypatch.setattr(process, "_threads", Threads(2, lambda: 1, elementwise=True))
    assert train(resume=tmp_path / "broken").finished
    assert parameters(tmp_path / "broken") == parameters(tmp_path / "whole")
