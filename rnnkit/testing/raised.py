"""An exception of a plugin in words: what, where, and the way out where it is one that authors run into."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path
from typing import Final

import attr
import attrs
import numpy as np

from rnnkit.errors import PluginFault, told

LIBRARIES: Final = tuple(
    f"{Path(str(module.__file__)).parent}{os.sep}" for module in (attr, attrs, np)
)
"""Where no author's line is."""


def raising(what: str, error: BaseException) -> str:
    """`what raises Type: message [file:line]`; a plugin's fault says it all itself."""
    return str(error) if isinstance(error, PluginFault) else f"{what} raises {in_words(error)}"


def in_words(error: BaseException) -> str:
    """`Type: message [file:line]`, at the last line outside the libraries that plugins call."""
    said = told(error).rpartition(" [")[0]
    if isinstance(error, attrs.exceptions.FrozenInstanceError):
        said += (
            " (plugins, parameters, states and slots are frozen; to change one of their arrays in place, give "
            "it a name first: `v = slots.v`, then `v *= 0.9`)"
        )
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)] or frames
    return f"{said} [{own[-1].filename}:{own[-1].lineno}]"


def deliberate(error: BaseException) -> bool:
    """Whether an author's own `raise` made the error, and not something that NumPy cannot do."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return not frame.filename.startswith(LIBRARIES) and bool(
        re.search(r"\braise\b", frame.line or "raise")
    )
