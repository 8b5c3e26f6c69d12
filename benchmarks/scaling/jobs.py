"""Jobs in processes of their own: an ordinary process, or ranks that mpiexec starts."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from benchmarks.turns import ROOT
from rnnkit.system.process import THREAD_LIMITS

MPIEXEC: Final = shutil.which("mpiexec", path=Path(sys.executable).parent) or shutil.which(
    "mpiexec"
)

OVERSUBSCRIBED: Final = {
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}
"""More ranks than cores, and as root: Open MPI wants to be told that this is meant."""


PATIENCE: Final = 1200.0
"""Seconds that a job may take."""


class JobError(Exception):
    """A job has failed; the text is the last that it said."""


@attrs.frozen
class Launcher:
    """How ranks are started, and what they reach each other through.

    Attributes:
        name: of the link between them.
        within: a command that mpiexec is run by.
        options: of mpiexec; `{ranks}` is the number of ranks, `{half}` half of it.
        environment: of all ranks.
        device: that all they send each other goes through, if there is one.
    """

    name: str
    within: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = attrs.field(factory=dict)
    device: str | None = None

    def words(self, ranks: int) -> list[str]:
        """The command, up to the program."""
        assert MPIEXEC is not None
        options = [word.format(ranks=ranks, half=ranks // 2) for word in self.options]
        return [*self.within, MPIEXEC, *options, "-n", str(ranks)]


SHARED_MEMORY: Final = Launcher("shared memory")
TCP: Final = Launcher(
    "TCP on loopback",
    # MPICH's UCX would find shared memory by itself.
    environment={
        "MPIR_CVAR_NOLOCAL": "1",
        "MPIR_CVAR_CH4_NETMOD": "ofi",
        "FI_PROVIDER": "tcp",
        "OMPI_MCA_pml": "ob1",
        "OMPI_MCA_btl": "tcp,self",
    },
    device="lo",
)


def no_mpi() -> str | None:
    """Why there are no ranks here; None if there can be."""
    if MPIEXEC is None or importlib.util.find_spec("mpi4py") is None:
        return 'there is no MPI: pip install "rnnkit[mpi]"'
    return None


def run(
    job: str, cores: int, launcher: Launcher | None = None, ranks: int = 1, **options: Any
) -> Any:
    """What a job of `benchmarks.scaling.rank` has found.

    Args:
        job: its name.
        cores: that its processes share.
        launcher: of the ranks; None for an ordinary process.
        ranks: how many.
        options: of the job.

    Raises:
        JobError: it has failed.
    """
    environment = {k: v for k, v in os.environ.items() if k not in THREAD_LIMITS}
    if launcher is not None:
        environment |= {**OVERSUBSCRIBED, **launcher.environment}
    program = [
        sys.executable,
        "-m",
        "benchmarks.scaling.rank",
        job,
        str(cores),
        json.dumps(options),
    ]
    process = subprocess.Popen(
        [*(launcher.words(ranks) if launcher else ()), *program],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except BaseException:
        process.terminate()  # mpiexec then ends its ranks, which it would not if it were killed
        process.communicate()
        raise
    lines = out.strip().splitlines()
    if process.returncode or not lines:
        said = (err.strip() or out.strip()).splitlines()
        raise JobError(f"{job}: {said[-1] if said else 'ended without a word'}")
    return json.loads(lines[-1])
