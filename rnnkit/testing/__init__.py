"""Checks plugins: their gradients, and what else each kind must do; says what is wrong with one.

From the terminal it is `rnnkit gradcheck`; in a test file it is one line,

    from rnnkit.testing.suite import *

for a bare pair of functions it is `check(forward, backward, x=x, W=W)`, and for all pairs of a module
`check_functions(module)`. In Python, `checks_of_class` has the checks of a plugin class one by one. Nothing is imported
before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rnnkit.testing.checks import checks_of_class as checks_of_class
    from rnnkit.testing.functions.checking import CheckedFunctions as CheckedFunctions
    from rnnkit.testing.functions.checking import check_functions as check_functions
    from rnnkit.testing.pairs import check as check

_HOME: Final = {
    "CheckedFunctions": "rnnkit.testing.functions.checking",
    "check": "rnnkit.testing.pairs",
    "check_functions": "rnnkit.testing.functions.checking",
    "checks_of_class": "rnnkit.testing.checks",
}

__all__ = ["CheckedFunctions", "check", "check_functions", "checks_of_class"]


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})


if not TYPE_CHECKING:  # which would take every name then, misspelt ones too

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            from rnnkit.errors import no_attribute

            raise no_attribute(__name__, name, _HOME)
        return getattr(importlib.import_module(_HOME[name]), name)
