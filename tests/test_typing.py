"""mypy rejects what the author of a plugin, or of a script, may get wrong, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["wrong_plugins.py", "wrong_scripts.py"])
def test_mypy_rejects_every_marked_line_and_no_other(name: str, tmp_path: Path) -> None:
    file = ROOT / "tests" / "typing" / name
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    marked = {number for number, line in lines if "# BAD" in line}
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--cache-dir",
            str(tmp_path),
            "--no-error-summary",
            str(file),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = re.findall(rf"{name}:(\d+): error", ran.stdout)
    assert {int(number) for number in errors} == marked, ran.stdout + ran.stderr
