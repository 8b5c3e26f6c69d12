"""A plugin by its name, from Python, with its options as a spec would have them."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from rnnkit.kinds import Plugin
from rnnkit.registry import kind_called, load
from rnnkit.spec.reader import read_options

K = TypeVar("K", bound=Plugin)


@overload
def load_plugin(kind: type[K], name: str, /, **options: object) -> K: ...


@overload
def load_plugin(kind: str, name: str, /, **options: object) -> Any: ...


def load_plugin(kind: type[Plugin] | str, name: str, /, **options: object) -> Plugin:
    """A plugin with these options: `load_plugin("cell", "lstm", forget_bias=1.0)`.

    Args:
        kind: what it is: activation, layer, cell, loss, optimizer, schedule, initializer, decoder or encoder; or
            the class of that kind in `rnnkit.kinds`, which tells a type checker the class of what is returned.
        name: as specs and `rnnkit plugins` have it, also as `package:name`.
        options: as a spec has them. One that is a plugin is a name, a table such as `{"use": "elu", "alpha": 0.5}`,
            or a plugin.

    Raises:
        RegistryError: there is no such kind or plugin, the plugin does not load, or its options are not right; with
            a line for each of them.
    """
    if isinstance(kind, str):
        kind = kind_called(kind)
    return read_options(load(kind, name), options, f"{kind.noun} {name!r}")
