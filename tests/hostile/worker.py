"""One input after the other: made, run, and judged."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Final, NoReturn

import attrs

from tests.hostile import (
    arguments,
    courses,
    folders,
    photos,
    places,
    plugins,
    servers,
    specs,
    weights,
)
from tests.hostile.accepted import reason_of
from tests.hostile.case import OUT, Base, Case
from tests.hostile.fork import Ended, run

SECONDS: Final = 10.0
"""Of the processor, that an input may take."""

DEVICES: Final = ("/dev/null", "/dev/zero")
"""Outputs are told to go there, and must leave them what they are."""

BYTES: Final = 2 * 10**9
"""Of memory."""

KINDS: Final[Mapping[str, Callable[[Random, Path, Base], Case]]] = {
    "spec": specs.make,
    "arguments": arguments.make,
    "data": folders.data,
    "model": folders.model,
    "captions": folders.prepare,
    "photos": photos.make,
    "places": places.make,
    "plugins": plugins.make,
    "courses": courses.make,
    "weights": weights.make,
    "servers": servers.make,
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
        accepted: why it ended well though it is nonsense, empty if nobody knows; None if it did not, or is none.
        seconds: of the processor that it took.
        memory: bytes that it took at most.
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
    memory: int


def once(kind: str, number: int, seed: int, base: Base, rooms: Path) -> Outcome:
    """Make an input, run it, and judge it.

    Args:
        kind: of `KINDS`.
        number: of the input.
        seed: of all inputs.
        base: what it is made of.
        rooms: a folder for such folders, in which this process makes and removes one.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)  # nobody waits for it
    room = rooms / f"room{os.getpid()}"
    shutil.rmtree(room, ignore_errors=True)
    (room / "tmp").mkdir(parents=True)
    case = KINDS[kind](Random(f"{seed} {kind} {number}"), room, base)
    before = _files(base.spec.parent, room)
    ended = run(case, room)
    out, err = (_text(room / "tmp" / name) for name in ("stdout", "stderr"))
    faults = [*_faults(ended, err + out)]
    printed = case.args[:1] == ("schema",) and "--out" not in case.args
    in_json = "--json" in case.args or printed
    if in_json and not ended.code and not _is_json(out):
        faults.append("no JSON")
    changed = sorted({name for name, _ in before ^ _files(base.spec.parent, room)})
    lost = [name for name in DEVICES if not stat.S_ISCHR(os.stat(name).st_mode)]
    faults += [f"changed {name}" for name in [*changed[:3], *lost]]
    shutil.rmtree(room, ignore_errors=True)
    call = " ".join(arg if len(arg) < 100 else f"{arg[:100]}.." for arg in case.args)
    return Outcome(
        kind,
        number,
        case.label,
        call,
        ended.code,
        err[-400:],
        tuple(faults),
        None if ended.code or not case.label else reason_of(kind, call, case.label),
        ended.seconds,
        ended.memory,
    )


def _faults(ended: Ended, said: str) -> Iterator[str]:
    if ended.late or ended.seconds > SECONDS:
        yield "too long"
    if ended.memory > BYTES:
        yield f"{ended.memory / 2**30:.1f} GiB"
    if ended.code not in (0, 1, 2):
        yield f"exit {ended.code}"
    if "Traceback (most recent call last)" in said:
        yield "traceback"
    if "\x1b" in said or "\a" in said:
        yield "control characters"
    if "fault of rnnkit" in said:
        yield "fault of rnnkit"


def _is_json(text: str) -> bool:
    """Whether it is JSON, in which there is no NaN and no Infinity."""

    def refuse(name: str) -> NoReturn:
        raise ValueError(name)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


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
                its = os.lstat(os.path.join(folder, name))
                found.add((f"{os.path.basename(folder)}/{name}", (its.st_size, its.st_mtime_ns)))
    return found


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""


def plain(said: str) -> str:
    """A sentence without what differs from input to input."""
    line = (said.strip().splitlines() or [""])[-1]
    return re.sub(r"\d+", "N", re.sub(r"'[^']*'|\"[^\"]*\"|\S*/\S*", "..", line))[:160]
