"""Functions of a submission, called from the judge's process: arrays go there and come back, and nothing else does."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from rnnkit.testing.example import Broken
from rnnkit.testing.functions.assignment import Task
from rnnkit.testing.grading.inside import wire
from rnnkit.testing.grading.place import DISK, Place

HEARD: Final = 10_000
"""Bytes of what a submission prints that are kept."""
_PATIENCE: Final = 3.0
"""How many times longer than its processor time a task may take: others may work on the same cores."""
_START: Final = 60.0
"""Seconds in which Python and NumPy are there."""


class Ended(Exception):
    """The process of a submission has ended, or had to be ended; the message says how."""


class Remote:
    """The process of a submission; it is started again where it has ended."""

    def __init__(self, place: Place, memory: int) -> None:
        self._place, self._memory = place, memory
        self._process: subprocess.Popen[bytes] | None = None
        self._answers = -1
        self._until = 0.0
        self.heard = b""
        self.locked: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()

    @contextlib.contextmanager
    def task(
        self, task: Task, module: str, forward: str, backward: str, seed: int
    ) -> Iterator[Functions]:
        """The functions of a task, while the block runs; of a plugin class, its cases.

        Raises:
            Ended: the submission cannot be imported, or has ended.
        """
        names = {"forward": forward, "backward": backward, "plugin": task.is_plugin, "seed": seed}
        first = self._begin(names, module, task.seconds)
        if "error" in first:
            self._ended()
            raise Ended(f"importing {module} raises {first['error']}")
        yield Functions(self, first.get("parameters"), task)
        self._write(wire.pack({"do": "end"}))
        self._ended()

    def explain(self, module: str, what: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """What the process says of a task that is wrong.

        Raises:
            Ended: it has ended instead.
        """
        answer: dict[str, Any] = self._begin(
            {"forward": "", "backward": "", "explain": what}, module, seconds
        )
        with contextlib.suppress(Ended):
            self._ended()
        return answer

    def ask(self, request: Any, arrays: Sequence[Any]) -> tuple[Any, list[Any]]:
        """One answer to one request.

        Raises:
            Ended: the process has ended instead.
        """
        self._write(wire.pack(request, arrays))
        return self._answer()

    def _begin(self, request: dict[str, Any], module: str, seconds: float) -> Any:
        if self._process is None or self._process.poll() is not None:
            self._start()
        wall = _PATIENCE * seconds + 5.0
        self._until = time.monotonic() + wall + 10.0
        self._write(wire.pack({**request, "module": module, "seconds": seconds, "wall": wall}))
        answer, _ = self._answer()
        self.locked = [str(text)[:200] for text in answer.get("locked", self.locked)]
        return answer

    def _answer(self) -> tuple[Any, list[Any]]:
        try:
            answer, arrays = wire.unpack(self._read)
        except wire.Garbled as e:
            self._kill()
            raise Ended(f"it has broken the connection to the judge ({e})") from e
        if not isinstance(answer, dict):
            self._kill()
            raise Ended("it has broken the connection to the judge")
        if "ended" in answer:
            raise Ended(_ended_in_words(str(answer["ended"])))
        return answer, arrays

    def _ended(self) -> None:
        """Wait until a fork that has been told to end has done so."""
        with contextlib.suppress(Ended):
            self._answer()
            self._kill()  # it has answered something else

    def _read(self, size: int) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0 or not select.select([self._answers], [], [], left)[0]:
            self._kill()
            raise Ended(_ended_in_words("time"))
        return os.read(self._answers, size)

    def _write(self, data: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError:
            return  # the answer, or that there is none, will say why

    def _start(self) -> None:
        self._kill()
        self._answers, theirs = os.pipe()
        inside = Path(__file__).parent
        begin = "import sys; sys.path.insert(0, sys.argv[1]); from inside.serve import main; main(sys.argv[2])"
        command = [sys.executable, "-I", "-B", "-X", "utf8", "-c", begin, str(inside)]
        self._process = subprocess.Popen(
            [*command, json.dumps(self._place.config(theirs, self._memory))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[theirs],
            env=self._place.environment,
            cwd=self._place.scratch,
            start_new_session=True,
        )
        os.close(theirs)
        threading.Thread(target=self._hear, args=(self._process,), daemon=True).start()

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        """Keep the beginning of what is printed, and let the rest go."""
        assert process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            while part := process.stdout.read1(1 << 16):  # type: ignore[attr-defined]  # a BufferedReader
                self.heard += part[: max(0, HEARD - len(self.heard))]

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        os.close(self._answers)


class Functions:
    """Forward and backward of a task, as the harness calls functions."""

    def __init__(self, remote: Remote, parameters: Any, task: Task) -> None:
        self._remote, self._task = remote, task
        named = parameters if isinstance(parameters, list) else []
        self._parameters = [str(p) for p in named if str(p).isidentifier()]

    def forward(self, **arguments: Any) -> Any:
        """What forward returns; its cache is a number, by which backward finds it."""
        arrays: list[Any] = []
        plain = {k: v for k, v in arguments.items() if not isinstance(v, np.ndarray)}
        named = [
            [k, wire.described(v, arrays)]
            for k, v in arguments.items()
            if isinstance(v, np.ndarray)
        ]
        request = {"do": "go_forward", "named": named, "plain": plain, "whole": self._task.loss}
        answer, returned = self._ask(request, arrays, "forward")
        for name in answer.get("changed", ()):
            raise Broken(
                "inputs unchanged", f"forward changes its input {name!r} in place", "forward"
            )
        if "outputs" in answer:
            return (*wire.restored(answer["outputs"], returned), {"cache": int(answer["cache"])})
        return wire.restored(answer.get("returned"), returned)

    @property
    def backward(self) -> Any:
        """Called as backward is; it says which parameters it has."""
        return _Backward(self)

    @property
    def parameters(self) -> Sequence[str]:
        """Of backward."""
        return self._parameters

    def back(
        self, cotangents: Sequence[Any], cache: Mapping[str, Any], plain: Mapping[str, Any]
    ) -> Any:
        """What backward returns."""
        request = {"do": "go_backward", "cache": cache["cache"], "plain": dict(plain)}
        answer, returned = self._ask(request, [np.asarray(c) for c in cotangents], "backward")
        if answer.get("changed"):
            raise Broken("inputs unchanged", "backward changes the gradient it is given")
        return wire.restored(answer.get("returned"), returned)

    def _ask(self, request: Any, arrays: Sequence[Any], which: str) -> tuple[Any, list[Any]]:
        answer, returned = self._remote.ask(request, arrays)
        if "error" in answer:
            law = "written" if answer.get("unwritten") else "runs"
            told = "is not written yet:" if law == "written" else "raises"
            text = f"{which} {told} {str(answer['error'])[:1000]}"
            raise Broken(law, text, "forward" if which == "forward" else "backward")
        return answer, returned


class _Backward:
    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, kind) for name in functions.parameters]
        self.__signature__ = inspect.Signature(parameters)

    def __call__(self, *given: Any, **plain: Any) -> Any:
        *cotangents, cache = given
        return self._functions.back(cotangents, cache, plain)


def _ended_in_words(why: str) -> str:
    if why == "time":
        return "it took more time than it may (an endless loop?)"
    if why == "disk":
        return f"it wrote more than {DISK // 1_000_000} MB"
    if why.startswith("-"):
        with contextlib.suppress(ValueError):
            return f"its process was ended by {signal.Signals(-int(why)).name}"
    return f"it ended its process, with code {why[:20]}"
