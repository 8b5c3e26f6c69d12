"""Contenders in processes of their own, taking turns.

One process would not do: the idle threads of one library go on spinning for a while after each product, and slow
down whoever comes next. So each has its own, only one works at any time, and there is a pause between.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, Protocol

from rnnkit.system.process import HOLDING_BACK

ROOT: Final = Path(__file__).parents[1]
FREE: Final = {k: v for k, v in os.environ.items() if k not in HOLDING_BACK}
"""The environment of every contender: nothing in it holds its matrix products to an old kernel."""

PATIENCE: Final = 5.0
"""Seconds that a worker has to end."""


class WorkerError(Exception):
    """A contender has failed; the text is the last that it said."""


class Timed(Protocol):
    """Who can be timed."""

    def seconds(self, count: int) -> float:
        """Mean time of a run, over `count` of them."""
        ...


class Worker:
    """A contender in its process; see `benchmarks.worker`. It starts at once, and is waited for at the first
    question."""

    def __init__(self, name: str, task: Path, threads: int, says: IO[str]) -> None:
        self.name = name
        self._says = says
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name, str(task), str(threads)],
            cwd=ROOT,
            env=FREE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=says,
            text=True,
        )

    def result(self, i: int) -> Any:
        """What it makes of batch i."""
        return self._ask(f"result {i}")

    def seconds(self, count: int) -> float:
        """Mean time of a run, over `count` of them."""
        return float(self._ask(f"seconds {count}"))

    def last(self) -> Any:
        """What its last run made of its batch."""
        return self._ask("last")

    def memory(self) -> dict[str, int]:
        """Bytes: `imported`, resident after the imports, and `peak`."""
        return dict(self._ask("memory"))

    def kernel(self) -> str:
        """Which library makes its matrix products, and how."""
        return str(self._ask("kernel"))

    def close(self) -> None:
        """End the process: by itself, since it may have children, or else by force."""
        try:
            self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _ask(self, question: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        answer = ""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            self._process.wait()
            self._says.seek(0)
            lines = self._says.read().strip().splitlines()
            raise WorkerError(f"{self.name}: {lines[-1] if lines else 'ended without a word'}")
        return json.loads(answer)


@contextlib.contextmanager
def workers(names: Iterable[str], task: Path, threads: int) -> Iterator[dict[str, Worker]]:
    """A process for each contender, on the same task; ended afterwards."""
    with contextlib.ExitStack() as stack:
        started = {}
        for name in names:
            says = stack.enter_context(
                tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
            )
            started[name] = Worker(name, task, threads, says)
            stack.callback(started[name].close)
        yield started


def take_turns(
    contenders: Mapping[str, Timed], rounds: int, steps: int, pause: float
) -> dict[str, list[float]]:
    """Contender -> seconds a run in each round; `steps` runs in a row make a turn."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            time.sleep(pause)
            times[name].append(contender.seconds(steps))
    return times
