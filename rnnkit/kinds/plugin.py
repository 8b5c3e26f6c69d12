"""What every kind of plugin shares."""

from __future__ import annotations

import abc
from typing import ClassVar, Final

API: Final = 1
"""The version of the plugin interfaces that this rnnkit has."""


class Plugin(abc.ABC):
    """A plugin is a frozen attrs class: its fields are its options, in Python and in TOML alike, and
    its methods are pure functions of their arguments and those options.

    `api` is the interface version that the class was written for; `noun` and `group` are set by the
    kinds (the word users write, and the entry-point group).
    """

    api: ClassVar[int] = API
    noun: ClassVar[str]
    group: ClassVar[str]
