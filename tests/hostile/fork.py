"""A call of the command line in a process of its own, forked off this one, which has imported what calls import.

Starting Python and importing everything would take a hundred times as long as most calls.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import attrs

from rnnkit.kinds import KINDS as KINDS_OF_PLUGINS
from rnnkit.registry import names
from tests.hostile.case import Base, Case

ROOM: Final = 6 * 10**9
"""Bytes of addresses that a process may have, so that no call takes the machine down."""

PATIENCE: Final = 300
"""Seconds of the clock after which a call is ended, where others may be at work, too."""

_MODULES = "modules"
"""The file in which a call leaves what it has imported."""


@attrs.frozen
class Ended:
    """How a call ended.

    Attributes:
        code: of the exit; negative for a signal.
        seconds: of the processor.
        memory: bytes, at most.
        late: whether it had to be ended.
    """

    code: int
    seconds: float
    memory: int
    late: bool


def warm(base: Base, room: Path) -> None:
    """Import what calls import, and look at all plugins, so that no fork has to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the first process that hears of Ctrl-C
    own = room / f"warm{os.getpid()}"
    for number, args in enumerate(_calls(base)):
        room = own / str(number)
        (room / "tmp").mkdir(parents=True)
        run(Case("", args), room, report=True)
        for name in (room / "tmp" / _MODULES).read_text().split():
            with contextlib.suppress(Exception):  # some can only be imported by others
                importlib.import_module(name)
    for kind in KINDS_OF_PLUGINS:
        names(kind)
    gc.collect()
    gc.freeze()  # else each fork would copy all that the collector looks at


def _calls(base: Base) -> Sequence[tuple[str, ...]]:
    """A good call of each command that inputs are made for."""
    run, data, spec = str(base.run), str(base.data), str(base.spec)
    return (
        ("train", spec, "--out", "out", "--set", "train.epochs=1"),
        ("build", spec, "--json"),
        ("caption", run, "--n", "1"),
        ("eval", run, "--n", "1"),
        ("data", "show", data, "--n", "1", "--out", "out.png"),
        ("data", "prepare", "--captions", f"{data}/captions_val.json", "--features", f"{data}/features_val.h5", "--out", "out"),
        ("data", "info", data),
        ("report", run, "--out", "out.html"),
        ("export", run, "out.safetensors"),
        ("compare", spec, "--seeds", "1", "--out", "out", "--set", "train.epochs=1"),
        ("plugins", "list"),
        ("plugins", "show", "lstm"),
        ("gradcheck", "tanh"),
        ("gradcheck", "no.py", "--assignment", "ie590", "--json"),
        ("grade", "no", "--assignment", "ie590", "--out", "out"),
        ("import", f"{run}/weights.safetensors", spec, "--out", "out.h5"),
        ("train", spec, "--from", run, "--out", "out", "--set", "train.epochs=1"),
        ("schema",),
        ("data", "fetch", "coco2014", "out", "--url", "http://127.0.0.1:1/"),
        ("new", "out.toml"),
        ("runs", str(base.run.parent)),
    )  # fmt: skip


def run(case: Case, room: Path, *, report: bool = False) -> Ended:
    """Run a call in a folder, whose tmp/ gets its stdout and its stderr.

    Args:
        case: the call.
        room: an empty folder, but for what is the case's.
        report: have it leave the names of the modules that it has imported.
    """
    server = _serving(case)
    child = os.fork()
    if not child:
        _run(case, room, report)
    late: list[int] = []

    def end(*_: object) -> None:
        late.append(child)
        os.kill(child, signal.SIGKILL)

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(PATIENCE)
    try:
        _, status, usage = os.wait4(child, 0)
    finally:
        signal.alarm(0)
        if server:
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)
        signal.signal(signal.SIGALRM, before)
    return Ended(
        os.waitstatus_to_exitcode(status),
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * 1024,
        bool(late),
    )


def _serving(case: Case) -> int:
    """The process of the case's server; 0 if it has none."""
    if case.listening is None:
        return 0
    child = os.fork()
    if not child:
        try:
            case.serve(case.listening)
        finally:
            os._exit(0)
    case.listening.close()
    return child


def _run(case: Case, room: Path, report: bool) -> NoReturn:
    """In the fork."""
    code = 99
    known = {*sys.modules}
    try:
        os.chdir(room)
        os.environ |= {"TMPDIR": str(room / "tmp"), "HOME": str(room)}
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(room / "tmp" / name, os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        case.prepare()
        sys.argv = ["rnnkit", *case.args]
        from rnnkit.cli import main

        main()
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        if report:
            (room / "tmp" / _MODULES).write_text(
                "\n".join(m for m in sys.modules if m not in known)
            )
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
