"""What there is to know of a plugin, read off its class and its docstrings, so that it cannot drift."""

from __future__ import annotations

import inspect
import json
import re
import sys
import typing
from collections.abc import Iterator
from typing import Any

import attrs

from rnnkit.errors import TraceError
from rnnkit.kinds import KINDS, Arrays, FreeStep, GatedStep, Plugin
from rnnkit.network.derived import derived
from rnnkit.registry import Entry, entry_of_class, load_entry
from rnnkit.registry.docstrings import attributes, paragraphs
from rnnkit.registry.labels import label
from rnnkit.registry.options import Annotation, alternatives, default_of, noun, option_types
from rnnkit.testing.variants import variants

CITATION = re.compile(r"\((?:1[89]|20)\d\d\)")
"""A paragraph with a year in brackets says where something comes from."""

SHAPE = re.compile(r"^    (\w+): .*# (\([^)]*\))", re.MULTILINE)
"""An array with its shape in the comment: `c: Array  # (N, H)`."""


@attrs.frozen
class Option:
    """An option of a plugin.

    Attributes:
        name: in Python and in TOML alike.
        type: in words, as "number".
        default: as a spec writes it; "required" if there is none, "left open" if it is None.
        doc: what its class says of it under `Attributes:`.
    """

    name: str
    type: str
    default: str
    doc: str


@attrs.frozen
class Holder:
    """A class of arrays that a plugin works with: its parameters, its state, or what an optimizer remembers.

    Attributes:
        name: of the class.
        module: to import it from.
        arrays: name -> shape, as the comment in its line says; empty if there is none.
    """

    name: str
    module: str
    arrays: dict[str, str]

    def __str__(self) -> str:
        arrays = (f"{name} {shape}".rstrip() for name, shape in self.arrays.items())
        return f"{self.name}: {', '.join(arrays)}"


@attrs.frozen
class Card:
    """A plugin on one page.

    Attributes:
        kind: noun of its kind.
        name: as a spec writes it; the class's name if no installed package declares it.
        package: that provides it; its module if none does.
        version: of the package; empty if there is none.
        api: the version of the plugin interfaces that it is written for.
        target: `module:Class`.
        file: that the class is in; empty if there is no file.
        summary: the first paragraph of its module, which is its equation.
        notation: the other paragraphs of its module: shapes, the order of gates.
        source: where the paragraphs of its module say that it comes from.
        description: what its class says, a line for each paragraph.
        options: in the order of the class's fields.
        holders: the classes of arrays that it works with.
        derived: the source that rnnkit has derived for it; empty if its author wrote all of it, or nothing yet.
        not_derived: why rnnkit can derive none.
    """

    kind: str
    name: str
    package: str
    version: str
    api: int
    target: str
    file: str
    summary: str
    notation: str
    source: str
    description: str
    options: tuple[Option, ...]
    holders: tuple[Holder, ...]
    derived: str
    not_derived: str

    @property
    def imports(self) -> str:
        """The lines that import the class and those of its arrays, one for each module."""
        module, _, name = self.target.partition(":")
        found = {module: [name]}
        for holder in self.holders:
            found.setdefault(holder.module, []).append(holder.name)
        return "\n".join(f"from {m} import {', '.join(names)}" for m, names in found.items())


def card(plugin: type[Plugin] | Entry) -> Card:
    """The card of a plugin class, installed or not, or of an entry.

    Raises:
        RegistryError: the entry does not load.
    """
    entry = plugin if isinstance(plugin, Entry) else entry_of_class(plugin)
    cls = load_entry(plugin) if isinstance(plugin, Entry) else plugin
    summary, *others = paragraphs(sys.modules[cls.__module__].__doc__) or [""]
    source, problem = _derived(cls)
    return Card(
        kind=next(kind for kind in KINDS if issubclass(cls, kind)).noun,
        name=entry.spec_name if entry else cls.__name__,
        package=entry.package if entry else cls.__module__,
        version=entry.version if entry else "",
        api=cls.api,
        target=f"{cls.__module__}:{cls.__qualname__}",
        file=_file(cls),
        summary=summary,
        notation="\n".join(text for text in others if not CITATION.search(text)),
        source="\n".join(text for text in others if CITATION.search(text)),
        description="\n".join(paragraphs(vars(cls).get("__doc__"))),
        options=_options(cls),
        holders=tuple(_holders(cls)),
        derived=source,
        not_derived=problem,
    )


def _derived(cls: type[Plugin]) -> tuple[str, str]:
    """What is derived of a cell whose author wrote the step alone, and why nothing can be."""
    if not issubclass(cls, GatedStep | FreeStep):
        return "", ""
    try:
        return derived(next(variants(cls)).plugin).source.text, ""
    except TraceError as e:
        return "", str(e)
    except NotImplementedError:
        return "", ""


def _options(cls: type[Any]) -> tuple[Option, ...]:
    said = attributes(cls)
    fields = attrs.fields_dict(cls)
    return tuple(
        Option(name, _type(want), _default(default_of(fields[name])), said.get(name, ""))
        for name, want in option_types(cls).items()
    )


def _holders(cls: type[Plugin]) -> Iterator[Holder]:
    """Of the classes that the plugin's kind is given in its brackets, those that hold arrays."""
    bases = (base for c in cls.__mro__ for base in vars(c).get("__orig_bases__", ()))
    for held in dict.fromkeys(arg for base in bases for arg in typing.get_args(base)):
        if isinstance(held, type) and issubclass(held, Arrays) and attrs.fields_dict(held):
            said: dict[str, str] = {}
            for c in reversed(held.__mro__):
                if issubclass(c, Arrays):
                    said |= dict(SHAPE.findall(_source(c)))
            kinds = held.__module__.startswith("rnnkit.kinds.")
            yield Holder(
                held.__name__,
                "rnnkit.kinds" if kinds else held.__module__,
                {name: said.get(name, "") for name in attrs.fields_dict(held)},
            )


def _source(cls: type) -> str:
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):  # typed into an interpreter
        return ""


def _type(want: Annotation) -> str:
    return " or ".join(noun(choice) for choice in alternatives(want))


def _default(value: Any) -> str:
    if value is attrs.NOTHING:
        return "required"
    if value is None:
        return "left open"
    if isinstance(value, Plugin):
        return label(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_default, value))}]"
    if isinstance(value, bool | int | float | str):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _file(cls: type[Plugin]) -> str:
    try:
        return inspect.getsourcefile(cls) or ""
    except TypeError:
        return ""
