"""What plugins are called in tables."""

from __future__ import annotations

from rnnkit.kinds import Plugin
from rnnkit.registry import entry_of
from rnnkit.registry.options import option_types


def name_of(plugin: Plugin) -> str:
    """What a spec calls it; the name of its class if no installed package declares it."""
    entry = entry_of(plugin)
    return entry.spec_name if entry else type(plugin).__name__


def label(plugin: Plugin) -> str:
    """A plugin with its options, such as `vanilla(activation=tanh)`."""
    name = name_of(plugin)
    options = {key: getattr(plugin, key) for key in option_types(type(plugin))}
    shown = [
        f"{key}={label(value) if isinstance(value, Plugin) else value}"
        for key, value in options.items()
        if value is not None
    ]
    return f"{name}({', '.join(shown)})" if shown else name
