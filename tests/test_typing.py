"""mypy rejects what the author of a plugin, or of a script, may get wrong, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


FILES = ("wrong_plugins.py", "wrong_scripts.py")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy says of both files; most of its time goes into what they import."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--cache-dir",
            str(tmp_path_factory.mktemp("mypy")),
            "--no-error-summary",
            *(str(ROOT / "tests" / "typing" / name) for name in FILES),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("name", FILES)
def test_mypy_rejects_every_marked_line_and_no_other(name: str, said: str) -> None:
    text = (ROOT / "tests" / "typing" / name).read_text(encoding="utf-8")
    marked = {number for number, line in enumerate(text.splitlines(), 1) if "# BAD" in line}
    errors = re.findall(rf"{name}:(\d+): error", said)
    assert {int(number) for number in errors} == marked, said
