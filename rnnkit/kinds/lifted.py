"""Plugins whose options know what they are called, so that source can name them."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import attrs

from rnnkit.kinds.plugin import Plugin
from rnnkit.tracing.options import Option

K = TypeVar("K", bound=Plugin)


def lifted(plugin: K, prefix: str = "self") -> K:
    """A copy of a plugin in which every floating option, those of nested plugins too, is an `Option`."""
    made = copy.copy(plugin)
    kind: type[Any] = type(plugin)
    for field in attrs.fields(kind):
        value = getattr(plugin, field.name)
        if type(value) is float:
            object.__setattr__(made, field.name, Option(value, f"{prefix}.{field.name}"))
        elif isinstance(value, Plugin) and attrs.has(type(value)):
            object.__setattr__(made, field.name, lifted(value, f"{prefix}.{field.name}"))
    return made
