"""The process that rnnkit runs in: threads for elementwise work beside those of the matrix products.

NumPy's products run on all cores, its elementwise functions on one. rnnkit splits large elementwise work by
rows and runs the pieces on threads of its own. That pays only if the threads of the products sleep between
products, and OpenBLAS, NumPy's usual library for them, lets them spin for a tenth of a second unless it is
told otherwise before NumPy is imported. So it is the program that decides, once, at its start:

    from rnnkit.parallel import settle

    settle()  # before anything imports NumPy

The commands `rnnkit train`, `caption` and the like do so. Without it all works the same, on one thread
where it would have been several.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

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

_threads = 1
_pool: ThreadPoolExecutor | None = None


def settle(sharing: int = 1, *, keep_freed: bool = True) -> None:
    """Prepare the process for speed; call it before anything imports NumPy, else it changes nothing.

    - OpenBLAS's threads sleep when they have nothing to do (`OPENBLAS_THREAD_TIMEOUT`), and elementwise work
      takes as many threads as there are cores, or as `OMP_NUM_THREADS` and the like allow.
    - Processes that share their cores take their part of them, and those in a container what its quota pays for,
      products included (`OMP_NUM_THREADS`).
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
    _threads = allowed_threads(sharing)
    shared = sharing > 1 or _threads < len(cores())
    if shared and not any(name in os.environ for name in THREAD_LIMITS):
        os.environ["OMP_NUM_THREADS"] = str(_threads)
    if not any(name in os.environ for name in _MALLOC_VARIABLES):
        if keep_freed:
            _keep_freed_memory(below=32 << 20, in_all=512 << 20)
        else:  # else glibc keeps more and more of it by itself
            _keep_freed_memory(below=1 << 20, in_all=1 << 20)


def threads() -> int:
    """How many threads elementwise work may take; 1 unless the process is settled."""
    return _threads


def allowed_threads(sharing: int = 1) -> int:
    """How many threads a process may take that shares its cores with others; what the user allows goes first."""
    limits = [
        int(given) for name in THREAD_LIMITS if (given := os.environ.get(name, "")).isdecimal()
    ]
    return max(1, min(count(), *limits) if limits else count() // sharing)


def held_back(environment: Mapping[str, str]) -> list[str]:
    """The variables, as NAME=VALUE, that may hold matrix products back: `rnnkit doctor` measures what they cost."""
    return [f"{name}={environment[name]}" for name in HOLDING_BACK if environment.get(name)]


def pieces(rows: int, row_size: int) -> list[slice]:
    """Slices that together are all `rows`, as many as there are threads that they pay for.

    Args:
        rows: how many there are.
        row_size: elements of work that a row is.
    """
    count = min(_threads, rows, max(1, rows * row_size // GRAIN))
    bounds = [rows * i // count for i in range(count + 1)] if count else [0]
    return list(itertools.starmap(slice, itertools.pairwise(bounds)))


def together(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run independent jobs on this thread and others; their results, in order.

    It returns when all have ended, and raises what the first that failed has raised.
    """
    if len(jobs) < 2:
        return [job() for job in jobs]
    from concurrent.futures import Future, wait

    # NumPy keeps its error handling in the context.
    futures = [_executor().submit(contextvars.copy_context().run, job) for job in jobs[1:]]
    first: Future[T] = Future()
    try:
        first.set_result(jobs[0]())
    except BaseException as error:
        first.set_exception(error)
    wait(futures)
    return [future.result() for future in (first, *futures)]


def _executor() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        from concurrent.futures import ThreadPoolExecutor

        _pool = ThreadPoolExecutor(max(1, _threads - 1), thread_name_prefix="rnnkit")
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
