"""Submissions: files, folders, zips and notebooks, brought into a folder of their own, and read without running them."""

from __future__ import annotations

import ast
import hashlib
import shutil
import stat
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from rnnkit.errors import CourseError
from rnnkit.system.files import files_below
from rnnkit.system.json_text import json_value
from rnnkit.system.why import check_ordinary
from rnnkit.testing.functions.assignment import Task

MOST_BYTES: Final = 50_000_000
MOST_FILES: Final = 2_000
_LEFT_OUT: Final = ("__pycache__", ".git", ".ipynb_checkpoints", "__MACOSX", ".venv")
_NAME: Final = 100


@attrs.frozen
class Submission:
    """What one student has handed in.

    Attributes:
        name: of the student: of the file or folder, without its ending.
        path: of it.
    """

    name: str
    path: Path

    def digest(self) -> str:
        """Of all its bytes."""
        whole = hashlib.sha256()
        for file in _files(self.path):
            whole.update(str(file.relative_to(self.path)).encode("utf-8", "replace") + b"\0")
            with file.open("rb") as handle:
                hashlib.file_digest(handle, lambda: whole)
        return whole.hexdigest()


def submissions(folder: Path) -> list[Submission]:
    """The submissions in a folder, by name; each is a file, a folder, a zip or a notebook.

    Raises:
        CourseError: there is none, or two are of one name.
    """
    if not folder.is_dir():
        raise CourseError(f"{folder}: no such folder; name the folder with the submissions")
    found = [
        Submission(path.stem[:_NAME] if path.is_file() else path.name[:_NAME], path)
        for path in sorted(folder.iterdir())
        if not path.name.startswith((".", "__"))
        and (path.is_dir() or path.suffix in (".py", ".zip", ".ipynb"))
    ]
    if not found:
        raise CourseError(f"{folder} has no submissions: files .py, .zip or .ipynb, or folders")
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CourseError(f"{folder} has two submissions of {twice!r}; rename one of them")
    return found


def bring(submission: Submission, to: Path) -> None:
    """Copy a submission into a folder: what a zip has in it, and notebooks as Python files beside them.

    Links are not followed: they could lead to any file of the one who grades.

    Raises:
        CourseError: it is too large, a link, or cannot be read.
    """
    to.mkdir(parents=True)
    path = submission.path
    if path.is_symlink():
        raise CourseError("it is a link, which is not followed; hand in the file itself")
    try:
        if path.suffix == ".zip" and path.is_file():
            _unzip(path, to)
        elif path.is_dir():
            _copy(path, to)
            for packed in sorted(path.glob("*.zip")):  # as learning platforms hand them out
                _unzip(packed, to / _identifier(packed.stem))
        else:
            check_ordinary(path)
            _bounded(1, path.stat().st_size)
            shutil.copyfile(path, _target(to, Path(path.name)))
        for notebook in [f for f in _files(to) if f.suffix == ".ipynb"]:
            beside = notebook.with_name(f"{_identifier(notebook.stem)}.py")
            if not beside.exists():
                beside.write_text(code_of(notebook), encoding="utf-8")
    except (OSError, ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as e:
        raise CourseError(f"it cannot be read: {e}") from e


def code_of(notebook: Path) -> str:
    """The imports, functions, classes and plain values of a notebook's code cells; nothing else of it is run.

    Raises:
        ValueError: it is no notebook.
    """
    tree = json_value(notebook.read_text(encoding="utf-8"))
    if not isinstance(tree, dict) or not isinstance(tree.get("cells"), list):
        raise ValueError(f"{notebook.name} is no notebook")
    kept: list[str] = []
    for cell in tree["cells"]:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", "")
            lines = [source] if isinstance(source, str) else source
            if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
                raise ValueError(
                    f"{notebook.name} is no notebook: a cell has a source that is no text"
                )
            kept += _statements("".join(lines))
    return "\n\n".join(kept) + "\n"


def modules(root: Path, task: Task) -> tuple[str, list[str]]:
    """The module of a submission that defines a task's functions, by the name to import it by, and those it defines.

    The one that defines the most of them, the first of several. Nothing is run.
    """
    names = (
        [task.name]
        if task.loss or task.is_plugin
        else [
            *(f"{task.name}_{way}" for way in ("forward", "backward")),
            *(f"{way}_{task.name}" for way in ("forward", "backward")),
        ]
    )
    best: tuple[str, list[str]] = ("", [])
    for file in sorted(f for f in _files(root) if f.suffix == ".py"):
        defined = [name for name in names if name in _defined(file)]
        if len(defined) > len(best[1]) and (module := _module(file, root)):
            best = (module, defined)
    return best


def mistakes(root: Path) -> Iterator[str]:
    """A sentence for each Python file that is no Python."""
    for file in sorted(f for f in _files(root) if f.suffix == ".py"):
        try:
            ast.parse(file.read_bytes())
        except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
            line = getattr(e, "lineno", None)
            yield f"{file.relative_to(root)}{f':{line}' if line else ''}: {getattr(e, 'msg', e)}"


def _statements(text: str) -> Iterator[str]:
    lines = [
        "" if line.lstrip().startswith(("%", "!", "?")) else line for line in text.splitlines()
    ]
    source = "\n".join(lines)
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in tree.body:
        part = ast.get_source_segment(source, node) or ""
        match node:
            case ast.Import() | ast.ImportFrom():
                yield f"try:\n    {ast.unparse(node)}\nexcept ImportError:\n    pass"
            case ast.FunctionDef() | ast.ClassDef():
                yield "\n".join([*(f"@{ast.unparse(d)}" for d in node.decorator_list), part])
            case ast.Assign() | ast.AnnAssign():
                if not any(isinstance(inner, ast.Call) for inner in ast.walk(node)):
                    yield part


def _defined(file: Path) -> set[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def _module(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""


def _identifier(name: str) -> str:
    made = "".join(c if c.isalnum() or c == "_" else "_" for c in name)
    return made if made.isidentifier() and made not in sys.stdlib_module_names else f"_{made}"


def _files(root: Path) -> list[Path]:
    """The files in a folder, or the file itself; links are none."""
    if root.is_symlink():
        return []
    if root.is_file():
        return [root]
    return [
        f
        for f in files_below(root)
        if f.is_file() and not f.is_symlink() and not set(_LEFT_OUT) & {*f.relative_to(root).parts}
    ]


def _copy(folder: Path, to: Path) -> None:
    files = _files(folder)
    _bounded(len(files), sum(f.stat().st_size for f in files))
    for file in files:
        target = _target(to, file.relative_to(folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _unzip(file: Path, to: Path) -> None:
    with zipfile.ZipFile(file) as packed:
        members = [
            m
            for m in packed.infolist()
            if not m.is_dir()
            and not stat.S_ISLNK(m.external_attr >> 16)
            and not set(_LEFT_OUT) & {*Path(m.filename).parts}
        ]
        _bounded(len(members), sum(m.file_size for m in members))
        for member in members:
            path = Path(member.filename)
            if path.is_absolute() or ".." in path.parts:
                raise CourseError(
                    f"it has a file {member.filename!r}, which would leave its folder"
                )
            target = _target(to, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            with packed.open(member) as source, target.open("wb") as sink:
                left = member.file_size
                while part := source.read(min(1 << 20, left + 1)):
                    left -= len(part)
                    if left < 0:
                        raise CourseError(f"{member.filename!r} is larger than the zip says")
                    sink.write(part)


def _target(to: Path, path: Path) -> Path:
    """Where a file goes; Python files in names that can be imported."""
    parts = path.parts
    if path.suffix == ".py":
        parts = (*map(_identifier, parts[:-1]), f"{_identifier(path.stem)}.py")
    return to.joinpath(*parts)


def _bounded(files: int, size: int) -> None:
    if files > MOST_FILES or size > MOST_BYTES:
        raise CourseError(
            f"it has {files:,} files of {size / 1e6:,.0f} MB; at most {MOST_FILES:,} of {MOST_BYTES / 1e6:.0f} MB are read"
        )
