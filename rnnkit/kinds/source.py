"""What is derived of a plugin, as source; and the pieces that such source is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import attrs

from rnnkit.kinds.arrays import Arrays
from rnnkit.tracing import Node, Size
from rnnkit.tracing.naming import plain
from rnnkit.tracing.source import described


@attrs.frozen
class Source:
    """What is derived of a plugin.

    Attributes:
        cache: the class of what its way forward keeps; empty if that is one array.
        kept: the name of that class, or of the type of the array.
        back: the method of its way back; empty if it has none of its own.
        line: of the author's `return` in the way forward.
        before: lines for in front of that, which compute what has no name there.
        keeping: what that `return` gives in second place.
        classes: what the source names beside NumPy and rnnkit's.
    """

    cache: str
    kept: str
    back: str
    line: int
    before: tuple[str, ...]
    keeping: str
    classes: Mapping[str, type]


def cache_class(name: str, fields: Mapping[Node, str]) -> str:
    """The class of a cache, with a field for each array."""
    lines = [f"    {field}: {array_type(node)}" for node, field in fields.items()]
    return "\n".join(["@attrs.frozen", f"class {name}:", *lines])


def signature(name: str, arguments: Sequence[str], result: str) -> list[str]:
    """The first line of a method, or lines."""
    line = f"def {name}({', '.join(arguments)}) -> {result}:"
    if len(line) + 4 <= 100:
        return [line]
    return [f"def {name}(", f"    {', '.join(arguments)}", f") -> {result}:"]


def array_type(node: Node) -> str:
    """The name of the type of an array."""
    return {"b": "Mask", "i": "Ints"}.get(node.dtype.kind, "Array")


def holders(a: Arrays) -> list[Arrays]:
    held = [getattr(a, f.name) for f in attrs.fields(type(a))]
    return [a, *(h for inner in held if isinstance(inner, Arrays) for h in holders(inner))]


def constructor(a: Arrays, values: Mapping[str, str], prefix: str, keywords: bool = True) -> str:
    """The expression that makes a container of arrays."""
    parts = []
    for field in attrs.fields(type(a)):
        inner = getattr(a, field.name)
        if isinstance(inner, Arrays):
            said = constructor(inner, values, f"{prefix}{field.name}.", keywords)
        else:
            said = values[f"{prefix}{field.name}"]
        parts.append(f"{field.alias or field.name}={said}" if keywords else said)
    return f"{type(a).__name__}({', '.join(parts)})"


def plain_name(node: Node) -> str:
    """The author's name of a node as one word."""
    return plain(node.name)


def field_names(saved: Sequence[Node]) -> dict[Node, str]:
    """What the arrays of a cache are called."""
    names: dict[Node, str] = {}
    for node in saved:
        stem = plain_name(node) or described(node, [plain_name(i) for i in node.inputs])[0]
        name, i = stem, 2
        while name in names.values():
            name, i = f"{stem}{i}", i + 1
        names[node] = name
    return names


def letters_of(given: Mapping[Node, str]) -> dict[str, str]:
    """An expression for the number that each letter stands for, from the arrays that are there."""
    found: dict[str, str] = {}
    for node, said in given.items():
        for axis, n in enumerate(node.shape):
            if isinstance(n, Size) and not n.constant and [f for _, f in n.terms] == [1]:
                length = f"{said}.shape[{axis - len(node.shape)}]" if axis else f"len({said})"
                found.setdefault(n.terms[0][0], length)
    return found


def lengths(lines: Sequence[str], sizes: Mapping[str, str]) -> list[str]:
    """Lines that give letters their lengths, of those that are used."""
    used = set(re.findall(r"(?<![\w.])[A-Z](?![\w.(])", "\n".join(lines)))
    return [f"{letter} = {said}" for letter, said in sizes.items() if letter in used]


def method(head: Sequence[str], body: Sequence[str]) -> str:
    return "\n".join([*head, *(f"    {line}" for line in body)])


def indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in text.split("\n"))
