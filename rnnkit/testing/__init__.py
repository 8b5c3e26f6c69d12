"""Checks plugins: their gradients, and what else each kind must do; says what is wrong with one.

From the terminal it is `rnnkit gradcheck`; in a test file it is one line,

    from rnnkit.testing.suite import *

and for a bare pair of functions it is `check(forward, backward, x=x, W=W)`. Nothing is imported before it is
used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnkit.testing.pairs import check as check

__all__ = ["check"]


def __getattr__(name: str) -> object:
    if name == "check":
        from rnnkit.testing.pairs import check

        return check
    raise AttributeError(f"module 'rnnkit.testing' has no attribute {name!r}")
