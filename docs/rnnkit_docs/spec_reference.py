"""The tables of a spec with all their keys, from the classes that specs are read into."""

from __future__ import annotations

from typing import Any, Final

import attrs

from rnnkit.registry.docstrings import entries, paragraphs
from rnnkit.registry.options import Annotation, element, option_types, table_of
from rnnkit.spec import parse_spec
from rnnkit.spec.schema import (
    CaptionTable,
    DataTable,
    GroupTable,
    ModelTable,
    RewardTable,
    RnnTable,
    Spec,
    TrainTable,
)
from rnnkit.spec.writer import write_spec
from rnnkit_docs.markdown_text import code, escaped, fenced, table
from rnnkit_docs.option_words import bounds, default, takes

TABLES: Final[dict[str, type[Any]]] = {
    "data": DataTable,
    "model": ModelTable,
    "model.rnn": RnnTable,
    "train": TrainTable,
    "train.group": GroupTable,
    "train.reward": RewardTable,
    "caption": CaptionTable,
}
"""The name of each table, in the order of a spec."""

SHORTEST: Final = '[[model.rnn]]\nhidden = 512\ncell = "lstm"\n'


def markdown(_: str = "") -> str:
    """A section for each table: what it is, and a row for each of its keys."""
    return "\n\n".join([_keys(Spec), *(_section(name, cls) for name, cls in TABLES.items())])


def resolved(_: str = "") -> str:
    """The shortest spec there is with everything that it leaves open filled in."""
    return fenced(write_spec(parse_spec(SHORTEST)), "toml")


def _section(name: str, cls: type[Any]) -> str:
    header = f"[[{name}]]" if cls in (RnnTable, GroupTable) else f"[{name}]"
    summary, *others = paragraphs(cls.__doc__)
    said = summary.partition(": ")[2]
    text = [said[0].upper() + said[1:], *others]
    return "\n\n".join([f"## `{header}`", *map(escaped, text), _keys(cls)])


def _keys(cls: type[Any]) -> str:
    said = entries(cls.__doc__, "Attributes")
    fields = attrs.fields_dict(cls)
    rows = []
    for key, want in option_types(cls).items():
        if _is_table(want):
            continue
        field = fields[key]
        usual = "**required**" if field.default is attrs.NOTHING else code(default(field))
        rows.append(
            (
                code(key),
                takes(want, "plugins/") + bounds(field),
                usual or "none",
                escaped(said.get(key, "")),
            )
        )
    return table(["key", "takes", "default", "meaning"], rows)


def _is_table(want: Annotation) -> bool:
    """Whether it has a section of its own."""
    item = element(want)
    return table_of(want if item is None else item) in TABLES.values()
