"""Assignments: which functions or plugin classes are to be written, what they are worth, and what they must compute.

They are TOML files; two ship with rnnkit, in assignments/.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

import attrs

from rnnkit import registry
from rnnkit.errors import CourseError, closest, listed, quoted
from rnnkit.kinds import Plugin
from rnnkit.spec.toml import parse
from rnnkit.testing.functions.arguments import Recipe, toml_file
from rnnkit.testing.functions.finding import Found, called
from rnnkit.testing.functions.form import (
    LISTS,
    POINTS,
    PRINTED,
    SWITCH,
    TABLE,
    TABLES,
    TEXT,
    TEXTS,
    check_form,
)
from rnnkit.testing.source import class_at, import_file

_SIZES: Final = {"kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
MOST_BYTES: Final = 10**15
"""What no process may take more than."""

_TOP: Final = {
    "title": TEXT,
    "extends": TEXT,
    "only": TEXTS,
    "solution": TEXT,
    "seconds": POINTS,
    "memory": TEXT,
    "packages": TEXTS,
    "functions": TABLES,
    "plugins": TABLES,
}
_OF_A_TASK: Final = {
    "value": POINTS,
    "gradient": POINTS,
    "loss": SWITCH,
    "show": TEXT,
    "seconds": POINTS,
    "memory": TEXT,
    "options": LISTS,
    "arguments": TABLE,
    "printed": PRINTED,
    "solution": TEXT,
}


@attrs.frozen
class Task:
    """A function, with its backward pass, or a plugin class, that is to be written.

    Attributes:
        name: as `rnn_step`; or of a class.
        is_plugin: whether it is a class.
        value: points for the values of forward.
        gradient: points for the gradients of backward; 0 where there is no backward pass.
        loss: whether it is one function that returns (loss, gradient).
        show: what students are shown of it.
        seconds: that it may run, in all.
        memory: bytes that its process may take.
        options: parameter -> its values that are tried.
        arguments: parameter -> recipe, where the usual one is not meant.
        printed: label -> arguments and outputs that were printed somewhere.
        solution: of a class: the plugin that it must agree with.
    """

    name: str
    is_plugin: bool = False
    value: float = 1.0
    gradient: float = 1.0
    loss: bool = False
    show: Literal["explanation", "verdict", "nothing"] = "explanation"
    seconds: float = 20.0
    memory: int = 2_000_000_000
    options: Mapping[str, Sequence[Any]] | None = None
    arguments: Mapping[str, Recipe] = attrs.field(factory=dict)
    printed: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    solution: str = ""

    @property
    def points(self) -> float:
        """All that it is worth."""
        return self.value + self.gradient


@attrs.frozen
class Assignment:
    """What a class is to write.

    Attributes:
        name: that it is called by.
        title: for pages.
        solution: a module that has all functions right; or a Python file.
        folder: that files are relative to.
        tasks: in their order.
        files: that it was read from, and a solution that is a file.
        packages: that submissions may import, beside NumPy.
    """

    name: str
    title: str
    solution: str
    folder: Path
    tasks: tuple[Task, ...]
    files: tuple[Path, ...] = ()
    packages: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        """All that can be had."""
        return sum(task.points for task in self.tasks)

    def module(self) -> ModuleType:
        """The solution.

        Raises:
            CourseError: it cannot be imported.
        """
        try:
            if self.solution.endswith(".py"):
                return import_file(self.folder / self.solution)
            return importlib.import_module(self.solution)
        except (ImportError, TypeError, ValueError) as e:
            raise CourseError(f"{self.name}: solution {quoted(self.solution)}: {e}") from e

    def solved(self, task: Task) -> Found:
        """A function of the solution.

        Raises:
            CourseError: it has none of that name.
        """
        found = called(self.module(), task.name, is_loss=task.loss)
        if found.forward is None or (task.gradient and not (task.loss or found.backward)):
            raise CourseError(f"{self.name}: {self.solution} has no {' and '.join(found.names)}")
        return found

    def plugin(self, task: Task) -> type[Plugin]:
        """The class that a plugin class must agree with.

        Raises:
            RegistryError: there is none.
        """
        if ".py" in task.solution:
            return class_at(str(self.folder / task.solution))
        return registry.load_entry(registry.entries_called(task.solution)[0])


def shipped() -> list[str]:
    """The names of the assignments that rnnkit has."""
    folder = resources.files(__package__).joinpath("assignments")
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml"))


def read_assignment(name: str) -> Assignment:
    """An assignment by its name, or by the path of its file.

    Raises:
        CourseError: there is none, or it has mistakes.
    """
    files: list[Path] = []
    tree, folder = _tree(name, Path(), files)
    short = Path(name).stem if name.endswith(".toml") else name
    assignment = _assignment(tree, short, folder)
    solutions = [assignment.solution, *(task.solution for task in assignment.tasks)]
    own = [text.partition("::")[0] for text in solutions]
    files += [folder / name for name in dict.fromkeys(own) if name.endswith(".py")]
    return attrs.evolve(assignment, files=tuple(files))


def _tree(name: str, beside: Path, files: list[Path]) -> tuple[dict[str, Any], Path]:
    """What an assignment says, with all that it extends; the folder of its solution. Files read are added."""
    if name.endswith(".toml"):
        tree, folder = toml_file(beside / name), (beside / name).parent
        files.append(beside / name)
        if len(files) > 20:
            raise CourseError(f"{name}: extends: it extends itself")
    elif name in shipped():
        file = resources.files(__package__).joinpath("assignments", f"{name}.toml")
        tree, folder = parse(file.read_text(encoding="utf-8")), Path()
    else:
        raise CourseError(
            f"there is no assignment {name!r}, and a file ends with .toml; {closest(name, shipped())}"
        )
    check_form(tree, _TOP, name)
    if "extends" not in tree:
        return tree, folder
    base, of_base = _tree(tree.pop("extends"), folder, files)
    return _merged(base, tree), folder if "solution" in tree else of_base


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _assignment(tree: Mapping[str, Any], name: str, folder: Path) -> Assignment:
    usual = {key: tree[key] for key in ("seconds", "memory") if key in tree}
    tables = {
        key: (kind == "plugins", table)
        for kind in ("functions", "plugins")
        for key, table in tree.get(kind, {}).items()
    }
    only = tree.get("only", list(tables))
    for key in only:
        if key not in tables:
            raise CourseError(f"{name}: only: {key!r}: {closest(key, tables)}")
    tasks = tuple(
        _task(key, {**usual, **table}, f"{name}: {key}", is_plugin=is_plugin)
        for key, (is_plugin, table) in tables.items()
        if key in only
    )
    if not tasks:
        raise CourseError(f"{name}: it has no [functions.NAME] and no [plugins.NAME]")
    if not tree.get("solution") and not all(task.is_plugin for task in tasks):
        raise CourseError(f"{name}: solution: name a module or a Python file with all of it right")
    packages = tree.get("packages", [])
    for package in packages:
        if not package.isidentifier() or find_spec(package) is None:
            raise CourseError(f"{name}: packages: {quoted(package)} is not installed here")
    title, solution = tree.get("title", name), tree.get("solution", "")
    return Assignment(name, title, solution, folder, tasks, packages=tuple(packages))


def _task(name: str, table: Mapping[str, Any], where: str, *, is_plugin: bool) -> Task:
    check_form(table, _OF_A_TASK, where)
    given = dict(table)
    if "memory" in given:
        given["memory"] = _bytes(given["memory"], where)
    shows = ("explanation", "verdict", "nothing")
    if given.get("show", shows[0]) not in shows:
        raise CourseError(f"{where}: show: it is one of {listed(shows)}")
    if is_plugin and not given.get("solution"):
        raise CourseError(f'{where}: solution: name the plugin that it must agree with, as "lstm"')
    return Task(name, is_plugin, **given)


def _bytes(text: object, where: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(kB|MB|GB)", str(text))
    if not found:
        raise CourseError(f'{where}: memory: {quoted(text)} is no size; write it as "2 GB"')
    size = float(found[1]) * _SIZES[found[2]]
    if not 0 < size < MOST_BYTES:
        raise CourseError(
            f"{where}: memory: {quoted(text)} is not between 0 and {MOST_BYTES / 1e12:g} TB"
        )
    return int(size)
