"""`--watch`: the same command again, in a process of its own, whenever a file is saved."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn

import typer

from rnnkit.system.terminal import say

_LOOK: Final = 0.3
"""Seconds between two looks at the files."""


def watching(names: Iterable[str], files: Iterable[Path]) -> NoReturn:
    """Run this command without --watch now, and again whenever a Python file beside the named ones is saved.

    Args:
        names: of the command; those of files are watched, with the files in their folders.
        files: watched, too.
    """
    from rnnkit.errors import CourseError

    sources = [Path(name.partition("::")[0]) for name in names]
    sources = [file for file in sources if file.suffix == ".py"]
    watched = [*files, *sources]
    if not watched:
        raise CourseError(
            "--watch wants a file to look at, as rnnkit gradcheck rnn_layers.py --watch"
        )
    command = [
        sys.executable,
        "-m",
        "rnnkit",
        *(word for word in sys.argv[1:] if word != "--watch"),
    ]
    seen: dict[Path, int] = {}
    try:
        while True:
            now = _saved(watched, sources)
            if now != seen:
                seen = now
                subprocess.run(command, check=False)
                names = ", ".join(map(str, watched))
                say(f"\n{time.strftime('%H:%M:%S')} watching {names}; Ctrl-C ends it")
            time.sleep(_LOOK)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _saved(watched: Iterable[Path], sources: Iterable[Path]) -> dict[Path, int]:
    """When each file was saved last; a file that an editor is just replacing is not there."""
    found = {}
    for file in {*watched, *(f for source in sources for f in source.parent.glob("*.py"))}:
        try:
            found[file] = file.stat().st_mtime_ns
        except OSError:
            continue
    return found
