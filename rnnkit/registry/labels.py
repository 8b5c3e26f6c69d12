"""What plugins are called in tables."""

from __future__ import annotations

from rnnkit.kinds import Plugin
from rnnkit.registry import entry_of
from rnnkit.registry.options import option_types


def label(plugin: Plugin) -> str:
    """A plugin with its options, such as `vanilla(activation=tanh)`."""
    entry = entry_of(plugin)
    name = entry.spec_name if entry else type(plugin).__name__
    options = {key: getattr(plugin, key) for key in option_types(type(plugin))}
    shown = [
        f"{key}={label(value) if isinstance(value, Plugin) else value}"
        for key, value in options.items()
        if value is not None
    ]
    return f"{name}({', '.join(shown)})" if shown else name
