"""The process of a submission: for each task a fork of it is locked, imports the submission, and does as it is asked.

It is started with one argument, a table in JSON; requests come on standard input, answers go to a descriptor of their own.
This process runs no line of the submission itself, so that it can tell how a fork has ended.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import io
import json
import os
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import lock, wire

_KEPT = 8
"""Caches that are kept for backward."""


class Server:
    """Answers requests about one submission."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.requests = io.FileIO(0, closefd=False)
        self.answers = io.FileIO(config["answers"], "w", closefd=False)
        self.locked: list[str] = []

    def run(self) -> None:
        """Until there are no more requests."""
        lock.die_with_parent()
        for name in self.config["imports"]:
            importlib.import_module(name)
        for name in [n for n in sys.modules if n.partition(".")[0] in self.config["hidden"]]:
            del sys.modules[name]  # a submission must not find solutions there
        sys.path[:] = self.config["path"]
        sys.meta_path[:] = [
            f for f in sys.meta_path if getattr(f, "__module__", "").startswith("_frozen")
        ]
        files = lock.lock_files(self.config["readable"], [self.config["scratch"]])
        self.locked = [files] if files else []
        gc.freeze()
        while True:
            try:
                request, _ = wire.unpack(self.requests.read)
            except wire.Garbled:
                return
            self._forked(request)

    def _forked(self, request: dict[str, Any]) -> None:
        self._clear()
        child = os.fork()
        if not child:
            try:
                Task(self, request).run()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(97)  # whatever the submission has put into the way of an end
        why = self._watched(child, request["wall"])
        self.send({"ended": why})

    def _watched(self, child: int, wall: float) -> str:
        """Wait for a fork, and end one that takes too long or writes too much; how it has ended."""
        until, why = time.monotonic() + wall, []

        def look(*_: object) -> None:
            if time.monotonic() > until:
                why.append("time")
            elif self._written() > self.config["disk"]:
                why.append("disk")
            if why:
                os.kill(child, signal.SIGKILL)

        signal.signal(signal.SIGALRM, look)
        signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
        _, status = os.waitpid(child, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if why:
            return why[0]
        code = os.waitstatus_to_exitcode(status)
        return {-signal.SIGXCPU: "time", -signal.SIGKILL: "time", -signal.SIGXFSZ: "disk"}.get(
            code, str(code)
        )

    def _clear(self) -> None:
        """What the task before has written is gone."""
        for entry in os.scandir(self.config["scratch"]):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)

    def _written(self) -> int:
        total = 0
        for folder, _, files in os.walk(self.config["scratch"]):
            for file in files:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(folder, file)).st_size
        return total

    def send(self, message: object, arrays: Sequence[Any] = ()) -> None:
        data = memoryview(wire.pack(message, arrays))
        while data:
            data = data[self.answers.write(data) :]


class Task:
    """A fork, in which the submission runs."""

    def __init__(self, server: Server, request: dict[str, Any]) -> None:
        self.server, self.request = server, request
        self.caches: dict[int, object] = {}
        self.forward: Any = None
        self.backward: Any = None

    def run(self) -> None:
        config = self.server.config
        lock.die_with_parent()
        lock.limit(config["memory"], config["disk"])
        lock.limit_time(self.request["seconds"])
        calls = lock.lock_calls()
        os.chdir(config["scratch"])
        warnings.simplefilter("ignore")  # the judge calls with complex numbers, too
        locked = self.server.locked + ([calls] if calls else [])
        sys.path[:0] = _folders(config["path"][0], self.request["module"])
        try:
            module = importlib.import_module(self.request["module"])
        except BaseException as e:
            self.server.send({"error": _in_words(e), "locked": locked})
            return
        if "explain" in self.request:
            self.server.send(self.explained(module))
            return
        self.forward = getattr(module, self.request["forward"], None)
        self.backward = getattr(module, self.request["backward"] or "", None)
        if self.request.get("plugin"):
            try:
                pair = importlib.import_module("rnnkit.testing.grading.plugins").pair
                self.forward, self.backward = pair(self.forward, self.request["seed"])
            except BaseException as e:
                self.server.send({"error": _in_words(e), "locked": locked})
                return
        self.server.send({"parameters": _parameters(self.backward), "locked": locked})
        while True:
            request, arrays = wire.unpack(self.server.requests.read)
            if request["do"] == "end":
                with contextlib.suppress(BaseException):
                    sys.stdout.flush()
                os._exit(0)
            values: list[Any] = []
            try:
                form = getattr(self, request["do"])(request, arrays, values)
                answer = wire.pack(form, values)
            except wire.Garbled as e:
                answer = wire.pack({"error": f"{request['do']}: {e}"})
            except BaseException as e:
                unwritten = isinstance(e, NotImplementedError)
                answer = wire.pack({"error": _in_words(e), "unwritten": unwritten})
            data = memoryview(answer)
            while data:
                data = data[self.server.answers.write(data) :]

    def go_forward(
        self, request: dict[str, Any], arrays: list[Any], values: list[Any]
    ) -> dict[str, Any]:
        given = {k: wire.restored(form, arrays) for k, form in request["named"]}
        given |= request["plain"]
        before = {k: a.copy() for k, a in given.items() if isinstance(a, np.ndarray)}
        returned = self.forward(**given)
        changed = [k for k, a in before.items() if given[k].tobytes() != a.tobytes()]
        if isinstance(returned, (tuple, list)) and len(returned) > 1 and not request["whole"]:
            *outputs, cache = returned
            handle = len(self.caches) and max(self.caches) + 1
            self.caches[handle] = cache
            self.caches.pop(handle - _KEPT, None)
            form = wire.described(tuple(outputs), values)
            return {"changed": changed, "outputs": form, "cache": handle}
        return {"changed": changed, "returned": wire.described(returned, values)}

    def go_backward(
        self, request: dict[str, Any], arrays: list[Any], values: list[Any]
    ) -> dict[str, Any]:
        given = [a.copy() for a in arrays]
        cache = _fresh(self.caches[request["cache"]])
        returned = self.backward(*given, cache, **request["plain"])
        same = all(a.tobytes() == b.tobytes() for a, b in zip(arrays, given, strict=True))
        return {"changed": not same, "returned": wire.described(returned, values)}

    def explained(self, module: object) -> Any:
        explain = importlib.import_module("rnnkit.testing.grading.explaining").explained
        try:
            return explain(module, self.request["explain"])
        except BaseException as e:
            return {"error": _in_words(e)}


def _folders(root: str, module: str) -> list[str]:
    """The folders above a module: students import what is beside their file, or beside its package."""
    found = [root]
    for name in module.split(".")[:-1]:
        found.append(os.path.join(found[-1], name))
    return found


def _fresh(cache: object) -> object:
    """The same arrays in lists and dicts of their own: backward may take them out of these one by one."""
    if isinstance(cache, list):
        return [_fresh(item) for item in cache]
    if isinstance(cache, dict):
        return {key: _fresh(item) for key, item in cache.items()}
    return tuple(map(_fresh, cache)) if type(cache) is tuple else cache


def _parameters(function: object) -> list[str] | None:
    if not callable(function):
        return None
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _in_words(error: BaseException) -> str:
    """What an error says, and the last line of the submission that it comes from."""
    try:
        said = f"{type(error).__name__}: {error}"[:600]
    except BaseException:
        said = type(error).__name__
    here = os.path.dirname(__file__)
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if not f.filename.startswith((here, "<frozen"))
        and f"{os.sep}numpy{os.sep}" not in f.filename
    ]
    return (
        f"{said} [{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}]" if frames else said
    )


def main(config: str) -> None:
    """Serve what the table says."""
    Server(json.loads(config)).run()
