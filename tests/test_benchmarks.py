"""The benchmarks' own arithmetic, tables and page, and the contenders that need NumPy only. No times are judged."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from benchmarks import page
from benchmarks.__main__ import begin, chosen, judge, main, measure
from benchmarks.bench import Bench
from benchmarks.captions import FLICKR8K_LENGTHS, random_source, read_source
from benchmarks.contenders import CONTENDERS, plain_numpy, products, rnnkit_parts, rnnkit_training
from benchmarks.load import Load, own_ticks
from benchmarks.measures import (
    EVERY,
    MEASURES,
    QUICK,
    decode,
    growth,
    memory,
    parts,
    quick,
    size,
    startup,
    train_step,
)
from benchmarks.network import initial_parameters, trained_parameters
from benchmarks.ratios import exponent, geometric_means, milliseconds, ratios, spreads
from benchmarks.results import Results
from benchmarks.shards import write_data
from benchmarks.table import line, markdown, number, numbers
from benchmarks.task import END, NULL, START, UNKNOWN, Problem, Task
from benchmarks.turns import ROOT, WorkerError, take_turns, workers
from rnnkit.data import describe, open_data

linux = pytest.mark.skipif(sys.platform != "linux", reason="what is measured, is measured on Linux")


def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(main)
    return app


def tiny_task(cell: str = "lstm") -> Task:
    problem = Problem(cell, batch=6, features=5, width=4, hidden=3, vocabulary=40)
    source = random_source(rows=30, vocabulary=40, features=5)
    return Task(problem, source.batches(6, 4), initial_parameters(problem))


def train_step_entry(cell: str, batch: int, packed: float) -> train_step.TrainStep:
    ratio = {"torch_packed": packed, "gemm_bound": 0.8}
    ms = {"rnnkit": 100.0, "torch_packed": 100.0 * packed, "gemm_bound": 80.0}
    return {
        "cell": cell,
        "batch": batch,
        "ms": ms,
        "ratio": ratio,
        "left_out": {},
        "kernels": {"rnnkit": "openblas 1, kernel Haswell, 2 threads"},
    }


@pytest.fixture
def results() -> Results:
    steps = [
        train_step_entry("vanilla", 25, 1.0),
        train_step_entry("lstm", 25, 4.0),
        train_step_entry("gru", 25, 9.0),
    ]
    steps[1]["left_out"] = {"torch_compiled": "torch_compiled: no compiler"}
    return {
        "train_step": steps,
        "geometric_mean": train_step.averages(steps),
        "epoch": [],
        "decode": [
            {
                "batch": 1,
                "words": 10.5,
                "ms": {"rnnkit_greedy": 5.0, "rnnkit_beam": 15.0, "torch_greedy": 20.0},
                "ratio": {"rnnkit_beam": 3.0, "torch_greedy": 4.0},
                "tokens_alike": {"torch_greedy": 1.0},
            }
        ],
        "not_measured": {"epoch": "an epoch needs a data folder"},
        "load": {"before": 0.0, "train_step": 0.1},
        "kernels": {
            "rnnkit": "openblas 1, kernel Haswell",
            "gemm_bound": "openblas 1, kernel Haswell",
            "jax": "XLA",
        },
        "settings": {"rounds": 7, "steps": 4, "pause": 0.3, "threads": 2, "data": None},
        "machine": {
            "cpu": "some processor",
            "cores": 2,
            "memory_gb": 8.0,
            "system": "Linux x86_64",
            "date": "2026-01-31",
            "versions": {"python": "3.11.7", "numpy": "2.4.6"},
        },
    }


def test_only_chooses_measurements_in_their_own_order() -> None:
    assert chosen("") == list(MEASURES)
    assert chosen("decode, train_step") == ["train_step", "decode"]
    with pytest.raises(typer.BadParameter, match="'speed' is not one of train_step"):
        chosen("decode,speed")


def test_ratios_are_taken_within_a_round() -> None:
    times = {"rnnkit": [1.0, 2.0, 10.0], "other": [2.0, 4.0, 10.0]}
    assert ratios(times) == {"other": 2.0}
    assert milliseconds(times) == {"rnnkit": 2000.0, "other": 4000.0}
    assert ratios(times, base="other") == {"rnnkit": 0.5}


def test_a_spread_leaves_out_the_extremes_of_many_rounds() -> None:
    base, other = [1.0, 2.0, 1.0, 1.0, 1.0], [2.0, 6.0, 1.0, 9.0, 4.0]
    assert spreads({"rnnkit": base, "other": other}) == {"other": (2.0, 4.0)}
    assert spreads({"rnnkit": base[:4], "other": other[:4]}) == {"other": (1.0, 9.0)}


def test_time_counts_where_it_is_spent_and_that_of_helpers_where_they_are_called() -> None:
    product = ("rnnkit/numerics.py", 1, "product")
    gated = ("rnnkit/network/gated.py", 1, "_steps")
    cell, loss = ("cells/lstm.py", 1, "step"), ("losses/softmax_cross_entropy.py", 1, "evaluate")
    sigmoid, ufunc = ("rnnkit/numerics.py", 2, "sigmoid"), ("~", 0, "<method 'reduce'>")

    def times(own: float, **callers: float) -> rnnkit_parts.Entry:
        named = {"gated": gated, "cell": cell, "loss": loss, "sigmoid": sigmoid}
        of = {named[name]: (1, 1, seconds, seconds) for name, seconds in callers.items()}
        return (1, 1, own, own, of)

    found = rnnkit_parts.by_part(
        {
            gated: times(0.5),
            product: times(3.0, gated=3.0),
            cell: times(1.0, gated=1.0),
            loss: times(0.25),
            sigmoid: times(2.0, cell=1.5, loss=0.5),
            ufunc: times(4.0, sigmoid=2.0, loss=2.0),
        }
    )
    assert found == {
        "products": 3.0,
        "cell": 1.0 + 1.5 + 1.5,
        "layers": 0.0,
        "loss": 0.25 + 0.5 + 2.5,
        "update": 0.0,
        "engine": 0.5,
    }


def test_bare_products_of_captions_are_of_those_that_go_on() -> None:
    tokens = np.array([[7, 8, END, END], [9, END, END, END], [5, 6, 7, 8]])
    assert products.live_rows(tokens) == [3, 3, 2, 1]
    run = products.greedy(tiny_task())
    assert [run(i) for i in range(4)] == [None] * 4


def test_a_step_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rnnkit_parts, "STEPS", 2)
    found = rnnkit_parts.parts(tiny_task())(0)
    assert all(found[name] > 0 for name in rnnkit_parts.PARTS)
    ms = {"products": 3.0, **dict.fromkeys(rnnkit_parts.PARTS[1:], 0.2)}
    shown = parts.row({"cell": "lstm", "batch": 6, "ms": ms})
    assert shown == ["lstm", "6", "4.00", "0.75", *["0.05"] * 5]


def quick_entry(low: float, high: float) -> quick.Quick:
    return {
        "cell": "lstm",
        "batch": 25,
        "ms": {"rnnkit": 40.0},
        "ratio": dict.fromkeys(quick.OTHERS, 1.0),
        "spread": {**dict.fromkeys(quick.OTHERS, (0.99, 1.01)), "torch_packed": (low, high)},
        "kernels": {"rnnkit": "openblas 1, kernel Haswell, 2 threads"},
    }


def test_the_quick_table_shows_how_far_rounds_agree() -> None:
    entry = quick_entry(0.95, 1.1)
    assert quick.row(entry)[:5] == ["lstm", "25", "40", "1.00 (0.99-1.01)", "1.00 (0.95-1.10)"]
    assert quick.apart([entry, quick_entry(0.9, 1.2)]) == ["torch_packed, lstm, batch 25"]


def test_a_quick_table_that_is_not_to_be_trusted_is_an_error(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    judge({**results, "quick": [quick_entry(0.95, 1.1)]})
    told = capsys.readouterr().out
    assert "can be trusted" in told
    assert "some processor, 2 cores" in told
    assert "kernel Haswell" in told
    with pytest.raises(typer.Exit) as ended:
        judge({**results, "quick": [quick_entry(0.9, 1.2)]})
    assert ended.value.exit_code == 1
    assert "torch_packed, lstm, batch 25" in capsys.readouterr().out


def test_geometric_means_are_of_those_who_were_measured_everywhere() -> None:
    means = geometric_means([{"a": 1.0, "b": 2.0}, {"a": 4.0}])
    assert means == {"a": pytest.approx(2.0)}
    assert geometric_means([]) == {}


def test_means_of_training_steps_leave_the_gru_out(results: Results) -> None:
    assert results["geometric_mean"]["torch_packed"] == pytest.approx(2.0)


def test_exponent_of_a_power() -> None:
    sizes = [16, 32, 64, 128]
    assert exponent(sizes, [3e-4 * n**1.5 for n in sizes]) == pytest.approx(1.5)


def test_losses_that_differ_are_an_error() -> None:
    train_step.agree({"rnnkit": [10.0, 9.0], "other": [10.0, 9.00001]}, tolerance=1e-4)
    with pytest.raises(train_step.Disagreement, match=r"after 1 updates, rnnkit has loss 9\.0"):
        train_step.agree({"rnnkit": [10.0, 9.0], "other": [10.0, 9.1]}, tolerance=1e-4)


def test_tokens_behind_the_end_do_not_count_as_alike() -> None:
    a = np.array([[5, END, END, END], [5, 6, 7, END]])
    b = np.array([[5, END, 9, 9], [5, 6, 8, END]])
    assert decode.alike(a, a) == 1.0
    assert decode.alike(a, b) == pytest.approx(5 / 6)


@linux
def test_other_programs_are_told_from_what_is_measured() -> None:
    load = Load()
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.3)
        own = own_ticks()
        time.sleep(0.3)
        assert own_ticks() > own  # what a child works is not another's
    finally:
        busy.kill()
        busy.wait()
    assert 0.0 <= load.cores() <= len(os.sched_getaffinity(0))


def test_the_page_says_what_makes_the_products(results: Results) -> None:
    said = page.kernels(results["kernels"])
    assert "of `rnnkit`, `gemm_bound`, openblas 1, kernel Haswell; of `jax`, XLA." in said
    assert said in " ".join(page.text(results).split())


def test_machines_stand_beside_each_other(results: Results) -> None:
    first = page.means_of(results)
    other = {**first, "machine": "another processor, 8 cores", "geometric_mean": {"jax": 3.0}}
    again = {**first, "date": "2026-02-01"}
    both = page.among(page.among([first], cast(page.Means, other)), cast(page.Means, again))
    assert [one["date"] for one in both] == ["2026-01-31", "2026-02-01"]
    rows = [
        line.split("|") for line in page.text(results, both).splitlines() if "processor, " in line
    ]
    assert [row[1].strip() for row in rows[:2]] == [
        "another processor, 8 cores",
        "some processor, 2 cores",
    ]
    assert [[cell.strip() for cell in row[4:6]] for row in rows[:2]] == [
        ["3.00", "-"],
        ["-", "2.00"],
    ]
    assert "every machine" not in page.text(results, both[:1])


def test_times_beside_other_programs_do_not_reach_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("benchmarks.__main__.taken", lambda seconds: 1.3)
    monkeypatch.setattr("benchmarks.page.write", lambda results, folder: pytest.fail("written"))
    monkeypatch.setattr("benchmarks.__main__.measure", lambda name, bench, results: None)
    ran = CliRunner().invoke(command(), ["--only", "size", "--quick", "--docs"])
    assert ran.exit_code == 0
    assert "other programs kept busy: 1.3 cores (before)" in ran.output
    assert "not to be trusted" in ran.output


def test_contenders_take_turns() -> None:
    order: list[str] = []

    class Fake:
        def __init__(self, name: str) -> None:
            self.name = name

        def seconds(self, count: int) -> float:
            order.append(self.name)
            return float(count)

    times = take_turns({"a": Fake("a"), "b": Fake("b")}, rounds=2, steps=3, pause=0.0)
    assert order == ["a", "b", "a", "b"]
    assert times == {"a": [3.0, 3.0], "b": [3.0, 3.0]}


def test_lines_of_a_table_are_aligned() -> None:
    headings = ("cell", "batch", "torch_padded")
    top = line(headings, headings, label_width=8)
    below = line(("lstm", "25", "1.20"), headings, label_width=8)
    assert top == "cell        batch  torch_padded"
    assert below == "lstm           25          1.20"


def test_markdown_table() -> None:
    assert markdown(("cell", "ms"), [("lstm", "1.20"), ("vanilla", "130")]).splitlines() == [
        "| cell    |   ms |",
        "| ------- | ---: |",
        "| lstm    | 1.20 |",
        "| vanilla |  130 |",
    ]


def test_numbers_keep_three_digits_that_count() -> None:
    assert [number(v) for v in (0.123, 1.234, 12.34, 1234.5)] == ["0.12", "1.23", "12.3", "1234"]
    assert numbers({"a": 1.0}, ("a", "b")) == ["1.00", "-"]


def test_random_captions_are_like_flickr8k() -> None:
    source = random_source()
    lengths = np.count_nonzero(source.captions[:, 1:] != NULL, axis=1)
    mean = sum(n * k for n, k in enumerate(FLICKR8K_LENGTHS)) / sum(FLICKR8K_LENGTHS)
    assert lengths.mean() == pytest.approx(mean, abs=0.1)
    assert (source.captions[:, 0] == START).all()
    assert (source.captions[np.arange(len(lengths)), lengths] == END).all()
    words = source.captions[source.captions > END]
    assert words.min() > UNKNOWN
    assert words.max() < source.vocabulary
    batch = source.batches(256, 1)[0]
    assert 560 < len(np.unique(batch.captions)) < 620


def test_captions_of_one_length_have_no_padding() -> None:
    source = random_source(rows=20, vocabulary=50, features=3, length=9)
    assert source.captions.shape == (20, 9)
    assert (source.captions != NULL).all()


def test_sizes_come_from_a_data_folder(tiny_data: Path) -> None:
    source = read_source(tiny_data)
    problem = source.problem("gru", 4)
    batch = source.batch(4, np.random.default_rng(0))
    assert batch.captions.shape == (4, problem.length)
    assert batch.features.shape == (4, problem.features)
    assert batch.features.dtype == np.float32
    assert batch.captions.max() < problem.vocabulary


def test_a_task_survives_the_disk(tmp_path: Path) -> None:
    task = tiny_task("gru")
    task.write(tmp_path / "task")
    read = Task.read(tmp_path / "task")
    assert read.problem == task.problem
    assert all(np.array_equal(read.parameters[name], w) for name, w in task.parameters.items())
    for a, b in zip(read.batches, task.batches, strict=True):
        assert np.array_equal(a.captions, b.captions)
        assert np.array_equal(a.features, b.features)


@pytest.mark.parametrize("cell", ["vanilla", "lstm", "gru"])
def test_plain_numpy_learns_what_rnnkit_learns(cell: str) -> None:
    task = tiny_task(cell)
    ours, plain = rnnkit_training.step(task), plain_numpy.step(task)
    losses = {"rnnkit": [ours(i) for i in range(4)], "plain_numpy": [plain(i) for i in range(4)]}
    train_step.agree(losses, tolerance=1e-5)


def test_initial_biases_are_not_zero() -> None:
    parameters = initial_parameters(tiny_task("gru").problem)
    assert all(w.any() and w.dtype == np.float32 for w in parameters.values())


def test_a_few_updates_change_the_parameters() -> None:
    task = tiny_task()
    source = random_source(rows=30, vocabulary=40, features=5)
    trained = trained_parameters(task.problem, source, updates=2)
    assert not np.array_equal(trained["rnn.0.Wh"], task.parameters["rnn.0.Wh"])


@pytest.mark.parametrize("start", [products.distinct, products.packed])
def test_bare_products_run_on_every_batch(start: object) -> None:
    assert callable(start)
    run = start(tiny_task("gru"))
    assert [run(i) for i in range(4)] == [None] * 4


def test_an_epoch_of_a_data_folder(tiny_data: Path) -> None:
    source = read_source(tiny_data)
    problem = source.problem("lstm", 8)
    task = Task(problem, [], initial_parameters(problem), data=tiny_data, limit=16)
    run = rnnkit_training.epoch(task)
    first, second = run(0), run(0)
    assert second < first < 2 * problem.length * math.log(problem.vocabulary)


@linux
def test_a_worker_does_what_it_is_told(tmp_path: Path) -> None:
    task = tiny_task()
    task.write(tmp_path / "task")
    with workers(("plain_numpy",), tmp_path / "task", threads=1) as started:
        worker = started["plain_numpy"]
        assert worker.result(0) == pytest.approx(plain_numpy.step(task)(0))
        assert worker.seconds(2) > 0.0
        assert isinstance(worker.last(), float)
        found = worker.memory()
        assert 0 < found["imported"] <= found["peak"]


@linux
def test_a_worker_that_fails_says_why(tmp_path: Path) -> None:
    with workers(("plain_numpy",), tmp_path / "no-task", threads=1) as started:
        with pytest.raises(WorkerError, match=r"plain_numpy: FileNotFoundError"):
            started["plain_numpy"].result(0)
        with pytest.raises(WorkerError, match=r"plain_numpy: FileNotFoundError"):
            started["plain_numpy"].seconds(1)


def test_every_contender_has_a_file() -> None:
    folder = Path(plain_numpy.__file__).parent
    for contender in CONTENDERS.values():
        text = (folder / f"{contender.module}.py").read_text(encoding="utf-8")
        assert f"def {contender.start}(task: Task)" in text


def test_required_packages_are_followed() -> None:
    found = size.required("rnnkit")
    assert {"rnnkit", "numpy", "h5py", "attrs", "typer"} <= found
    assert not {"torch", "jax", "mypy", "pytest"} & found
    assert 0.1 < size.megabytes("rnnkit") < 5.0 < size.megabytes("numpy")


def test_every_measurement_has_a_cell_for_each_heading(results: Results) -> None:
    grown: growth.Growth = {
        "size": "N",
        "values": [16, 32],
        "ms": {"rnnkit": [1.0, 2.0], "gemm_bound": [1.0, 2.0]},
        "exponent": {"rnnkit": 1.0, "gemm_bound": 1.0},
    }
    needed: memory.Memory = {
        "cell": "lstm",
        "batch": 128,
        "vocabulary": 2541,
        "megabytes": {"rnnkit": 100.0, "torch_padded": 200.0},
        "ratio": {"torch_padded": 2.0},
    }
    started: startup.Startup = {"command": "rnnkit --help", "ms": 100.0, "ratio": 1.0}
    entries = {
        "train_step": results["train_step"][0],
        "decode": results["decode"][0],
        "growth": grown,
        "memory": needed,
        "startup": started,
        QUICK: quick_entry(0.9, 1.1),
    }
    for name, entry in entries.items():
        assert len(EVERY[name].row(entry)) == len(EVERY[name].headings)


def test_the_page_is_made_from_the_file(results: Results) -> None:
    text = page.text(json.loads(json.dumps(results)))
    assert "| lstm    |    25 |  100 |" in text
    assert "![" in text
    assert "(performance.svg)" in text
    assert "Not measured here: an epoch needs a data folder." in text
    assert "as it failed there: torch_compiled: no compiler" in text
    assert "Captions are random" in text
    assert "## Peak memory" not in text
    assert max(len(row) for row in text.splitlines() if row[:1] not in ("|", "!")) <= page.WIDTH


def test_the_page_names_the_data(results: Results) -> None:
    results["settings"]["data"] = "flickr8k"
    text = " ".join(page.text(results).split())
    assert "drawn at random from the train split of flickr8k" in text
    assert 'make bench BENCH_ARGS="--data DIR"' in text


@linux
def test_a_measurement_goes_to_the_terminal_and_into_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(tmp_path, rounds=1, steps=1, pause=0.0, quick=True)
    results = begin(bench)
    measure("epoch", bench, results)
    assert results["epoch"] == []
    assert results["not_measured"] == {"epoch": "an epoch needs a data folder: --data DIR"}
    assert "not measured: an epoch needs a data folder" in capsys.readouterr().out
    json.dumps(results)


@linux
def test_random_shards_are_data(tmp_path: Path) -> None:
    images = write_data(tmp_path / "data", 0.004, 3)
    with open_data(tmp_path / "data") as data:
        data.check()
        train = describe(data).splits[0]
        assert data.split("train").captions[:, 0].tolist() == [1] * 5 * images
    assert (train.images, train.captions, train.feature_files) == (images, 5 * images, 3)
    assert train.feature_bytes == pytest.approx(4e6, rel=0.01)


@linux
def test_each_process_says_what_it_has_read(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.shards", "run", "--folder", str(tmp_path)]
    options = ["--gigabytes", "0.004", "--ranks", "1", "--updates", "2", "--shards", "2"]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "wrote 244 images in 2 shards" in done.stdout
    read = re.search(r"rank 0: peak memory [0-9,]+ MB; read ([0-9]+) MB", done.stdout)
    assert read is not None
    assert int(read[1]) >= 4
    assert not list(tmp_path.iterdir())
