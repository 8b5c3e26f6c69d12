"""The rooms of rnnkit are those of the table in CONTRIBUTING.md, and imports go up that table only."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs
import pytest

ROOT: Final = Path(__file__).parents[1]
MOST: Final = 20
"""Entries of rnnkit/: what can be taken in at a glance."""

PARTS: Final = tuple(
    f"rnnkit.testing.{part}" for part in ("cases", "contracts", "functions", "laws")
)
"""Folders of `testing/` that are no rooms of their own: its modules import from them, and they from it."""

FRONT_DOOR: Final = ("rnnkit", "rnnkit.__main__")
"""They hand on what is in any room, and are in none."""

BUILT_IN, MAY_IMPORT_IT = "rnnkit_builtin", "rnnkit.compat"


@attrs.frozen
class Import:
    """A module of rnnkit, or of the built-in plugins, that another one imports."""

    file: str
    line: int
    importer: str
    imported: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.importer} imports {self.imported}"


def table(page: str) -> dict[str, str]:
    """Room -> its sentence, from the bottom up; `data/features/` is the room rnnkit.data.features."""
    rows = re.findall(r"^\| `([\w/]+?)(?:/|\.py)` \| (.+) \|$", page, re.MULTILINE)
    return {f"rnnkit.{path.replace('/', '.')}": sentence for path, sentence in rows}


def modules(root: Path) -> dict[str, Path]:
    """Name -> file of all modules of rnnkit/; the files that a new plugin begins as are none of its own."""
    files = [f for f in sorted(root.glob("rnnkit/**/*.py")) if "templates" not in f.parts]
    return {
        ".".join(f.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): f
        for f in files
    }


def imports(root: Path) -> Iterator[Import]:
    """All imports, those inside of functions and for the type checker alone among them."""
    files = modules(root)
    for importer, file in files.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for imported in _imported(node, importer, file, files):
                    if imported.partition(".")[0] in ("rnnkit", BUILT_IN):
                        yield Import(str(file.relative_to(root)), node.lineno, importer, imported)


def _imported(
    node: ast.Import | ast.ImportFrom, importer: str, file: Path, files: Mapping[str, Path]
) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    package = importer.split(".") if file.name == "__init__.py" else importer.split(".")[:-1]
    above = package[: len(package) - node.level + 1] if node.level else []
    module = ".".join([*above, *([node.module] if node.module else [])])
    for alias in node.names:
        inner = f"{module}.{alias.name}"
        yield inner if inner in files else module


def room_of(module: str, rooms: Mapping[str, str]) -> str | None:
    """The innermost room that a module is in."""
    parts = module.split(".")
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in rooms), None)


def faults(all_imports: Iterable[Import], rooms: Mapping[str, str]) -> Iterator[str]:
    """Each import that no room may have."""
    order = list(rooms)
    for found in all_imports:
        own, other = room_of(found.importer, rooms), room_of(found.imported, rooms)
        if found.imported.partition(".")[0] == BUILT_IN:
            if own != MAY_IMPORT_IT:
                yield f"{found}; of all rooms, {MAY_IMPORT_IT} alone may import the built-in plugins"
        elif found.importer in FRONT_DOOR:
            continue
        elif other is None:
            yield f"{found}; no room imports what is in none"
        elif own is not None and order.index(other) > order.index(own):
            yield f"{found}; the room {own} is below {other}, and imports nothing from above it"


@pytest.fixture(scope="module")
def rooms() -> dict[str, str]:
    return table((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def all_imports() -> list[Import]:
    return list(imports(ROOT))


def test_rooms_import_only_from_rooms_below_them(
    rooms: dict[str, str], all_imports: list[Import]
) -> None:
    assert not list(faults(all_imports, rooms))


def test_no_module_imports_itself_in_a_circle(all_imports: list[Import]) -> None:
    files = modules(ROOT)
    arrows: dict[str, set[str]] = {module: set() for module in files}
    for found in all_imports:
        if found.imported in files and found.imported != found.importer:
            arrows[found.importer].add(found.imported)
    list(graphlib.TopologicalSorter(arrows).static_order())  # raises CycleError, with the circle


def test_the_table_names_exactly_the_rooms_there_are(rooms: dict[str, str]) -> None:
    parents = [ROOT / "rnnkit" / room for room in ("", "captioning", "data", "testing")]
    entries = [entry for parent in parents for entry in parent.iterdir()]
    there_are = {
        ".".join(e.relative_to(ROOT).with_suffix("").parts)
        for e in entries
        if (e / "__init__.py").exists() or (e.parent.name == "rnnkit" and e.suffix == ".py")
    }
    assert set(rooms) == there_are - {"rnnkit.__init__", "rnnkit.__main__", *PARTS}


def test_a_room_says_first_what_the_table_says_of_it(rooms: dict[str, str]) -> None:
    files = modules(ROOT)
    for room, sentence in rooms.items():
        assert _first_line(files[room]) == sentence


def test_every_folder_says_what_it_is_for() -> None:
    silent = [f for f in modules(ROOT).values() if f.name == "__init__.py" and not _first_line(f)]
    assert silent == []


def test_the_front_door_fits_a_glance() -> None:
    seen = [e for e in (ROOT / "rnnkit").iterdir() if not e.name.startswith(("__pycache__", "."))]
    assert len(seen) <= MOST


@pytest.mark.parametrize(
    ("file", "line", "fault"),
    [
        (
            "kinds/cell.py",
            "from rnnkit.network import engine",
            "rnnkit/kinds/cell.py:2: rnnkit.kinds.cell imports rnnkit.network.engine; the room "
            "rnnkit.kinds is below rnnkit.network, and imports nothing from above it",
        ),
        (
            "kinds/cell.py",
            "from ..network.engine import forward",
            "rnnkit/kinds/cell.py:2: rnnkit.kinds.cell imports rnnkit.network.engine; the room "
            "rnnkit.kinds is below rnnkit.network, and imports nothing from above it",
        ),
        (
            "kinds/cell.py",
            "def later() -> None: import rnnkit.network",
            "rnnkit/kinds/cell.py:2: rnnkit.kinds.cell imports rnnkit.network; the room "
            "rnnkit.kinds is below rnnkit.network, and imports nothing from above it",
        ),
        (
            "network/engine.py",
            "import rnnkit",
            "rnnkit/network/engine.py:2: rnnkit.network.engine imports rnnkit; no room imports "
            "what is in none",
        ),
        (
            "network/engine.py",
            "from rnnkit_builtin.cells.lstm import LSTM",
            "rnnkit/network/engine.py:2: rnnkit.network.engine imports rnnkit_builtin.cells.lstm; "
            "of all rooms, rnnkit.compat alone may import the built-in plugins",
        ),
        ("network/engine.py", "from rnnkit.kinds import cell", None),
        ("compat/old.py", "from rnnkit_builtin.cells.lstm import LSTM", None),
        ("__init__.py", "from rnnkit.network.engine import forward", None),
    ],
)
def test_an_import_the_wrong_way_is_named(
    tmp_path: Path, file: str, line: str, fault: str | None
) -> None:
    for module in (
        "__init__",
        "kinds/__init__",
        "kinds/cell",
        "network/__init__",
        "network/engine",
    ):
        path = tmp_path / "rnnkit" / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    wrong = tmp_path / "rnnkit" / file
    wrong.parent.mkdir(exist_ok=True)
    wrong.write_text(f"from __future__ import annotations\n{line}\n")
    small = table("| `kinds/` | First. |\n| `network/` | Second. |\n| `compat/` | Third. |\n")
    assert list(faults(imports(tmp_path), small)) == ([] if fault is None else [fault])


def _first_line(file: Path) -> str:
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    return said.partition("\n")[0] if said else ""
