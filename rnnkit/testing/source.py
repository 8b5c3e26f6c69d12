"""Plugins that are not installed, and where a backward pass is written."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import FunctionType, ModuleType

from rnnkit.errors import RegistryError, listed
from rnnkit.kinds import KINDS, Plugin
from rnnkit.registry import blaming, misfits

BACKWARD = ("step_back", "backward", "evaluate", "update", "factor", "fill", "decode", "judge")
"""The method that a finding is about, in the order of looking."""


def import_file(file: Path) -> ModuleType:
    """The module of a Python file that need not be installed; files beside it can be imported from it.

    Raises:
        RegistryError: there is no such file, or it fails to import; with the line.
    """
    file = file.resolve()
    if not file.is_file():
        raise RegistryError(f"{file}: no such file")
    known = sys.modules.get(file.stem)
    if known is not None and getattr(known, "__file__", None) == str(file):
        return known
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise RegistryError(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    sys.modules[file.stem] = module  # attrs and typing look annotations up there
    try:
        with blaming(f"{file}: fails to import"):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[file.stem]
        raise
    finally:
        sys.path.remove(str(file.parent))
    return module


def plugin_classes(module: ModuleType) -> list[type[Plugin]]:
    """The plugin classes that a module defines itself, in the order of its lines."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Plugin)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    ]


def class_at(address: str, *, whole: bool = True) -> type[Plugin]:
    """The plugin class at `path/to/file.py::ClassName`; without a name, the only one of the file.

    Args:
        address: of the class.
        whole: whether it must fit its kind.

    Raises:
        RegistryError: there is none, or it does not fit its kind.
    """
    path, _, name = address.partition("::")
    module = import_file(Path(path))
    with blaming(f"{address} fails when it is looked at"):
        found = _class_in(module, path, name)
        wrong = list(misfits(found, kind_of(found))) if whole else []
    if wrong:
        raise RegistryError(f"{path}::{found.__name__}: {'; '.join(wrong)}")
    return found


def _class_in(module: ModuleType, path: str, name: str) -> type[Plugin]:
    if name:
        found = getattr(module, name, None)
    else:
        classes = plugin_classes(module)
        found = classes[0] if len(classes) == 1 else None
    if isinstance(found, FunctionType):
        raise RegistryError(
            f"{path}::{name} is a function, and not one of a pair such as rnn_step_forward and "
            "rnn_step_backward; in Python, `rnnkit.testing.check(forward, backward, x=x, W=W)` checks any two"
        )
    if not isinstance(found, type) or not issubclass(found, Plugin):
        names = listed(c.__name__ for c in plugin_classes(module))
        raise RegistryError(f"{path}: name a plugin class as {path}::ClassName; it has {names}")
    return found


def kind_of(cls: type[Plugin]) -> type[Plugin]:
    """The kind that a plugin class is of."""
    return next(kind for kind in KINDS if issubclass(cls, kind))


def backward_of(cls: type[Plugin]) -> str:
    """`file:line` of the method that a finding about the class is about."""
    for name in BACKWARD:
        method = getattr(cls, name, None)
        if method is not None and not getattr(method, "__isabstractmethod__", False):
            try:
                return f"{inspect.getsourcefile(method)}:{inspect.getsourcelines(method)[1]}"
            except (OSError, TypeError):
                break
    return f"{cls.__module__}:{cls.__qualname__}"
