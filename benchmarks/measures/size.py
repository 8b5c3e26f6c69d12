"""Installed size, with all that is required."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final, TypedDict

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.bench import Bench, Measure
from benchmarks.table import number
from benchmarks.turns import ROOT

PACKAGES: Final = ("rnnkit", "torch", "jax")
SOURCES: Final = ("rnnkit", "plugins/rnnkit_builtin")
"""What rnnkit installs, since here it is only linked to."""


class Size(TypedDict):
    """One package."""

    package: str
    alone: float
    megabytes: float
    distributions: list[str]
    ratio: float


def entries(bench: Bench) -> Iterator[Size]:
    """All packages."""
    totals: dict[str, float] = {}
    for package in PACKAGES:
        sizes = {name: megabytes(name) for name in sorted(required(package))}
        totals[package] = sum(sizes.values())
        yield Size(
            package=package,
            alone=sizes[package],
            megabytes=totals[package],
            distributions=list(sizes),
            ratio=totals[package] / totals["rnnkit"],
        )


def required(package: str) -> set[str]:
    """The package and everything that it requires here, directly or not; extras left out."""
    found: set[str] = set()
    todo = [package]
    while todo:
        name = canonicalize_name(todo.pop())
        if name not in found:
            found.add(name)
            wanted = map(Requirement, distribution(name).requires or ())
            todo += [r.name for r in wanted if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


def megabytes(name: str) -> float:
    """Size of the files that a distribution has put on the disk, compiled bytecode left out."""
    installed = distribution(name)
    paths = _source_files() if _is_linked(installed) else _installed_files(installed)
    return sum(path.stat().st_size for path in paths) / 1e6


def _installed_files(installed: Distribution) -> list[Path]:
    paths = [Path(str(installed.locate_file(file))) for file in installed.files or ()]
    return [path for path in paths if path.suffix != ".pyc" and path.is_file()]


def _is_linked(installed: Distribution) -> bool:
    about = json.loads(installed.read_text("direct_url.json") or "{}")
    return bool(about.get("dir_info", {}).get("editable"))


def _source_files() -> list[Path]:
    files = [file for folder in SOURCES for file in (ROOT / folder).rglob("*")]
    return [file for file in files if file.is_file() and file.suffix != ".pyc"]


def row(entry: Size) -> list[str]:
    """As text."""
    return [
        entry["package"],
        number(entry["alone"]),
        number(entry["megabytes"]),
        str(len(entry["distributions"])),
        number(entry["ratio"]),
    ]


MEASURE: Final = Measure(
    "Installed size: megabytes alone, and with everything required",
    ("package", "MB alone", "MB with all", "packages", "ratio"),
    entries,
    row,
)
