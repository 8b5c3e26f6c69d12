"""The cells stand on what every author of a plugin has, and on nothing else of rnnkit."""

from __future__ import annotations

import ast
from pathlib import Path

import rnnkit_zoo

SOURCES = sorted(Path(rnnkit_zoo.__file__).parent.rglob("*.py"))
PUBLIC = {"rnnkit.kinds", "rnnkit.numerics"}


def imported(file: Path) -> set[str]:
    """Every module that a file imports from."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    plain = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    return plain | {n.module for n in nodes if isinstance(n, ast.ImportFrom) if n.module}


def test_of_rnnkit_only_the_kinds_and_the_numerics_are_imported() -> None:
    modules = {module for file in SOURCES for module in imported(file)}
    assert {m for m in modules if m.partition(".")[0] in ("rnnkit", "rnnkit_builtin")} == PUBLIC
