"""Whose fault it is: the plugin that raised an error, or returned what it must not, by name, package and line."""

from __future__ import annotations

import inspect
import os
import sysconfig
import traceback
from importlib.metadata import distributions
from pathlib import Path
from types import FrameType
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.errors import PluginFault, cut, told
from rnnkit.kinds import Plugin
from rnnkit.registry.entry_points import entry_of, packages_with_plugins

_OWN: Final = Path(__file__).parents[1]


def called(plugin: Plugin) -> str:
    """A plugin for a sentence: its kind, name and package; its class, if no package declares it."""
    plugin = _written(plugin)
    kind = type(plugin)
    return str(entry_of(plugin) or f"{kind.noun} {kind.__module__}.{kind.__qualname__}")


def fault(plugin: Plugin, method: str, what: str) -> PluginFault:
    """What to raise where a method has done something wrong: who it is, what it did, and its place."""
    return PluginFault(f"{called(plugin)}: {method} {what}{_line(plugin, method)}")


def wrong_return(plugin: Plugin, method: str, made: object, wanted: str) -> PluginFault:
    """What to raise where a method has returned something else than it must.

    Args:
        plugin: whose method it is.
        method: its name.
        made: what it has returned, or the part of it that is wrong.
        wanted: what that must be.
    """
    return fault(plugin, method, f"returned {shown(made)}, but must return {wanted}")


def shown(made: object) -> str:
    """What a plugin has returned, for a sentence."""
    if made is None:
        return "None"
    if isinstance(made, np.ndarray | np.generic):
        return f"an array of shape {made.shape} and type {made.dtype}"
    if isinstance(made, tuple):
        return f"({', '.join(cut(shown(part)) for part in made)})"
    try:
        return f"{type(made).__name__} {cut(repr(made))}"
    except BaseException:  # the code of a plugin, too
        return type(made).__name__


def culprit(error: BaseException) -> str | None:
    """The plugin whose code raised an error, and what it raised and where, in a sentence; None if none did.

    The innermost method of a plugin that is not rnnkit's own is to blame, whatever it called: rnnkit's part of a
    network does not fail but on what it was given.
    """
    said = method_at_fault(error)
    if said is None and _outside(error):
        return f"the code of a plugin has failed: {told(error)}"
    return said


def method_at_fault(error: BaseException) -> str | None:
    """The same, but only if it was a method of a plugin; not what a user's own program does beside it."""
    cause: BaseException | None = error
    try:
        while cause is not None:
            said = _innermost(cause)
            if said is not None:
                return said
            cause = cause.__cause__
    except Exception:  # looking at a plugin runs its code
        return None
    return None


def _innermost(error: BaseException) -> str | None:
    plugin, method, place = None, "", ""
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        found = _plugin_of(at.tb_frame)
        if found is not None and found is not plugin:
            plugin, method, folder = found, code.co_name, os.path.dirname(code.co_filename)
        if plugin is not None and os.path.dirname(code.co_filename) == folder:
            place = f"{code.co_filename}:{at.tb_lineno}"
        at = at.tb_next
    if plugin is None:
        return None
    said = told(error).rpartition(" [")[0]
    return f"{called(plugin)}: {method} raises {said} [{place}]"


def _plugin_of(frame: FrameType) -> Plugin | None:
    """The plugin whose method a frame runs, if it is not rnnkit's own."""
    code = frame.f_code
    if not code.co_argcount or Path(code.co_filename).is_relative_to(_OWN):
        return None
    first: Any = frame.f_locals.get(code.co_varnames[0])
    if not issubclass(type(first), Plugin) or _is_own(first):
        return None
    plugin: Plugin = first
    return plugin


def _is_own(plugin: Plugin) -> bool:
    entry = entry_of(plugin)
    return _stands_in(plugin) or (entry is not None and entry.package == "rnnkit")


def _stands_in(plugin: Plugin) -> bool:
    return type(plugin).__module__.partition(".")[0] == "rnnkit"


def _written(plugin: Plugin) -> Plugin:
    """What an author wrote, where a class of rnnkit's stands around it."""
    while _stands_in(plugin):
        cls: type[Any] = type(plugin)
        values = (getattr(plugin, field.name) for field in attrs.fields(cls))
        inner = next((v for v in values if isinstance(v, Plugin)), None)
        if inner is None:
            break
        plugin = inner
    return plugin


def _line(plugin: Plugin, method: str) -> str:
    """` [file:line]` of a method, if Python knows it."""
    made = getattr(type(_written(plugin)), method)
    code = getattr(inspect.unwrap(getattr(made, "fget", made)), "__code__", None)
    return "" if code is None else f" [{code.co_filename}:{code.co_firstlineno}]"


def _outside(error: BaseException) -> bool:
    """Whether the innermost code that is rnnkit's or a plugin's, and not a library's, is a plugin's."""
    libraries = {os.path.realpath(path) for path in sysconfig.get_paths().values()}
    own, others = _packages()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(os.path.realpath(frame.filename))
        if file.is_relative_to(_OWN) or own & {*file.parts}:
            return False
        if frame.filename.startswith("<"):
            continue
        inside = next((Path(p) for p in libraries if file.is_relative_to(p)), None)
        if inside is None or others & {*file.relative_to(inside).parts}:
            return True
    return False


def _packages() -> tuple[set[str], set[str]]:
    """The packages that have plugins, as they are imported: rnnkit's own, and others."""
    own, others = set[str](), set[str]()
    try:
        for package in distributions():
            (own if package.name == "rnnkit" else others).update(packages_with_plugins(package))
    except Exception:  # damaged metadata of any package
        return own, others
    return own, others
