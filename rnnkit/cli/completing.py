"""What a shell completes with Tab: names of plugins, kinds and specs, and the folders of runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def plugins(incomplete: str) -> list[str]:
    """Names of plugins of every kind."""
    from rnnkit.kinds import KINDS
    from rnnkit.registry import entries_of

    return _beginning(incomplete, {e.spec_name for kind in KINDS for e in entries_of(kind)})


def cells(incomplete: str) -> list[str]:
    """Names of cells."""
    from rnnkit.kinds import RecurrentCell
    from rnnkit.registry import entries_of

    return _beginning(incomplete, {entry.spec_name for entry in entries_of(RecurrentCell)})


def kinds(incomplete: str) -> list[str]:
    """Nouns of the kinds of plugins."""
    from rnnkit.kinds import KINDS

    return _beginning(incomplete, {kind.noun for kind in KINDS})


def specs(incomplete: str) -> list[str]:
    """Names of the specs that come with rnnkit."""
    from rnnkit.spec.shipped import shipped

    return _beginning(incomplete, shipped())


def assignments(incomplete: str) -> list[str]:
    """Names of the assignments that come with rnnkit."""
    from rnnkit.testing.functions.assignment import shipped

    return _beginning(incomplete, shipped())


def runs(incomplete: str) -> list[str]:
    """Folders of runs in the folder that is typed so far, and in `runs`; if there is none, shells complete files."""
    typed = Path(incomplete or ".")
    around = typed if incomplete.endswith("/") else typed.parent
    found = {
        str(path) for folder in (around, Path("runs")) for path in folder.glob("*") if _is_run(path)
    }
    return _beginning(incomplete, found)


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("last.h5", "best.h5"))


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    return sorted(word for word in words if word.startswith(incomplete))
