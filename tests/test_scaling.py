"""The cost model of training in many processes, its fits, its page; and a quick run of the measurements. No times
are judged."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.page import WIDTH
from benchmarks.scaling import fits, jobs, model, page, plot, projection
from benchmarks.scaling.model import Cluster, Link, Speeds, Task, Work
from benchmarks.scaling.projection import DATA_SETS, HERE, RANKS, Model, batches_of
from benchmarks.scaling.results import Compute, Reduction, Results
from benchmarks.scaling.simulation import simulate
from benchmarks.turns import ROOT
from rnnkit.training.sharing import share

linux = pytest.mark.skipif(sys.platform != "linux", reason="measured on Linux only")

MEMORY = Link(1e-6, 4e9)
SLOW = Link(50e-6, 1e9 / 8)
SPEEDS = Speeds(update=1e-9, copy=2e-10, read=1e9)
WORK = Work(fixed=2e-3, token=1e-4, step=5e-4)
TASK = Task("some", captions=10_000, parameters=1_000_000, row=4096, work=WORK)
LENGTHS = np.random.default_rng(0).integers(4, 18, 1000)


def shares(ranks: int, batch: int) -> list[list[tuple[int, int]]]:
    return simulate(LENGTHS, ranks, batch, np.random.default_rng(ranks))["batches"]


def reduction(link: Link, name: str = projection.SHARED_MEMORY) -> Reduction:
    sizes = [2**i for i in range(12, 29, 2)]
    times = [link.seconds(2, size) for size in sizes]
    return {
        "link": name,
        "ranks": 2,
        "cores": 2,
        "sizes": sizes,
        "shares": times,
        "whole": times,
        "small": 3 * link.latency,
        "sent": None,
    }


def compute(name: str, parameters: int) -> Compute:
    sizes = [(1, 8, 8), (1, 15, 15), (4, 40, 13), (16, 170, 16), (64, 700, 16)]
    return {
        "network": name,
        "parameters": parameters,
        "vocabulary": 1000,
        "features": 512,
        "busy": 2,
        "batches": [
            {"rows": n, "tokens": m, "steps": t, "seconds": WORK.seconds(m, t)} for n, m, t in sizes
        ],
    }


@pytest.fixture(scope="module")
def results() -> Results:
    """What would be measured if the model were the truth."""
    elements = [2**14, 2**20]
    wanted = {(ranks, n) for ranks in RANKS for _, n in batches_of(ranks) if n <= 8192}
    rng = np.random.default_rng(0)
    found: Results = {
        "settings": {
            "command": "python -m benchmarks.scaling",
            "rounds": 2,
            "pause": 0.5,
            "ranks": 2,
            "data": None,
        },
        "machine": {
            "cpu": "some processor",
            "cores": 2,
            "memory_gb": 8.0,
            "system": "Linux x86_64",
            "date": "2026-01-31",
            "versions": {"python": "3.11.7"},
        },
        "epochs": [
            {
                "batch": 128,
                "captions": 12_800,
                "updates": 100,
                "seconds": {"2 threads": [20.0, 22.0], "2 ranks": [10.0, 10.0], "1 thread": [30.0]},
                "startup": {"2 threads": 1.0, "2 ranks": 2.0, "1 thread": 1.0},
                "loss": {"2 threads": 40.0, "2 ranks": 40.0, "1 thread": 40.0},
            }
        ],
        "reductions": [reduction(MEMORY), reduction(SLOW, projection.TCP)],
        "compute": [compute(name, 10**6) for name in (HERE, *(d.name for d in DATA_SETS))],
        "update": {
            "elements": elements,
            "seconds": [SPEEDS.update * n for n in elements],
            "copy": [SPEEDS.copy * n for n in elements],
        },
        "reading": {
            "filesystem": "ext4",
            "file_bytes": 2**29,
            "row_bytes": 2**14,
            "rates": {"in order": 2e9, "runs": SPEEDS.read, "rows": 1e8},
        },
        "shares": [simulate(LENGTHS, ranks, batch, rng) for ranks, batch in sorted(wanted)],
        "not_measured": {"two_hosts": "not asked for"},
    }
    return found


def with_hosts(results: Results, sent: float) -> Results:
    """The same with two hosts, four ranks on which sent so much."""
    steps: list[Any] = [
        {"batch": 128, "ranks": 2, "updates": 60, "seconds": 0.5, "overlapped": 0.4, "sent": 1.0},
        {"batch": 128, "ranks": 4, "updates": 60, "seconds": 0.5, "overlapped": 0.4, "sent": sent},
    ]
    hosts: Any = {"rate": "1 Gbit/s", "reduction": reduction(SLOW, "two hosts"), "steps": steps}
    return {**results, "two_hosts": hosts}


def without_mpi(results: Results) -> Results:
    entry = results["epochs"][0]
    alone = {name: times for name, times in entry["seconds"].items() if "thread" in name}
    reason = "there is no MPI"
    return {
        **results,
        "epochs": [{**entry, "seconds": alone}],
        "reductions": [],
        "not_measured": dict.fromkeys(("ranks", "reductions", "two_hosts"), reason),
    }


def test_a_fit_finds_the_coefficients_that_times_were_made_with() -> None:
    terms = [(1.0, m, t) for m, t in ((10.0, 10.0), (100.0, 16.0), (1000.0, 16.0), (50.0, 9.0))]
    times = [2.0 + 0.5 * m + 3.0 * t for _, m, t in terms]
    assert fits.coefficients(terms, times) == pytest.approx([2.0, 0.5, 3.0])
    assert fits.errors(terms, times, [2.0, 0.5, 3.0]) == pytest.approx([0.0] * 4, abs=1e-12)
    assert fits.errors(terms, times, [4.0, 1.0, 6.0]) == pytest.approx([1.0] * 4)


def test_a_coefficient_that_would_be_negative_is_zero() -> None:
    """Times that fall with the second term: the best that is left is one constant, c = sum 1/t / sum 1/t^2."""
    terms, times = [(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)], [6.0, 5.0, 4.0]
    inverse = [1 / t for t in times]
    constant = sum(inverse) / sum(x * x for x in inverse)
    assert fits.coefficients(terms, times) == pytest.approx([constant, 0.0])


def test_one_rank_takes_what_it_computes_and_updates() -> None:
    batches = [[(1000, 16)], [(1200, 15)]]
    step = model.step(TASK, SPEEDS, Cluster("", MEMORY, SLOW), 1, 100, batches)
    mean = WORK.fixed + WORK.token * 1100 + WORK.step * 15.5
    assert step.seconds == pytest.approx(mean + 1e-3)
    assert (step.reduce, step.copy) == (0.0, 0.0)
    assert model.epoch(TASK, 100, 0.5) == 50.0


def test_a_step_waits_for_the_slowest_rank() -> None:
    step = model.step(TASK, SPEEDS, Cluster("", MEMORY, SLOW), 2, 100, [[(600, 14), (590, 17)]])
    assert step.compute == pytest.approx(WORK.fixed + 0.059 + 0.0085)
    assert step.update == pytest.approx(0.5e-3)


def test_reading_that_takes_longer_than_all_else_decides() -> None:
    """A node's ranks share its disk: 64 of 128 ranks read half of the rows."""
    slow = Speeds(SPEEDS.update, SPEEDS.copy, read=1e6)
    step = model.step(TASK, slow, Cluster("", MEMORY, MEMORY, node=64), 128, 1024, [[(80, 16)]])
    assert step.seconds == step.read == pytest.approx(512 * 4096 / 1e6)
    assert model.limit(step, 1.0, 128, step) == "read"


@pytest.mark.parametrize("by_node", [True, False])
def test_two_ranks_exchange_halves(by_node: bool) -> None:
    """Each sends half of the buffer, gets half of the result, and three small messages go before."""
    for node in (1, 2):
        link = SLOW if node == 1 else MEMORY
        cluster = Cluster("", MEMORY, SLOW, node, by_node)
        assert cluster.reduce(1e6, 2) == pytest.approx(5 * link.latency + 1e6 / link.bandwidth)


def test_ranks_of_a_node_share_its_card() -> None:
    """Four nodes of two ranks; memory takes no time."""
    free = Link(0.0, math.inf)
    flat, by_node = (Cluster("", free, Link(0.0, 1.0), 2, way) for way in (False, True))
    # Each of two ranks sends an eighth to each of six others; then the ring's seven eighths.
    assert flat.reduce(8.0, 8) == pytest.approx(2 * 6 + 7)
    # The node as one of four: three quarters there, three quarters back.
    assert by_node.reduce(8.0, 8) == pytest.approx(2 * 6)


def test_what_two_hosts_send_is_what_the_model_lets_them_send() -> None:
    free = Link(0.0, math.inf)
    for ranks in (2, 4, 8):
        for by_node in (False, True):
            cluster = Cluster("", free, Link(0.0, 1.0), ranks // 2, by_node)
            assert cluster.reduce(1.0, ranks) == pytest.approx(projection.sent(ranks, by_node))


def test_efficiency_falls_with_every_rank_at_the_same_batch() -> None:
    for by_node in (False, True):
        cluster = Cluster("", MEMORY, SLOW, 8, by_node)
        times = {
            ranks: model.step(TASK, SPEEDS, cluster, ranks, 128, shares(ranks, 128)).seconds
            for ranks in RANKS
        }
        found = [model.efficiency(times[1], ranks, times[ranks]) for ranks in RANKS]
        assert found[0] == 1.0
        assert all(a > b for a, b in pairwise(found))


def test_a_slow_network_is_named_as_the_limit() -> None:
    def limit(cluster: Cluster) -> str:
        alone, many = (
            model.step(TASK, SPEEDS, cluster, ranks, 128, shares(ranks, 128)) for ranks in (1, 32)
        )
        return model.limit(alone, 1.0, 32, many)

    assert limit(Cluster("", MEMORY, SLOW, 1)) == "reduce"
    assert limit(Cluster("", Link(0.0, 1e12), SLOW, 32)) == "compute"


@pytest.mark.parametrize(("ranks", "batch"), [(1, 16), (3, 50), (8, 128), (16, 7)])
def test_candidates_have_the_slowest_rank_among_them(ranks: int, batch: int) -> None:
    rng, again = np.random.default_rng(5), np.random.default_rng(5)
    found = simulate(LENGTHS, ranks, batch, rng)
    drawn = again.choice(LENGTHS.astype(np.int16), (len(found["batches"]), batch))
    for lengths, candidates in zip(drawn, found["batches"], strict=True):
        mine = [lengths[share(lengths, r, ranks)].astype(int) - 1 for r in range(ranks)]
        for work in (Work(0, 1, 0), Work(0, 0, 1), Work(1, 1, 3)):
            slowest = max(work.seconds(int(t.sum()), int(t.max(initial=0))) for t in mine)
            assert model.slowest(work, candidates) == slowest


def test_the_model_has_the_coefficients_that_results_were_made_with(results: Results) -> None:
    found = Model.of(results)
    assert found is not None
    assert found.memory.latency == pytest.approx(MEMORY.latency)
    assert found.memory.bandwidth == pytest.approx(MEMORY.bandwidth)
    assert found.speeds.update == pytest.approx(SPEEDS.update)
    assert found.speeds.copy == pytest.approx(SPEEDS.copy)
    task = found.task(DATA_SETS[0])
    assert task.work.seconds(300, 12) == pytest.approx(WORK.seconds(300, 12))
    one, two = projection.checks(results, found)
    assert (one.name, two.name) == ("1 thread", "2 ranks")
    assert one.error == pytest.approx(one.step.seconds / 0.3 - 1)
    assert two.error == pytest.approx(two.step.seconds / 0.1 - 1)
    assert two.step.reduce == pytest.approx(5 * MEMORY.latency + 4e6 / MEMORY.bandwidth)


def test_what_four_ranks_sent_says_whether_nodes_sum_first(results: Results) -> None:
    assert not projection.sums_by_node(results)
    for sent, by_node in ((1.05, True), (1.8, False)):
        found = with_hosts(results, sent)
        assert projection.sums_by_node(found) == by_node
        assert f"that of the one *{'by nodes' if by_node else 'flat'}*" in words(found)


def words(results: Results) -> str:
    return " ".join(page.text(json.loads(json.dumps(results))).split())


def test_the_page_says_what_the_numbers_say(results: Results) -> None:
    text = words(results)
    assert "At N = 128, 2 ranks are 2.10 times as fast as 2 threads" in text
    assert "one thread takes 3.00 times as long as they do" in text
    assert "100 updates on random captions" in text
    assert "## Two hosts, measured Not measured: not asked for." in text
    assert "1,024 ranks would leave 3 updates" in text
    entry = results["epochs"][0]
    slow = {**entry["seconds"], "2 ranks": [40.0, 44.0]}
    slower = words({**results, "epochs": [{**entry, "seconds": slow}]})
    assert "2 ranks take 2.00 times as long as 2 threads" in slower


def test_the_page_keeps_to_its_width(results: Results) -> None:
    text = page.text(with_hosts(results, 1.0))
    assert max(len(row) for row in text.splitlines() if row[:1] not in ("|", "!")) <= WIDTH


def test_without_mpi_the_page_says_so_and_projects_nothing(results: Results) -> None:
    text = words(without_mpi(results))
    assert "Ranks were not measured here: there is no MPI." in text
    assert "None: it needs the reductions between ranks" in text
    assert "How far it pays" not in text


@pytest.mark.parametrize("mpi", [True, False])
def test_the_plot_is_drawn_from_whatever_there_is(
    mpi: bool, results: Results, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    plot.write(with_hosts(results, 1.0) if mpi else without_mpi(results), tmp_path / "scaling.svg")
    text = (tmp_path / "scaling.svg").read_text(encoding="utf-8")
    assert "V = 1,000" in text
    assert ("Conceptual 12M, N = 1,024" in text) == mpi


@linux
def test_a_job_that_fails_says_why() -> None:
    with pytest.raises(jobs.JobError, match=r"read: .*No such file or directory"):
        jobs.run("read", cores=1, folder="/nowhere", row_bytes=16, rows=4, run=2)


@pytest.mark.heavy
@linux
def test_all_measurements_run(tmp_path: Path) -> None:
    """Those between ranks only where there is an MPI; else they have their reason."""
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks.scaling", "--quick", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found: Results = json.loads(file.read_text())
    reason = jobs.no_mpi()
    assert found["not_measured"] == {
        **({"ranks": reason, "reductions": reason} if reason else {}),
        "two_hosts": "not asked for: --two-hosts",
    }
    (entry,) = found["epochs"]
    assert set(entry["seconds"]) == {"1 thread", "2 threads"} | (
        {"2 ranks"} if not reason else set()
    )
    assert [r["link"] for r in found["reductions"]] == (
        [] if reason else [projection.SHARED_MEMORY, projection.TCP]
    )
    assert [c["network"] for c in found["compute"]] == [HERE, *(d.name for d in DATA_SETS)]
    assert found["settings"]["command"] == "python -m benchmarks.scaling --quick --json FILE"
    assert page.text(found).startswith("# Scaling")
