"""`rnnkit doctor` says how the machine and the installation are, and what to do."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from rnnkit.cli import app
from rnnkit.describing.doctor import Finding, machine, parts, products
from rnnkit.describing.doctor.products import Speed
from rnnkit.system import beside
from rnnkit.system.machine import blas, taken


def test_each_thing_is_told_in_a_line(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["doctor", str(tmp_path), "--json"])
    assert told.exit_code == 0, told.output
    found = {one["name"]: one for one in json.loads(told.stdout)}
    assert found["Python"]["value"].startswith(platform.python_version())
    assert found["NumPy"]["value"] == np.__version__
    assert found["[onnx]"] == {"name": "[onnx]", "value": "installed", "advice": None}
    assert " of rnnkit" in found["plugins"]["value"]
    assert found[f"files in {tmp_path}"]["value"] == "can be locked"
    assert "GFLOP/s" in found["products"]["value"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "measured", lambda environment: Speed(None, 100.0))
    told = CliRunner().invoke(app, ["doctor", str(tmp_path / "no")])
    assert "there is no such folder" in told.output


@pytest.mark.parametrize(
    ("speed", "said"),
    [
        (
            50.0,
            "OPENBLAS_CORETYPE=Prescott holds products back: without, they are 2.0 times as fast "
            "(kernel SkylakeX); unset OPENBLAS_CORETYPE",
        ),
        (99.0, None),
    ],
)
def test_a_variable_that_holds_products_back_is_told_with_its_cost(
    speed: float, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    monkeypatch.delenv("OPENBLAS_L2_SIZE", raising=False)
    monkeypatch.setattr(
        products,
        "measured",
        lambda environment: (
            Speed("Katmai", speed)
            if "OPENBLAS_CORETYPE" in environment
            else Speed("SkylakeX", 100.0)
        ),
    )
    (found,) = products.look()
    assert found.advice == said
    assert f"kernel Katmai, {speed:.0f} GFLOP/s" in found.value


@pytest.mark.skipif(
    platform.machine() != "x86_64" or "openblas" not in blas(), reason="of OpenBLAS on x86"
)
def test_the_kernel_that_runs_is_told() -> None:
    held = products.measured({**os.environ, "OPENBLAS_CORETYPE": "Haswell"})
    assert held.kernel == "Haswell"
    assert held.gflops > 0


def test_busy_cores_and_limits_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "taken", lambda: 1.5)
    monkeypatch.setattr(machine, "cores", lambda: frozenset(range(4)))
    monkeypatch.setattr(machine, "quota", lambda: 2.5)
    monkeypatch.setattr(machine, "allowed_threads", lambda: 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    found = {one.name: one for one in machine.look()}
    assert found["load"].value == "other programs keep 1.5 of 4 cores busy"
    assert found["load"].advice == machine.BESIDE
    assert "a container's quota of 2.5" in found["cores"].value
    assert found["cores"].advice == "OMP_NUM_THREADS leaves cores idle that training could use"


def test_how_many_threads_would_work_beside_others_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "taken", lambda: 1.5)
    monkeypatch.setattr(machine, "allowed_threads", lambda: 4)
    monkeypatch.setattr(machine, "can_cut", lambda: False)
    monkeypatch.setattr(machine, "cores", lambda: frozenset(range(4)))
    monkeypatch.setattr(beside, "cores", lambda: frozenset(range(4)))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    found = {one.name: one for one in machine.look()}
    assert "1.5 of 4 cores busy, so that 3 of 4 threads would work" in found["load"].value
    assert "set OMP_NUM_THREADS=1, or install a newer NumPy" in (found["load"].advice or "")


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="of Linux")
def test_what_other_programs_take_is_not_what_this_one_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two cores of which one works all the time, for 100 ticks a second."""
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})
    ticks = iter([(0, 0), (20, 20)])

    class Statistics:
        def read_text(self, encoding: str) -> str:
            first, second = next(ticks)
            return f"cpu 0 0\ncpu0 {first} 0 0 5 0 0 0 0 0 0\ncpu1 0 0 0 {second} 0 0 0 0 0 0\ncpu2 9 9 9 9 9 9 9 9\n"

    monkeypatch.setattr("rnnkit.system.machine._STATISTICS", Statistics())
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    clock = iter([0.0, 0.2])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("time.process_time", lambda: 0.0)
    assert taken(0.2) == pytest.approx(20 / os.sysconf("SC_CLK_TCK") / 0.2)


def test_extras_that_are_missing_say_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_is_installed", lambda package: package != "pillow")
    found = {one.name: one for one in parts.look()}
    assert found["[photos]"] == Finding(
        "[photos]", "without pillow", 'pip install "rnnkit[photos]"'
    )
    assert found["[onnx]"].advice is None
    assert not {"[dev]", "[docs]"} & found.keys()


def test_training_says_what_may_hold_it_back(tmp_path: Path) -> None:
    environment = {**os.environ, "OPENBLAS_L2_SIZE": "262144"}
    ran = subprocess.run(
        [sys.executable, "-m", "rnnkit", "train", str(tmp_path / "no.toml")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "OPENBLAS_L2_SIZE=262144 may hold matrix products back; rnnkit doctor" in ran.stderr
