"""The processes of one job: those that `mpiexec -n R` has started, or this one alone.

Each is a rank, 0 to R - 1. What they need of each other is small: sums, values of the first rank, and to end
together. mpi4py is imported only where an MPI launcher has started the process, so a process of its own
neither needs it nor waits for it. NumPy is not imported here at all, for `rnnkit.process.settle` comes first.
"""

from __future__ import annotations

import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from rnnkit.errors import RnnkitError
from rnnkit.process import cores

if TYPE_CHECKING:
    from rnnkit.kinds import Array

T = TypeVar("T")

_SIZES: Final = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
"""Where Open MPI, and MPICH and its kin, tell a process how many there are."""

_PATIENCE: Final = 1.0
"""Seconds that a rank which failed waits for the others to say that they failed, too."""


class Ranks(ABC):
    """The ranks of a job, as one of them sees them. What is abstract is called by all, in the same order.

    Attributes:
        rank: which this process is.
        size: how many there are, R.
        sharing: how many, this one included, work on this one's cores.
    """

    rank: int = 0
    size: int = 1
    sharing: int = 1

    @abstractmethod
    def sum(self, buffer: Array) -> None:
        """Put the sum over all ranks in the place of a contiguous array; all get the same bits."""

    @abstractmethod
    def broadcast(self, value: T) -> T:
        """The first rank's value."""

    @abstractmethod
    def any(self, flag: bool) -> bool:
        """Whether any rank says so."""

    @abstractmethod
    def first(self, job: Callable[[], T]) -> T:
        """What a job returns, or raises for the user to mend, that the first rank does for all."""


class Alone(Ranks):
    """A process of its own."""

    def sum(self, buffer: Array) -> None:
        pass

    def broadcast(self, value: T) -> T:
        return value

    def any(self, flag: bool) -> bool:
        return flag

    def first(self, job: Callable[[], T]) -> T:
        return job()


ALONE: Final = Alone()


class MPIRanks(Ranks):
    """The processes of MPI's world communicator."""

    def __init__(self) -> None:
        from mpi4py import MPI

        self._mpi = MPI
        self._world = MPI.COMM_WORLD
        # Of its own, so that a rank which failed never meets what the others are just at.
        self._failed = MPI.COMM_WORLD.Dup()
        self.rank, self.size = self._world.rank, self._world.size
        mine = cores()
        node = self._world.Split_type(MPI.COMM_TYPE_SHARED)
        self.sharing = sum(not mine.isdisjoint(others) for others in node.allgather(mine))

    def sum(self, buffer: Array) -> None:
        self._world.Allreduce(self._mpi.IN_PLACE, buffer)

    def broadcast(self, value: T) -> T:
        got: T = self._world.bcast(value)
        return got

    def any(self, flag: bool) -> bool:
        return bool(self._world.allreduce(flag, self._mpi.LOR))

    def first(self, job: Callable[[], T]) -> T:
        done = self._world.bcast(_attempt(job) if self.rank == 0 else None)
        if isinstance(done, RnnkitError):
            raise done
        got: T = done
        return got

    def all_failed(self) -> bool:
        """Whether all ranks call this, within a second."""
        request, end = self._failed.Ibarrier(), time.monotonic() + _PATIENCE
        while not request.Test():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def abort(self, code: int) -> NoReturn:
        """End all ranks at once."""
        self._world.Abort(code)
        raise SystemExit(code)


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
        ranks = MPIRanks()
    except (ImportError, RuntimeError) as e:
        raise RnnkitError(
            'training in more than one process needs mpi4py and an MPI: pip install "rnnkit[mpi]", '
            f"and start it with that MPI's mpiexec ({e})"
        ) from e
    if ranks.size != started:
        raise RnnkitError(
            f"{started} processes were started, but mpi4py's MPI knows of {ranks.size}: the mpiexec is "
            "another MPI's; start them with its own"
        )
    try:
        yield ranks
    except BaseException as e:
        if not ranks.all_failed():
            text, code = _told(e)
            print(f"rank {ranks.rank} of {ranks.size}: {text}", file=sys.stderr, flush=True)
            ranks.abort(code)
        if ranks.rank == 0:
            raise
        raise SystemExit(0) from e


def _attempt(job: Callable[[], T]) -> T | RnnkitError:
    """What it returns, or raises for the user to mend."""
    try:
        return job()
    except RnnkitError as e:
        return e


def _started(environment: Mapping[str, str]) -> int:
    """How many processes an MPI launcher has started with this one; 1 if none has."""
    sizes = [environment[name] for name in _SIZES if name in environment]
    if "PMIX_RANK" in environment:  # Slurm's launcher; a batch script has the other variable, too
        sizes.append(environment.get("SLURM_STEP_NUM_TASKS", "1"))
    return max([1, *(int(size) for size in sizes if size.isdecimal())])


def _told(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    import traceback

    if isinstance(error, RnnkitError):
        return str(error), 2
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    return "".join(traceback.format_exception(error)).rstrip(), 1
