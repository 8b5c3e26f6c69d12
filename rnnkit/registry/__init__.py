"""Finds plugins by name, tells what can be said of one, and starts the project of a new one.

from rnnkit.kinds import RecurrentCell
from rnnkit.registry import load

lstm = load(RecurrentCell, "lstm")()
"""

from rnnkit.errors import closest, nearest
from rnnkit.registry.declarations import canonical
from rnnkit.registry.entry_points import (
    Entry,
    Row,
    blaming,
    entries_called,
    entries_of,
    entry_of,
    entry_of_class,
    kind_called,
    load,
    load_entry,
    misfits,
    names,
    survey,
    usable,
)

__all__ = [
    "Entry",
    "Row",
    "blaming",
    "canonical",
    "closest",
    "entries_called",
    "entries_of",
    "entry_of",
    "entry_of_class",
    "kind_called",
    "load",
    "load_entry",
    "misfits",
    "names",
    "nearest",
    "survey",
    "usable",
]
