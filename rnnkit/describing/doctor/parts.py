"""What is installed: Python, rnnkit and its extras, MPI, and the plugins of every package."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

import numpy as np

from rnnkit.describing.doctor.finding import Finding
from rnnkit.registry import survey
from rnnkit.system.version import __version__


def look() -> Iterator[Finding]:
    """Versions, then each extra, then plugins."""
    yield Finding("Python", f"{platform.python_version()} ({platform.python_implementation()})")
    yield Finding("rnnkit", __version__)
    yield Finding("NumPy", np.__version__)
    for extra, packages in extras().items():
        missing = [name for name in packages if not _is_installed(name)]
        said = "installed" if not missing else f"without {', '.join(missing)}"
        yield Finding(f"[{extra}]", said, f'pip install "rnnkit[{extra}]"' if missing else None)
    launcher = shutil.which("mpiexec")
    yield Finding(
        "mpiexec", launcher or "not found", None if launcher else 'pip install "rnnkit[mpi]"'
    )
    rows = list(survey())
    packages = sorted({row.entry.package for row in rows})
    yield Finding("plugins", f"{len(rows)} of {', '.join(packages)}")
    for row in rows:
        if row.problem is not None:
            yield Finding(
                f"{row.entry.kind.noun} {row.entry.name}",
                f"of {row.entry.package} cannot be used",
                row.problem,
            )


def extras() -> dict[str, list[str]]:
    """What can be installed beside rnnkit: each extra's packages, but for those that developers need."""
    found: dict[str, list[str]] = {}
    for requirement in requires("rnnkit") or ():
        name = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if name and extra and extra[1] not in ("dev", "docs"):
            found.setdefault(extra[1], []).append(name[0])
    return found


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
