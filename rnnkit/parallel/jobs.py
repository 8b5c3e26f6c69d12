"""The job that this process is of: that which an MPI launcher has started, or its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from rnnkit.errors import MissingPackage, RnnkitError
from rnnkit.parallel.ranks import ALONE, Ranks
from rnnkit.system.terminal import say

_SIZES: Final = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
"""Where Open MPI, and MPICH and its kin, tell a process how many there are."""


@contextmanager
def job() -> Iterator[Ranks]:
    """The ranks of the job that this process is of; an error ends them all.

    What all ranks meet, such as a mistake in a spec, is raised on the first of them, to be told once; the
    others end. What only some meet is told with their ranks, and ends the job.

    Raises:
        RnnkitError: an MPI launcher has started this process, but mpi4py or its MPI is missing, or is not the
            launcher's.
    """
    started = _started(os.environ)
    if started == 1:
        yield ALONE
        return
    try:
        from rnnkit.parallel.mpi import MPIRanks

        ranks = MPIRanks()
    except (ImportError, RuntimeError) as e:
        raise MissingPackage(
            'working in more than one process needs mpi4py and an MPI: pip install "rnnkit[mpi]", '
            f"and then start it with that MPI's mpiexec ({e})"
        ) from e
    if ranks.size != started:
        raise RnnkitError(
            f"{started} processes were started, but mpi4py's MPI knows of {ranks.size}: this mpiexec is of "
            "another MPI; use the mpiexec of mpi4py's"
        )
    try:
        yield ranks
    except BaseException as e:
        if not ranks.all_failed():
            text, code = _told(e)
            say(f"{ranks}: {text}", err=True)
            ranks.abort(code)
        ranks.end()
        if ranks.rank == 0:
            raise
        raise SystemExit(0) from e
    ranks.end()


def _started(environment: Mapping[str, str]) -> int:
    """How many processes an MPI launcher has started with this one; 1 if none has."""
    sizes = [environment[name] for name in _SIZES if name in environment]
    if "PMIX_RANK" in environment:  # Slurm's launcher; a batch script has the other variable, too
        sizes.append(environment.get("SLURM_STEP_NUM_TASKS", "1"))
    return max([1, *(int(size) for size in sizes if size.isdecimal())])


def _told(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit code; of a user's own program, all that helps to find it."""
    import traceback

    from rnnkit.registry.blame import culprit
    from rnnkit.system.fault import said_of

    if "rnnkit.cli" in sys.modules or isinstance(error, RnnkitError | KeyboardInterrupt):
        return said_of(error, culprit(error))
    return "".join(traceback.format_exception(error)).rstrip(), 1
