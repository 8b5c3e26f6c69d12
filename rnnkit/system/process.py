"""The process that rnnkit runs in: its threads, and what they do.

rnnkit cuts large work into pieces: matrix products, which NumPy's OpenBLAS computes (`rnnkit.system.blas`), and work on
each element, which NumPy does on one thread by itself. There are as many pieces as the process may have threads; that
many work at a time, or fewer while other programs keep cores busy (`rnnkit.system.beside`). How work is cut stays the
same through a run. So no bit of a result depends on who else is there.

OpenBLAS's threads spin for a tenth of a second after a product, in the way of all others, unless it is told otherwise
before NumPy is imported. So it is the program that decides, once, at its start:

    from rnnkit.parallel import settle

    settle()  # before anything imports NumPy

The commands `rnnkit train`, `caption` and the like do so. Without it all works the same, but work on each element
takes one thread.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from rnnkit.system import blas
from rnnkit.system.beside import Beside
from rnnkit.system.cores import cores, count

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")

GRAIN: Final = 1 << 16
"""Elements that a piece must have at least: handing it to another thread takes time, too."""

THREAD_LIMITS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What users limit the threads of numerical libraries with; rnnkit keeps to it too."""

HOLDING_BACK: Final = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""What makes OpenBLAS take another kernel than the processor's, or other blocks than fit its cache."""

_MALLOC_VARIABLES: Final = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


class Threads(NamedTuple):
    """Those of this process.

    Attributes:
        cuts: into how many pieces work is cut at most.
        free: how many of them may be worked on at a time.
        elementwise: whether work on each element is, too.
        asked: whether the user has said how many.
    """

    cuts: int
    free: Callable[[], int]
    elementwise: bool
    asked: bool = False


_threads: Threads | None = None
_pool: ThreadPoolExecutor | None = None


def settle(sharing: int = 1, *, keep_freed: bool = True) -> None:
    """Prepare the process for speed; call it before anything imports NumPy, else it changes nothing.

    - OpenBLAS's threads sleep when they have nothing to do (`OPENBLAS_THREAD_TIMEOUT`), and work takes as many threads
      as there are cores, but for those that other programs keep busy; or as `OMP_NUM_THREADS` and the like say.
    - Processes that share their cores take their part of them, and those in a container what its quota pays for
      (`OMP_NUM_THREADS`).
    - Freed arrays of up to 32 MiB stay with the process (glibc's `mallopt`): getting the same memory back
      from the system at every training step costs a few percent of it.

    What the user has set in the environment stays as it is.

    Args:
        sharing: processes, this one included, that work on this one's cores.
        keep_freed: False for a process that lives long and seldom needs much memory.
    """
    global _threads
    if "numpy" in sys.modules:
        return
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    _threads = _begin(sharing, elementwise=True)
    shared = sharing > 1 or _threads.cuts < len(cores())
    if shared and not any(name in os.environ for name in THREAD_LIMITS):
        os.environ["OMP_NUM_THREADS"] = str(_threads.cuts)
    if not any(name in os.environ for name in _MALLOC_VARIABLES):
        if keep_freed:
            _keep_freed_memory(below=32 << 20, in_all=512 << 20)
        else:  # else glibc keeps more and more of it by itself
            _keep_freed_memory(below=1 << 20, in_all=1 << 20)


def _begin(sharing: int = 1, *, elementwise: bool = False) -> Threads:
    most, asked = allowed_threads(sharing), bool(limits())
    return Threads(most, (lambda: most) if asked else Beside(most).threads, elementwise, asked)


def threads() -> Threads:
    """The threads of this process."""
    global _threads
    if _threads is None:
        _threads = _begin()
    return _threads


@contextlib.contextmanager
def cut_into(count: int) -> Iterator[None]:
    """Work is cut into so many pieces in the block, however many threads there are for them.

    NumPy's own products take as many threads: their bits depend on that.
    """
    global _threads
    before = threads()
    _threads = before._replace(cuts=count)
    try:
        with blas.on(count):
            yield
    finally:
        _threads = before


def allowed_threads(sharing: int = 1) -> int:
    """How many threads a process may take that shares its cores with others; what the user allows goes first."""
    given = limits()
    return max(1, min(count(), *given) if given else count() // sharing)


def limits() -> list[int]:
    """How many threads the user allows, as variables of the environment say it."""
    return [int(given) for name in THREAD_LIMITS if (given := os.environ.get(name, "")).isdecimal()]


def held_back(environment: Mapping[str, str]) -> list[str]:
    """The variables, as NAME=VALUE, that may hold matrix products back: `rnnkit doctor` measures what they cost."""
    return [f"{name}={environment[name]}" for name in HOLDING_BACK if environment.get(name)]


def pieces(rows: int, row_size: int) -> list[slice]:
    """Slices that together are all `rows`, as many as work is cut into, or as are large enough.

    Args:
        rows: how many there are.
        row_size: elements of work that a row is.
    """
    ends = bounds(rows, min(threads().cuts, max(1, rows * row_size // GRAIN)))
    return list(itertools.starmap(slice, itertools.pairwise(ends)))


def bounds(rows: int, count: int) -> list[int]:
    """Where pieces of about the same length begin and end, so many or one of each row; [0] of no rows."""
    count = min(count, rows)
    return [rows * i // count for i in range(count + 1)] if count else [0]


def together(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run independent jobs on this thread and others, each of which takes the next one; their results, in order.

    It returns when all have ended, and raises what the first that failed has raised. It does not wait for a thread
    that has not begun when nothing is left to do, for another program may have its core.
    """
    mine = threads()
    helpers = min(mine.free(), len(jobs)) - 1 if mine.elementwise and len(jobs) > 1 else 0
    if helpers < 1:
        return [job() for job in jobs]
    results: dict[int, T] = {}
    failed: dict[int, BaseException] = {}
    turn = itertools.count()

    def work() -> None:
        while (i := next(turn)) < len(jobs):
            try:
                results[i] = jobs[i]()
            except BaseException as error:
                failed[i] = error

    # NumPy keeps its error handling in the context.
    others = [_executor().submit(contextvars.copy_context().run, work) for _ in range(helpers)]
    work()
    for other in others:
        if not other.cancel():
            other.result()
    if failed:
        raise failed[min(failed)]
    return [results[i] for i in range(len(jobs))]


def _executor() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        from concurrent.futures import ThreadPoolExecutor

        _pool = ThreadPoolExecutor(max(1, threads().cuts - 1), thread_name_prefix="rnnkit")
    return _pool


def _forget_pool() -> None:
    """Threads do not live on in a forked process."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def _keep_freed_memory(below: int, in_all: int) -> None:
    """Have memory stay with the process that was freed: of arrays below so many bytes, and at most so much in all."""
    import ctypes

    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # the names in glibc's malloc.h
    with contextlib.suppress(AttributeError, OSError, TypeError):  # not glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, below)
        mallopt(M_TRIM_THRESHOLD, in_all)
