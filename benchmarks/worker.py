"""One contender in a process of its own, which does what it is told, line by line.

    python -m benchmarks.worker CONTENDER TASK_FOLDER THREADS

Each line that it reads is answered by one line of JSON:

    result I      what the contender makes of batch I: a loss, or tokens
    seconds K     time of a run, the mean over K of them, batch after batch
    last          what the last run made of its batch
    memory        bytes resident after the imports, and at the peak
    kernel        which library makes the matrix products, and how
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import rnnkit.system.process
from benchmarks.contenders import CONTENDERS

if TYPE_CHECKING:
    from rnnkit.kinds.arrays import Ints

Run: TypeAlias = "Callable[[int], float | Ints | None]"
"""One run on batch i; what it makes of it, or None for bare products."""


def main(name: str, folder: str, threads: str) -> None:
    """Serve until the parent closes its end. Nothing imports NumPy before the process is set up."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is not for the parent
    os.sched_setaffinity(0, cores(int(threads)))
    contender = CONTENDERS[name]
    if contender.settled:
        rnnkit.system.process.settle()
    module = importlib.import_module(f"benchmarks.contenders.{contender.module}")
    from benchmarks.task import Task

    imported = resident("VmRSS")
    task = Task.read(Path(folder))
    run: Run = getattr(module, contender.start)(task)
    answer: object
    last: object = None
    for line in sys.stdin:
        match line.split():
            case ["result", i]:
                answer = last = run(int(i))
            case ["seconds", k]:
                answer, last = timed(run, int(k), len(task.batches))
            case ["last"]:
                answer = last
            case ["memory"]:
                answer = {"imported": imported, "peak": resident("VmHWM")}
            case ["kernel"]:
                from benchmarks.kernels import of_this_process

                answer = of_this_process()
            case _:
                raise ValueError(f"cannot do {line!r}")
        print(json.dumps(answer, default=lambda array: array.tolist()), file=answers, flush=True)


def timed(run: Run, count: int, batches: int) -> tuple[float, object]:
    """Mean time of a run, and what the last one made of its batch.

    If there are several, one goes before that does not count: whoever has waited for its turn finds nothing
    left of its own in the processor's cache.
    """
    last: object = None
    if count > 1:
        run(count % batches)
    began = time.perf_counter()
    for i in range(count):
        last = run(i % batches)
    return (time.perf_counter() - began) / count, last


def resident(field: str) -> int:
    """Bytes of memory in use (`VmRSS`), or at the peak (`VmHWM`)."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def cores(count: int) -> set[int]:
    """Processors that this process may use, as many as that, of different cores as far as there are."""
    allowed = sorted(os.sched_getaffinity(0))
    on_core: dict[str, int] = {}
    order = []
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = siblings.read_text() if siblings.exists() else str(cpu)
        on_core[core] = on_core.get(core, 0) + 1
        order.append((on_core[core], cpu))
    return {cpu for _, cpu in sorted(order)[:count]}


if __name__ == "__main__":
    main(*sys.argv[1:])
