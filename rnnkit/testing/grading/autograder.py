"""The zip that Gradescope takes: rnnkit as a wheel, the assignment, and the two scripts that it runs."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from rnnkit.errors import CourseError
from rnnkit.system.files import write_whole
from rnnkit.testing.functions.assignment import read_assignment
from rnnkit.testing.grading.place import packages_of_plugins

SETUP: Final = """#!/usr/bin/env bash
# Gradescope runs this once, when it builds the image.
set -eu
ROOT="${AUTOGRADER:-/autograder}"
new_enough() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; }
find_python() { for p in python3 python3.13 python3.12 python3.11; do if new_enough "$p"; then echo "$p"; return; fi; done; }
PYTHON="$(find_python)"
if [ -z "$PYTHON" ]; then
  apt-get update
  apt-get install -y python3 python3-venv || true
  apt-get install -y python3.12-venv || apt-get install -y python3.11-venv || true
  PYTHON="$(find_python)"
fi
if [ -z "$PYTHON" ]; then
  echo "rnnkit needs Python 3.11 or newer: choose Ubuntu 24.04 as the base image" >&2
  exit 1
fi
"$PYTHON" -m venv "$ROOT/environment"
"$ROOT/environment/bin/python" -m pip install --disable-pip-version-check "$ROOT"/source/*.whl
"""

RUN: Final = """#!/usr/bin/env bash
# Gradescope runs this for each submission.
set -eu
ROOT="${{AUTOGRADER:-/autograder}}"
mkdir -p "$ROOT/results"
cd "$ROOT/source"
exec "$ROOT/environment/bin/python" -m rnnkit grade "$ROOT/submission" --assignment {assignment} \\
  --results "$ROOT/results/results.json" --seed {seed}{answers}
"""

_LEFT_OUT: Final = ("__pycache__", ".pyc")


def make_autograder(file: Path, assignment: str, seed: int = 0, *, answers: bool = True) -> None:
    """Write the zip for an assignment.

    Args:
        file: to write.
        assignment: its name, or its file; what it extends and a solution that is a file come along.
        seed: of the random inputs.
        answers: whether students are told what wrong gradients should be.

    Raises:
        CourseError: the assignment has mistakes, or files of it are in other folders.
    """
    read = read_assignment(assignment)
    named = f"assignment/{Path(assignment).name}" if assignment.endswith(".toml") else assignment
    folders = {f.parent.resolve() for f in read.files}
    if len(folders) > 1:
        raise CourseError(
            f"{assignment}: put all its files into one folder: {', '.join(map(str, read.files))}"
        )
    run = RUN.format(assignment=named, seed=seed, answers="" if answers else " --no-answers")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in (("setup.sh", SETUP), ("run_autograder", run)):
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100755 << 16
            made.writestr(entry, text)
        name, wheel = _wheel()
        made.writestr(name, wheel)
        for part in dict.fromkeys(read.files):
            made.write(part, f"assignment/{part.name}")
    write_whole(file, lambda temporary: _write(temporary, packed.getvalue()))


def _wheel() -> tuple[str, bytes]:
    """rnnkit, as it is installed here, as a wheel: its name and its bytes."""
    package = metadata.distribution("rnnkit")
    info = f"rnnkit-{package.version}.dist-info"
    files = dict(_sources())
    for name in ("METADATA", "entry_points.txt"):
        files[f"{info}/{name}"] = (package.read_text(name) or "").encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: rnnkit\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            wheel.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
    return f"rnnkit-{package.version}-py3-none-any.whl", packed.getvalue()


def _sources() -> Iterator[tuple[str, bytes]]:
    """The files of rnnkit and of its plugins, by where they go."""
    for package in ("rnnkit", *packages_of_plugins()):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        root = Path(spec.origin).parent
        for path in sorted(root.rglob("*")):
            if path.is_file() and not any(word in str(path) for word in _LEFT_OUT):
                yield f"{package}/{path.relative_to(root).as_posix()}", path.read_bytes()
        specs = root.parent / "specs"
        if package == "rnnkit" and not (root / "specs").exists() and specs.is_dir():
            for path in sorted(specs.glob("*.toml")):
                yield f"rnnkit/specs/{path.name}", path.read_bytes()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _write(file: Path, data: bytes) -> None:
    file.write_bytes(data)
