"""Jobs with real ranks, for tests: mpiexec -n R python -m tests.rank_jobs JOB .."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]
MPIEXEC = shutil.which("mpiexec", path=Path(sys.executable).parent) or shutil.which("mpiexec")

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None,
    reason='there is no MPI: pip install "rnnkit[mpi]"',
)

ENVIRONMENT = {
    # More ranks than cores, and as root: Open MPI wants to be told that this is meant.
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}

TWO_NODES = ("-launcher", "fork", "-hosts", "localhost,127.0.0.1", "-ppn", "2")
"""Of MPICH's mpiexec: this machine as two nodes, each with two ranks, or two and one."""


def hydra() -> bool:
    """Whether mpiexec is MPICH's, and takes such options."""
    if MPIEXEC is None:
        return False
    ran = subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True, check=False)
    return "HYDRA" in ran.stdout


def start(ranks: int, *args: str | Path, options: Sequence[str] = ()) -> subprocess.Popen[str]:
    """A job of `tests.rank_jobs`, with options of mpiexec."""
    assert MPIEXEC is not None
    program = [sys.executable, "-m", "tests.rank_jobs", *map(str, args)]
    # Cores that ranks share: tests import NumPy before anything can settle how many threads it takes.
    threads = {"OMP_NUM_THREADS": "1"} if ranks > 1 else {}
    return subprocess.Popen(
        [MPIEXEC, *options, "-n", str(ranks), *program],
        cwd=FOLDER,
        env=os.environ | ENVIRONMENT | threads,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a job that must end well; what it printed."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    return out
