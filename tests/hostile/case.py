"""An input: what is in its folder, and the call."""

from __future__ import annotations

from pathlib import Path

import attrs

OUT = "out"
"""What a call may make in its folder, and nothing else: names that begin like this."""


@attrs.frozen
class Base:
    """What inputs are spoiled copies of; none may be changed.

    Attributes:
        data: a data folder.
        run: of a network that was trained on it.
        spec: of that network.
    """

    data: Path
    run: Path
    spec: Path


@attrs.frozen
class Case:
    """A call of the command line.

    Attributes:
        label: what is wrong, in a word or two; inputs of one label are told together.
        args: behind `rnnkit`, in the folder of the case.
        fine: why it is right to accept it; empty if that would be nonsense.
        path: folders that Python imports from, too.
    """

    label: str
    args: tuple[str, ...]
    fine: str = ""
    path: tuple[Path, ...] = ()
