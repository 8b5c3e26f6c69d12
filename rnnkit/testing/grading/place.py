"""Where a submission runs: its folders, the files that it may see, and its environment."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterable, Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import numpy as np

from rnnkit.registry.entry_points import packages_with_plugins

DISK: Final = 50_000_000
"""Bytes that a submission may write."""


@attrs.frozen
class Place:
    """Where a submission is, and what its process may see.

    Attributes:
        root: folder with its files.
        scratch: folder that it may write in.
        rnnkit: what it may import of it: nothing, as functions need; the interfaces of plugins, as classes do; or all,
            to explain what is wrong, and never to judge.
        packages: others that it may import.
    """

    root: Path
    scratch: Path
    rnnkit: Literal["nothing", "kinds", "all"] = "nothing"
    packages: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """Its variables: nothing of the user's."""
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        home = dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR"), str(self.scratch))
        fixed = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
        return {**one, **home, **fixed}

    def config(self, answers: int, memory: int) -> dict[str, Any]:
        """What the process of a submission is started with."""
        paths = _python()
        imports = ["numpy", "numpy.linalg", "numpy.random", "numpy.fft", "numpy.ma"]
        imports += self.packages
        readable = [*paths.files, *_folders(self.packages), str(self.root)]
        path = [str(self.root), *paths.path]
        if self.rnnkit == "kinds":
            imports.append("rnnkit.testing.grading.plugins")
            readable += paths.kinds
        elif self.rnnkit == "all":
            imports.append("rnnkit.testing.grading.explaining")
            readable += paths.packages
            path += paths.packages
        return {
            "answers": answers,
            "imports": imports,
            "hidden": packages_of_plugins(),
            "path": path,
            "readable": readable,
            "scratch": str(self.scratch),
            "memory": memory,
            "disk": DISK,
        }


@attrs.frozen
class _Python:
    """Files that Python and NumPy are, the path that finds them, folders of all packages, and rnnkit without solutions."""

    files: list[str]
    path: list[str]
    packages: list[str]
    kinds: list[str]


def _python() -> _Python:
    standard = Path(sysconfig.get_path("stdlib"))
    numpy = Path(np.__file__).parent
    own = Path(__file__).parents[3]
    libraries = [*standard.glob("*"), Path(sysconfig.get_path("platstdlib")) / "lib-dynload"]
    files = [f for f in libraries if f.name not in ("site-packages", "dist-packages")]
    files += [numpy, numpy.with_name("numpy.libs"), Path(__file__).parent / "inside"]
    files += map(
        Path, ("/lib", "/lib64", "/usr/lib", "/etc/ld.so.cache", "/dev/null", "/dev/urandom")
    )
    sites = {str(numpy.parent), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    builtin = [
        str(p)
        for p in (own, own / "plugins")
        if any((p / name).is_dir() for name in packages_of_plugins())
    ]
    return _Python(
        [str(f) for f in files if f.exists()],
        [str(standard), str(standard / "lib-dynload")],
        [*sites, str(own), *builtin],
        [str(f) for f in (own / "rnnkit").glob("*") if f.name != "compat"],
    )


def packages_of_plugins() -> list[str]:
    """Where rnnkit's own distribution has its plugins: in packages beside `rnnkit`."""
    return sorted(packages_with_plugins(metadata.distribution("rnnkit")) - {"rnnkit"})


def _folders(packages: Iterable[str]) -> Iterator[str]:
    """What packages consist of, with the libraries that wheels bring beside them."""
    for package in packages:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            yield folder
            yield f"{folder}.libs"
