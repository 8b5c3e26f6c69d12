"""Puts what is derived into the file of a plugin, and leaves all else there as it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Final

from rnnkit.describing.derivation import Derivation
from rnnkit.errors import TraceError
from rnnkit.kinds.source import indented
from rnnkit.tracing.layout import wrapped

KINDS: Final = ("Array", "Cell", "GatedCell", "Ints", "Layer", "Mask")
NUMERICS: Final = ("blocks", "sigmoid", "sum_rows")
MODULES: Final = {"np": "import numpy as np", "math": "import math", "attrs": "import attrs"}
STEPS: Final = ("GatedStep", "FreeStep")

Edit = tuple[int, int, bytes]
"""From here to there, bytes of the file become others."""


class Rewriting:
    """The edits of one file.

    Args:
        text: of the file.
        made: what is derived of a class in it.
    """

    def __init__(self, text: str, made: Derivation) -> None:
        self.made = made
        self._bytes = text.encode()
        self._starts = [0]
        for line in self._bytes.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self.tree = ast.parse(text)
        name = made.cls.__name__
        self.cls = self._one(
            [n for n in self.tree.body if isinstance(n, ast.ClassDef) and n.name == name], name
        )
        functions = [n for n in self.cls.body if isinstance(n, ast.FunctionDef)]
        self.methods = {f.name: f for f in functions}
        if made.forward not in self.methods:
            raise TraceError(f"{name} has its {made.forward} from elsewhere: derive it there")

    def _one(self, found: Sequence[ast.ClassDef], name: str) -> ast.ClassDef:
        if len(found) != 1:
            raise TraceError(f"the file has {len(found)} classes {name} that stand in no other")
        return found[0]

    @property
    def forward(self) -> ast.FunctionDef:
        """The way forward."""
        return self.methods[self.made.forward]

    def returned(self) -> str:
        """The `return` of the way forward, and lines in front of it."""
        value = self._return().value
        assert value is not None
        first = value.elts[0] if isinstance(value, ast.Tuple) else value
        source = self.made.source
        shared, result, keeping = self._once(first)
        return "\n".join([*source.before, *shared, *wrapped(f"return {result}, {keeping}")])

    def _once(self, first: ast.expr) -> tuple[list[str], str, str]:
        """What is both in the result and kept gets a name: lines that give it, the result, and what is kept."""
        source, start = self.made.source, self._span(first)[0]
        result, keeping, lines = self._text(first), source.keeping, []
        names = re.findall(r"^    (\w+): ", source.cache, re.MULTILINE)
        kept = ast.parse(keeping, mode="eval").body
        parts = kept.args if source.cache and isinstance(kept, ast.Call) else [kept]
        for name, part in zip(names or ["kept"], parts, strict=False):
            said = ast.unparse(part)
            inside = [
                n for n in ast.walk(first) if isinstance(n, ast.Call) and ast.unparse(n) == said
            ]
            if isinstance(part, ast.Call) and inside:
                spans = [self._span(n) for n in inside]
                lines.append(f"{name} = {self._text(inside[0])}")
                text = result.encode()
                for begin, end in sorted(spans, reverse=True):
                    text = text[: begin - start] + name.encode() + text[end - start :]
                result, keeping = text.decode(), keeping.replace(said, name)
        return lines, result, keeping

    def base(self) -> str:
        """What the class is to subclass; empty if that stays as it is."""
        found = self._generic()
        if found is None:
            return ""
        kept = [*self._arguments(found)[:2], self.made.source.kept]
        return f"{self.made.base}[{', '.join(kept)}]"

    def text(self) -> str:
        """The file with what is derived."""
        changed = self._bytes
        for start, end, new in sorted(self._edits(), reverse=True):
            changed = changed[:start] + new + changed[end:]
        return _with_imports(changed.decode())

    def _edits(self) -> Iterator[Edit]:
        source, found = self.made.source, self._return()
        indent = b" " * found.col_offset
        yield self._replaced(found, self.returned().replace("\n", "\n" + indent.decode()))
        yield from self._left_over(found)
        if self.forward.returns is not None and self.made.forward != "evaluate":
            before = self.forward.returns
            yield self._replaced(before, f"tuple[{self._first(before)}, {source.kept}]")
        generic, base = self._generic(), self.base()
        if generic is not None and base:
            yield self._replaced(generic, base)
        if source.cache:
            yield self._cache(source.cache)
        if source.back:
            yield self._back(indented(source.back))

    def _left_over(self, found: ast.Return) -> Iterator[Edit]:
        """The line that made what was kept before, if it is kept in a variable."""
        if not isinstance(found.value, ast.Tuple) or not isinstance(found.value.elts[-1], ast.Name):
            return
        name = found.value.elts[-1].id
        named = [n for n in ast.walk(self.forward) if isinstance(n, ast.Name) and n.id == name]
        assigned = [n for n in ast.walk(self.forward) if isinstance(n, ast.Assign)]
        for node in assigned:
            if len(named) == 2 and node.targets[0] in named:
                yield self._lines(node.lineno, node.end_lineno or node.lineno, "")

    def _cache(self, text: str) -> Edit:
        name = self.made.source.kept
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return self._lines(_begin(node), node.end_lineno or 0, f"{text}\n")
        at = self._starts[_begin(self.cls) - 1]
        return at, at, f"{text}\n\n\n".encode()

    def _back(self, text: str) -> Edit:
        name = text.split("def ", 1)[1].split("(", 1)[0]
        old = self.methods.get(name)
        if old is not None:
            return self._lines(_begin(old), old.end_lineno or 0, f"{text}\n")
        at = self._starts[self.forward.end_lineno or 0]
        return at, at, f"\n{text}\n".encode()

    def _return(self) -> ast.Return:
        found = [n for n in ast.walk(self.forward) if isinstance(n, ast.Return) and n.value]
        line = self.made.source.line
        at = [n for n in found if n.lineno <= line <= (n.end_lineno or n.lineno)]
        if not at:
            raise TraceError(f"{self.made.cls.__name__}.{self.made.forward} has no plain return")
        return at[0]

    def _generic(self) -> ast.Subscript | None:
        wanted = (*STEPS, self.made.base) if self.made.base else ()
        for base in self.cls.bases:
            if isinstance(base, ast.Subscript) and self._text(base.value) in wanted:
                return base
        return None

    def _arguments(self, base: ast.Subscript) -> list[str]:
        inner = base.slice
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        return [self._text(part) for part in parts]

    def _first(self, annotation: ast.expr) -> str:
        """The first type of a tuple, or the type."""
        if isinstance(annotation, ast.Subscript) and self._text(annotation.value) == "tuple":
            return self._arguments(annotation)[0]
        return self._text(annotation)

    def _text(self, node: ast.expr) -> str:
        start, end = self._span(node)
        return self._bytes[start:end].decode()

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        end = self._starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        return self._starts[node.lineno - 1] + node.col_offset, end

    def _replaced(self, node: ast.expr | ast.stmt, text: str) -> Edit:
        return (*self._span(node), text.encode())

    def _lines(self, first: int, last: int, text: str) -> Edit:
        return self._starts[first - 1], self._starts[last], text.encode()


def _begin(node: ast.ClassDef | ast.FunctionDef) -> int:
    """The line that a class or a function begins in, with its decorators."""
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])


def _with_imports(text: str) -> str:
    """The file with imports of what it names, and without those of the classes of steps alone."""
    for name in STEPS:
        if len(re.findall(rf"\b{name}\b", text)) == 1:
            text = re.sub(rf"\b{name}, |, {name}\b", "", text, count=1)
    known = {n.split(".")[0] for n in _bound(ast.parse(text))}
    used = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
    text = _from(text, "rnnkit.kinds", [n for n in KINDS if n in used - known])
    text = _from(text, "rnnkit.numerics", [n for n in NUMERICS if n in used - known])
    for name, line in MODULES.items():
        if name in used - known:
            text = _line(text, line)
    return text


def _bound(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name


def _from(text: str, module: str, names: Sequence[str]) -> str:
    """The file with `from module import names`."""
    if not names:
        return text
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and node.module == module:
            every = sorted({*names, *(alias.name for alias in node.names)}, key=_in_imports)
            new = wrapped(f"from {module} import ({', '.join(every)})", 0)
            if len(new) == 1:
                new = [new[0].replace("(", "").replace(")", "")]
            lines[node.lineno - 1 : node.end_lineno] = new
            return "\n".join(lines) + "\n"
    return _line(text, f"from {module} import {', '.join(sorted(names))}")


def _in_imports(name: str) -> tuple[bool, str]:
    return (not name.isupper(), name) if not name[0].islower() else (True, f"~{name}")


def _line(text: str, line: str) -> str:
    """The file with one more import, in front of the first that comes after it in the alphabet."""
    lines = text.splitlines()
    imports = [n for n in ast.parse(text).body if isinstance(n, ast.Import | ast.ImportFrom)]
    others = [n for n in imports if getattr(n, "module", "") not in ("__future__",)]
    plain = line.startswith("import ")
    alike = [n for n in others if isinstance(n, ast.Import) == plain] or others
    after = [n for n in alike if lines[n.lineno - 1] > line]
    last = alike[-1].end_lineno if alike else 0
    lines.insert(after[0].lineno - 1 if after else last or 0, line)
    return "\n".join(lines) + "\n"
