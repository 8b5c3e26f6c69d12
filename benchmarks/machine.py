"""The machine, and the versions of what was measured on it."""

from __future__ import annotations

import datetime
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, TypedDict

from rnnkit.system.machine import blas, processor

PACKAGES: Final = (
    *("rnnkit", "numpy", "h5py", "torch", "jax", "jaxlib", "onnxruntime"),
    *("mpi4py", "mpich"),
)


class Machine(TypedDict):
    """One machine on one day."""

    cpu: str
    cores: int
    memory_gb: float
    system: str
    date: str
    versions: dict[str, str]


def this_machine() -> Machine:
    """Where this runs; packages that are not installed are left out."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    library, _, number = blas().partition(" ")
    versions[f"numpy's {library}"] = number or "unknown"
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        memory_gb=round(pages / 2**30, 1),
        system=f"{platform.system()} {platform.machine()}",
        date=datetime.date.today().isoformat(),
        versions=versions,
    )


def _cpu() -> str:
    """The processor's name, and its widest vectors."""
    flags = re.search(r"flags\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    known = flags[1].split() if flags else []
    widest = next((f for f in ("avx512f", "avx2", "avx") if f in known), None)
    return processor() + (f", {widest}" if widest else "")
