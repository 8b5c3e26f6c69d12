"""What people outside of rnnkit/ import is public: a name of a module that has a page in the API reference."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

import rnnkit
from tests.docblocks import blocks_of

ROOT: Final = Path(__file__).parents[1]

PAGES: Final = sorted((ROOT / "docs/reference/api").glob("*.md"))
PUBLIC: Final = frozenset(
    name
    for page in PAGES
    for name in re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
)

OUTSIDE: Final = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "docs/howto/*.md",
    "docs/reference/**/*.md",
    "examples/*.py",
    "examples/*.ipynb",
    "plugins/rnnkit_builtin/**/*.py",
    "plugins/rnnkit_zoo/**/*.py",
    "rnnkit/registry/scaffold/templates/plugins/*.py",
    "rnnkit/registry/scaffold/templates/project/*.py.template",
    "tests/thirdparty/**/*.py",
    "tests/wrongcells/**/*.py",
)

ASSIGNMENT: Final = "rnnkit.compat.ie590"
"""Its modules are the assignment's, and documented by it."""


def sources(file: Path) -> Iterator[str]:
    """The Python in a file: all of it, or that of its cells or blocks."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        yield from (block.text for block in blocks_of(file) if block.language == "python")
    elif file.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        yield from (
            re.sub(r"^%.*$", "", "".join(cell["source"]), flags=re.MULTILINE) for cell in cells
        )
    else:
        yield text


def imports(source: str) -> Iterator[tuple[str, str]]:
    """(module, name) of all imports from rnnkit; the name is empty where the module itself is imported."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def private(source: str) -> Iterator[str]:
    """The imports of what is not public."""
    for module, name in imports(source):
        if module.partition(".")[0] != "rnnkit" or module.startswith(ASSIGNMENT):
            continue
        if module not in PUBLIC:
            yield f"{module} has no page in docs/reference/api"
        elif name not in ("", "*", *importlib.import_module(module).__all__):
            yield f"{module} has {name} not in its __all__"


def test_outsiders_import_public_names_alone() -> None:
    files = [file for pattern in OUTSIDE for file in sorted(ROOT.glob(pattern))]
    assert len(files) > 80
    found = [
        f"{file.relative_to(ROOT)}: {fault}"
        for file in files
        for source in sources(file)
        for fault in private(source)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (
            "from rnnkit.kinds.cell import Cell",
            "rnnkit.kinds.cell has no page in docs/reference/api",
        ),
        ("import rnnkit.system.process", "rnnkit.system.process has no page in docs/reference/api"),
        ("from rnnkit.metrics import scorers", "rnnkit.metrics has scorers not in its __all__"),
        ("from rnnkit.kinds import Cell, word_by_word", None),
        ("import numpy, rnnkit", None),
    ],
)
def test_an_import_that_is_not_public_is_named(source: str, fault: str | None) -> None:
    assert list(private(source)) == ([] if fault is None else [fault])


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_every_public_name_is_there_and_says_what_it_is(module: str) -> None:
    public = importlib.import_module(module)
    assert public.__doc__
    for name in public.__all__:
        value = getattr(public, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name


def test_every_page_of_the_api_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"reference/api/{page.name}" not in nav] == []


def test_every_room_with_a_page_is_there_on_first_use() -> None:
    rooms = sorted(name.partition(".")[2] for name in PUBLIC if name.count(".") == 1)
    code = (
        "import rnnkit, sys; assert not [m for m in sys.modules if m.startswith('rnnkit.')]; "
        + ("; ".join(f"rnnkit.{room}.__all__" for room in [*rooms, "testing"]))
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(rooms) <= set(dir(rnnkit))


@pytest.mark.parametrize(
    ("module", "name", "guess"),
    [
        (rnnkit, "trian", "module 'rnnkit' has no attribute 'trian'; did you mean 'train'?"),
        (rnnkit, "testin", "module 'rnnkit' has no attribute 'testin'; did you mean 'testing'?"),
        (rnnkit, "zzz", "module 'rnnkit' has no attribute 'zzz'"),
        (
            rnnkit.testing,
            "chek",
            "module 'rnnkit.testing' has no attribute 'chek'; did you mean 'check'?",
        ),
    ],
)
def test_a_misspelt_name_is_guessed_once(module: ModuleType, name: str, guess: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    (line,) = traceback.format_exception_only(caught.value)
    assert line == f"AttributeError: {guess}\n"
