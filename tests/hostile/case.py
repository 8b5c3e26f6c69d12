"""An input: what is in its folder, and the call."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import attrs

OUT = "out"
"""What a call may make in its folder, and nothing else: names that begin like this."""


AND = " & "
"""Between the labels of an input in which more than one thing is wrong."""


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
        label: what is wrong, in a word or two; empty if nothing is.
        args: behind `rnnkit`, in the folder of the case.
        prepare: done in the process of the call, before it.
        listening: where the connections of a server come in, if it is a server that is wrong.
        serve: what that does, in a process of its own, until it is killed.
    """

    label: str
    args: tuple[str, ...]
    prepare: Callable[[], object] = attrs.field(default=int, eq=False)
    listening: socket.socket | None = attrs.field(default=None, eq=False)
    serve: Callable[[socket.socket], None] = attrs.field(default=lambda listening: None, eq=False)
