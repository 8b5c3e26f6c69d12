"""Pairs of functions as targets of gradcheck: those of a file, or of a module that is imported already."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from rnnkit.errors import CourseError, closest
from rnnkit.testing.functions.arguments import Arguments
from rnnkit.testing.functions.assignment import Assignment
from rnnkit.testing.functions.checks import Checked
from rnnkit.testing.functions.finding import Found, called, find, place
from rnnkit.testing.source import import_file, plugin_classes
from rnnkit.testing.targets import Target


def has_functions(address: str) -> bool:
    """Whether `path/to/file.py` or `path/to/file.py::name` is of functions, and not of plugin classes.

    Raises:
        RegistryError: there is no such file, or it fails to import.
    """
    path, _, name = address.partition("::")
    if not path.endswith(".py"):
        return False
    module = import_file(Path(path))
    if name:
        return not isinstance(getattr(module, name, None), type) and bool(find(module))
    return not plugin_classes(module)


def in_file(
    address: str,
    assignment: Assignment | None = None,
    table: Arguments | None = None,
    more: tuple[str, ...] = (),
) -> list[Target]:
    """The pairs of functions at `path/to/file.py`, or the one at `path/to/file.py::name`.

    Args:
        address: of the file or the pair.
        assignment: that the functions are of, if it is known.
        table: how arguments are made; by the names of the field if left open.
        more: words of the command line that say the same.

    Raises:
        RegistryError: there is no such file, or it fails to import.
        CourseError: there are no such functions.
    """
    path, _, name = address.partition("::")
    module = import_file(Path(path))
    targets = of_module(module, path, assignment, table, more)
    if not name:
        return targets
    stems = {
        word: target
        for target in targets
        for stem in [target.name.rpartition("::")[2]]
        for word in (
            stem,
            f"{stem}_forward",
            f"{stem}_backward",
            f"forward_{stem}",
            f"backward_{stem}",
        )
    }
    if name not in stems:
        raise CourseError(
            f"{path} has no functions {name!r}; {closest(name, {t.name.rpartition('::')[2] for t in targets})}"
        )
    return [stems[name]]


def of_module(
    module: ModuleType,
    path: str,
    assignment: Assignment | None = None,
    table: Arguments | None = None,
    more: tuple[str, ...] = (),
) -> list[Target]:
    """The pairs of functions of a module; of an assignment, those that it asks for, whether they are there or not.

    Raises:
        CourseError: there are none.
    """
    table = table or Arguments.standard()
    if assignment is None:
        checked = [Checked(found, table) for found in find(module)]
    else:
        checked = [
            Checked(called(module, task.name, is_loss=task.loss), table, assignment, task)
            for task in assignment.tasks
            if not task.is_plugin
        ]
    if not any(c.found.forward or c.found.backward for c in checked):
        raise CourseError(
            f"{path} has no plugin class, and no functions such as rnn_step_forward and rnn_step_backward, "
            "or a loss"
        )
    return [_target(c, path, more) for c in checked]


def _target(checked: Checked, path: str, more: tuple[str, ...]) -> Target:
    found: Found = checked.found
    return Target(
        "loss" if found.is_loss else "functions",
        f"{path}::{found.name}" if found.name else path,
        path,
        checked.checks,
        place(found.backward or found.forward),
        forward=place(found.forward),
        separate=True,
        more=more,
    )
