"""The ranks of an MPI job. Importing this initializes MPI."""

from __future__ import annotations

import contextvars
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from mpi4py import MPI
from mpi4py.futures import MPICommExecutor

from rnnkit.errors import RnnkitError
from rnnkit.parallel.ranks import Ranks
from rnnkit.parallel.watch import Watched, start_watcher
from rnnkit.system.cores import cores

if TYPE_CHECKING:
    from rnnkit.kinds import Array

T = TypeVar("T")

_PATIENCE: Final = 1.0
"""Seconds that a rank which failed waits for the others to say that they failed, too."""

_TYPES: Final = {"f": MPI.FLOAT, "d": MPI.DOUBLE}
"""Of the arrays that ranks have shares of."""

_PULSE: Final = 5e-4
"""Seconds between two looks at a transfer that is under way: seldom enough to leave the core to the work beside it."""


class MPIRanks(Ranks):
    """The processes of MPI's world communicator.

    Attributes:
        overlaps: whether gradients are on their way while the backward pass goes on, as `RNNKIT_OVERLAP=1` asks for.
            It pays only where a network card moves them by itself: where MPI's own work does, in one memory or over
            TCP, that takes the cores from the backward pass.
    """

    def __init__(self) -> None:
        self._world = MPI.COMM_WORLD
        # Of its own, so that a rank which failed never meets what the others are just at.
        self._failed = MPI.COMM_WORLD.Dup()
        self.rank, self.size = self._world.rank, self._world.size
        node = self._world.Split_type(MPI.COMM_TYPE_SHARED)
        mine = cores()
        self.sharing = sum(not mine.isdisjoint(others) for others in node.allgather(mine))
        one_node = node.size == self.size
        self._stages, self.share = _stages(self._world, node)
        self._shares: list[int] = self._world.allgather(self.share)
        asked_for = os.environ.get("RNNKIT_OVERLAP") == "1"
        self.overlaps = asked_for and MPI.Query_thread() == MPI.THREAD_MULTIPLE
        self._poller = ThreadPoolExecutor(1, thread_name_prefix="rnnkit-mpi")
        watcher = start_watcher(self.size, one_node=one_node) if self.rank == 0 else None
        here = 0 in node.allgather(self.rank)
        self._watched = Watched(str(self), self._world.bcast(watcher), here=here)

    def sum(self, buffer: Array) -> None:
        self._world.Allreduce(MPI.IN_PLACE, buffer)

    def sum_shares(self, buffer: Array, share: Array) -> Callable[[], None]:
        if not self.overlaps:
            return partial(self._sum_shares, buffer, share, _Stage.sum)
        return self._poller.submit(self._sum_shares, buffer, share, _Stage.sum_aside).result

    def _sum_shares(
        self, buffer: Array, share: Array, way: Callable[[_Stage, Array, Array], None]
    ) -> None:
        *before, last = self._stages
        for stage in before:
            part = stage.room(buffer)
            way(stage, buffer, part)
            buffer = part
        way(last, buffer, share)

    def join_shares(self, buffer: Array) -> None:
        parts = [buffer]
        for stage in self._stages[:-1]:
            parts.append(stage.part(parts[-1]))
        for stage, part in zip(reversed(self._stages), reversed(parts), strict=True):
            stage.ranks.Allgather(MPI.IN_PLACE, part)

    def collect(self, share: Array, whole: Array) -> None:
        places = [place * len(share) for place in self._shares]
        into = (
            None
            if self.rank
            else [whole, [len(share)] * self.size, places, _TYPES[share.dtype.char]]
        )
        self._world.Gatherv(share, into)

    def copy(self, buffer: Array) -> None:
        self._world.Bcast(buffer)

    def broadcast(self, value: T) -> T:
        got: T = self._world.bcast(value)
        return got

    def any(self, flag: bool) -> bool:
        return bool(self._world.allreduce(flag, MPI.LOR))

    def first(self, job: Callable[[], T]) -> T:
        done = self._world.bcast(self._attempt(job) if self.rank == 0 else None)
        if isinstance(done, RnnkitError):
            raise done
        got: T = done
        return got

    def each(self, job: Callable[[], T]) -> list[T]:
        done: list[T | RnnkitError] = self._world.allgather(self._attempt(job))
        for value in done:
            if isinstance(value, RnnkitError):
                raise value
        return [value for value in done if not isinstance(value, RnnkitError)]

    def spread(self, job: Callable[[int], T], count: int) -> Iterator[tuple[int, T]]:
        error: RnnkitError | None = None
        pool: Any
        with _at_work_on(job, heeding=self.rank == 0), MPICommExecutor(self._world, 0) as pool:
            if pool is not None:
                try:
                    yield from _as_they_come([pool.submit(_do, k) for k in range(count)])
                except RnnkitError as e:
                    error = e
        error = self._world.bcast(error)
        if error is not None:
            raise error

    def _attempt(self, job: Callable[[], T]) -> T | RnnkitError:
        """What it returns, or raises for the user to mend; with the rank where its machine is the reason."""
        try:
            return job()
        except RnnkitError as e:
            return type(e)(f"{self}: {e}") if isinstance(e.__cause__, OSError) else e

    def all_failed(self) -> bool:
        """Whether all ranks call this, within a second."""
        request, end = self._failed.Ibarrier(), time.monotonic() + _PATIENCE
        while not request.Test():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def end(self) -> None:
        """Say that this rank will end, and well."""
        self._watched.done()

    def abort(self, code: int) -> NoReturn:
        """End all ranks at once, having told why."""
        self._watched.told()
        self._world.Abort(code)
        raise SystemExit(code)

    def __str__(self) -> str:
        return f"rank {self.rank} of {self.size} (on {socket.gethostname()})"


class _Stage:
    """Ranks that deal a buffer out among them: one part each."""

    def __init__(self, ranks: Any) -> None:
        self.ranks = ranks
        self._room: dict[tuple[int, str], Array] = {}

    def part(self, buffer: Array) -> Array:
        """Where this rank's part is in a buffer."""
        size = len(buffer) // self.ranks.size
        return buffer[self.ranks.rank * size : (self.ranks.rank + 1) * size]

    def room(self, buffer: Array) -> Array:
        """An array for the sum of that."""
        part = self.part(buffer)
        key = (len(part), part.dtype.char)
        if key not in self._room:
            self._room[key] = part.copy()
        return self._room[key]

    def sum(self, buffer: Array, part: Array) -> None:
        self.ranks.Reduce_scatter_block(buffer, part)

    def sum_aside(self, buffer: Array, part: Array) -> None:
        """The same, leaving the core to whoever else has something to do."""
        request = self.ranks.Ireduce_scatter_block(buffer, part)
        while not request.Test():  # MPI goes on with it only while it is called
            time.sleep(_PULSE)


def _stages(world: Any, node: Any) -> tuple[list[_Stage], int]:
    """Who deals a buffer out to whom, and which of its parts is then this rank's.

    First all ranks of a node, then those of all nodes that have the same number in theirs. So what a node sends to
    others is what one rank would, however many it has. Where nodes have different numbers of ranks, all at once.
    """
    sizes: list[int] = world.allgather(node.size)
    nodes = world.size // node.size
    if len(set(sizes)) > 1 or nodes == 1 or node.size == 1:
        return [_Stage(world.Dup())], world.rank
    peers = world.Split(node.rank)
    return [_Stage(node), _Stage(peers)], node.rank * nodes + peers.rank


_work: Callable[[int], Any] | None = None
"""What is spread: functions cannot be sent, but each rank has its own, and is sent numbers."""

_busy = False


def _do(number: int) -> Any:
    global _busy
    assert _work is not None
    _busy = True
    try:
        return _work(number)
    finally:
        _busy = False


@contextmanager
def _at_work_on(work: Callable[[int], Any], *, heeding: bool) -> Iterator[None]:
    """Have something to spread.

    Ctrl-C reaches all ranks, and it is for the first one to say what becomes of it: the others, unless they are
    `heeding`, are interrupted at work only, and else go on waiting.
    """
    global _work

    def interrupt(*_: object) -> None:
        if _busy:
            raise KeyboardInterrupt

    _work = work
    before = None if heeding else signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        _work = None
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _as_they_come(remote: Sequence[Future[T]]) -> Iterator[tuple[int, T]]:
    """The results of what other ranks do, or this one takes from them while they are busy."""
    done: queue.SimpleQueue[tuple[int, Future[T]]] = queue.SimpleQueue()
    over = threading.Event()

    def put(number: int, future: Future[T]) -> None:
        if not future.cancelled():
            done.put((number, future))

    def take() -> None:
        for number in reversed(range(len(remote))):
            if over.is_set():
                return
            if remote[number].cancel():
                own: Future[T] = Future()
                try:
                    own.set_result(_do(number))
                except BaseException as e:
                    own.set_exception(e)
                done.put((number, own))

    for number, future in enumerate(remote):
        future.add_done_callback(partial(put, number))
    # NumPy keeps its error handling in the context. Nothing waits for this thread at the end: after Ctrl-C it
    # may have long to go.
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(take,), name="rnnkit-spread", daemon=True).start()
    try:
        for _ in remote:
            number, future = done.get()
            yield number, future.result()
    finally:
        over.set()
        for future in remote:
            future.cancel()
