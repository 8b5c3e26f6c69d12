"""Jobs with real ranks, for tests: mpiexec -n R python -m tests.rank_jobs JOB .."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
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


def start(ranks: int, *args: str | Path) -> subprocess.Popen[str]:
    """A job of `tests.rank_jobs`."""
    assert MPIEXEC is not None
    return subprocess.Popen(
        [MPIEXEC, "-n", str(ranks), sys.executable, "-m", "tests.rank_jobs", *map(str, args)],
        cwd=FOLDER,
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a job that must end well; what it printed."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    return out
