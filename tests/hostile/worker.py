"""One input after the other, each in a process forked off this one, and what it did."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Final

import attrs

from rnnkit.kinds import KINDS as KINDS_OF_PLUGINS
from rnnkit.registry import entry_points, names
from tests.hostile import arguments, folders, plugins, specs
from tests.hostile.case import OUT, Base, Case

COMMANDS: Final = (
    "cli", "training", "training.comparing", "training.folders", "network.checkpoint", "captioning", "captioning.exporting",
    "metrics.scoring", "data.preparing.prepare", "data.looking.figure", "describing.summary", "describing.report", "testing",
)  # fmt: skip
"""Modules of the commands."""

SECONDS: Final = 10.0
"""Of the processor, that an input may take; of the clock it may take six times as many, as others work here, too."""

BYTES: Final = 2 * 10**9
ROOM: Final = 6 * 10**9
"""Addresses that a process may have, so that no input takes the machine down; beyond `BYTES` used, it is told."""

KINDS: Final[Mapping[str, Callable[[Random, Path, Base], Case]]] = {
    "spec": specs.make,
    "arguments": arguments.make,
    "data": folders.data,
    "model": folders.model,
    "captions": folders.prepare,
    "plugins": plugins.make,
}


@attrs.frozen
class Outcome:
    """What came of an input.

    Attributes:
        kind: of the input.
        number: of the input; with the seed it makes it again.
        label: what was wrong.
        call: the arguments.
        code: of the exit; negative for a signal.
        said: the end of standard error.
        faults: what must not have happened.
        accepted: whether it ended well, with the reason for that if there is one.
    """

    kind: str
    number: int
    label: str
    call: str
    code: int
    said: str
    faults: tuple[str, ...]
    accepted: str | None
    seconds: float


def warm() -> None:
    """Import what commands import, and look at all plugins, so that no fork has to."""
    for name in COMMANDS:
        importlib.import_module(f"rnnkit.{name}")
    for kind in KINDS_OF_PLUGINS:
        names(kind)


def once(kind: str, number: int, seed: int, base: Base, room: Path) -> Outcome:
    """Make an input, run it, and judge it.

    Args:
        kind: of `KINDS`.
        number: of the input.
        seed: of all inputs.
        base: what it is made of.
        room: a folder for it alone, which is made and removed.
    """
    shutil.rmtree(room, ignore_errors=True)
    (room / "tmp").mkdir(parents=True)
    case = KINDS[kind](Random(f"{seed} {kind} {number}"), room, base)
    before = _files(base.spec.parent, room)
    begun = time.monotonic()
    child = os.fork()
    if not child:
        _run(case, room)
    code, usage, late = _ended(child)
    seconds = time.monotonic() - begun
    said = _text(room / "tmp" / "stderr")
    faults = list(_faults(code, usage, late, said + _text(room / "tmp" / "stdout")))
    changed = sorted({name for name, _ in before ^ _files(base.spec.parent, room)})
    faults += [f"changed {name}" for name in changed[:3]]
    accepted = case.fine if code == 0 else None
    shutil.rmtree(room, ignore_errors=True)
    call = " ".join(arg if len(arg) < 100 else f"{arg[:100]}.." for arg in case.args)
    return Outcome(
        kind, number, case.label, call, code, said[-400:], tuple(faults), accepted, seconds
    )


def _run(case: Case, room: Path) -> None:
    """In the fork: never returns."""
    code = 99
    try:
        os.chdir(room)
        os.environ["TMPDIR"] = str(room / "tmp")
        resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(room / "tmp" / name, os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        if case.path:
            sys.path[:0] = [str(path) for path in case.path]
            importlib.invalidate_caches()
            for looked in vars(entry_points).values():
                getattr(looked, "cache_clear", int)()
        sys.argv = ["rnnkit", *case.args]
        from rnnkit.cli import main

        main()
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _ended(child: int) -> tuple[int, resource.struct_rusage, bool]:
    """Exit code, what was used, and whether it had to be ended."""
    end, late = time.monotonic() + 6 * SECONDS, False
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), usage, late
        if time.monotonic() > end and not late:
            late = True
            os.kill(child, signal.SIGKILL)
        time.sleep(0.003)


def _faults(code: int, usage: resource.struct_rusage, late: bool, said: str) -> list[str]:
    faults = []
    if late or usage.ru_utime + usage.ru_stime > SECONDS:
        faults.append("too long")
    if usage.ru_maxrss * 1024 > BYTES:
        faults.append(f"{usage.ru_maxrss / 2**20:.1f} GiB")
    if code not in (0, 1, 2):
        faults.append(f"exit {code}")
    if "Traceback (most recent call last)" in said:
        faults.append("traceback")
    if "\x1b" in said or "\a" in said:
        faults.append("control characters")
    if "fault of rnnkit" in said:
        faults.append("fault of rnnkit")
    return faults


def _files(*roots: Path) -> set[tuple[str, object]]:
    """All files and what tells that one is changed, but outputs and the room's own."""
    found: set[tuple[str, object]] = set()
    for root in roots:
        for folder, below, there in os.walk(root):
            if Path(folder) == root:
                below[:] = [b for b in below if b != "tmp" and not b.startswith(OUT)]
                there = [n for n in there if not n.startswith(OUT)]
            below[:] = [b for b in below if b != "__pycache__"]
            for name in there:
                stat = os.lstat(os.path.join(folder, name))
                found.add((f"{os.path.basename(folder)}/{name}", (stat.st_size, stat.st_mtime_ns)))
    return found


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""


def plain(said: str) -> str:
    """A sentence without what differs from input to input."""
    line = (said.strip().splitlines() or [""])[-1]
    return re.sub(r"\d+", "N", re.sub(r"'[^']*'|\"[^\"]*\"|\S*/\S*", "..", line))[:160]
