"""What the server has to offer: its models, the decoders that are installed, and its limits."""

from __future__ import annotations

import operator
import re
import typing
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import attrs

from rnnkit.captioning.serving.answers import Json, of_plugin
from rnnkit.captioning.serving.limits import MOST_OF_AN_OPTION, Limits
from rnnkit.captioning.serving.models import Served
from rnnkit.describing.json_schema import SCALARS
from rnnkit.describing.plugin_card import card
from rnnkit.kinds import Decoder
from rnnkit.registry import usable
from rnnkit.registry.options import Annotation, alternatives, bounds, default_of, option_types
from rnnkit.spec.writer import plain
from rnnkit.system.version import __version__

SENTENCE: Final = re.compile(r".*?[.:](?=\s|$)")

LEAST: Final[dict[Callable[[Any, Any], bool], str]] = {
    operator.ge: "minimum",
    operator.gt: "minimum",
    operator.le: "maximum",
    operator.lt: "maximum",
}


def about(models: Sequence[Served], limits: Limits) -> Json:
    """All of it."""
    return {
        "models": [_model(served) for served in models],
        "decoders": [
            {
                "name": entry.spec_name,
                "help": first_sentence(card(entry).description),
                "options": _options(cls, {o.name: o.doc for o in card(entry).options}),
            }
            for entry, cls in usable(Decoder)
        ],
        "limits": {
            "bytes": limits.bytes,
            "pixels": limits.pixels,
            "requests": limits.requests,
            "seconds": limits.seconds,
        },
        "version": __version__,
    }


def _model(served: Served) -> Json:
    model, identity = served.model, served.pipeline.identity
    encoder = {
        "use": of_plugin(served.pipeline.encoder)["use"],
        "package": identity.package,
        "version": identity.version,
        "shape": identity.shape,
    }
    attention = served.map and {"rows": served.map[0], "columns": served.map[1]}
    return {
        "name": served.name,
        "parameters": model.size,
        "words": len(model.vocabulary),
        "encoder": encoder,
        "attention": attention,
        "decoder": of_plugin(model.spec.caption.decoder),
        "samples": len(served.samples),
    }


def _options(cls: type[Decoder], said: dict[str, str]) -> list[Json]:
    fields = attrs.fields_dict(typing.cast(type[attrs.AttrsInstance], cls))
    return [
        _option(name, want, fields[name], first_sentence(said.get(name, "")))
        for name, want in option_types(cls).items()
    ]


def _option(name: str, want: Annotation, field: attrs.Attribute[Any], said: str) -> Json:
    """`above` and `below` say of a bound that it is no value itself."""
    kind, choices = _type(want)
    default = default_of(field)
    found: Json = {
        "name": name,
        "type": kind,
        "choices": choices,
        "default": None if default in (None, attrs.NOTHING) else plain(default),
        "minimum": None,
        "maximum": MOST_OF_AN_OPTION if kind == "integer" else None,
        "above": False,
        "below": False,
        "help": said,
    }
    for compare, bound in bounds(field):
        side = LEAST[compare]
        if side == "minimum" or found[side] is None or bound < found[side]:
            found[side] = bound
            found["above" if side == "minimum" else "below"] = compare in (operator.gt, operator.lt)
    return found


def _type(want: Annotation) -> tuple[str, list[Any]]:
    """What JSON Schema calls a type, and what a choice has; "string" is written as TOML for all that has no name."""
    for choice in alternatives(want):
        if typing.get_origin(choice) is Literal:
            return "choice", list(typing.get_args(choice))
        if choice in SCALARS:
            return SCALARS[choice], []
    return "string", []


def first_sentence(text: str) -> str:
    """Up to the first stop or colon, written as a sentence."""
    found = SENTENCE.match(text.replace("\n", " "))
    sentence = (found[0] if found else text).rstrip(".;: ")
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""
