"""The last net: a fault is one sentence, says whose it is, and keeps its traceback in a file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rnnkit.errors import DataError
from rnnkit.system.fault import FAULT, MISTAKE, said_of
from rnnkit.system.json_text import json_text

ESCAPING = """
import sys
import rnnkit.cli.runs
from rnnkit.cli import app, main

@app.command("break")
def broken() -> None:
    {code}

sys.argv = ["rnnkit", "break"]
main()
"""


def ended(code: str, folder: Path) -> tuple[int, str]:
    """How the command line ends where a command does this."""
    (folder / "go.py").write_text(ESCAPING.format(code=code))
    ran = subprocess.run(
        [sys.executable, folder / "go.py"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "TMPDIR": str(folder)},
    )
    return ran.returncode, ran.stderr


def test_a_fault_of_rnnkit_is_one_sentence_and_a_file_to_report(tmp_path: Path) -> None:
    code, said = ended("rnnkit.cli.runs.runs(5)", tmp_path)
    assert code == FAULT == 70
    (line,) = said.splitlines()
    assert line.startswith("this is a fault of rnnkit, not yours: ")
    (file,) = tmp_path.glob("rnnkit-fault-*.txt")
    assert line.endswith(f"please report it to its authors: the details are in {file}")
    kept = file.read_text()
    assert kept.startswith("rnnkit 0.1.0, Python 3.")
    assert "Traceback (most recent call last)" in kept


def test_a_fault_of_a_plugin_says_where_it_is(tmp_path: Path) -> None:
    code, said = ended("import numpy; numpy.zeros(-1)", tmp_path)
    assert code == MISTAKE
    assert re.match(r"the code of a plugin has failed: ValueError: negative dimensions ", said)


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (DataError("no such split"), "no such split", 2),
        (KeyboardInterrupt(), "interrupted", 130),
        (
            MemoryError("Unable to allocate 75 GiB"),
            "the memory of this machine is not enough: Unable to allocate 75 GiB",
            2,
        ),
    ],
)
def test_what_a_user_can_mend_is_told_as_it_is(error: BaseException, text: str, code: int) -> None:
    assert said_of(error) == (text, code)


def test_json_has_null_for_what_is_no_number() -> None:
    value = {"a": [1.5, float("nan")], "b": (float("inf"), {"c": -float("inf")}), "d": "NaN"}
    assert json_text(value) == '{"a": [1.5, null], "b": [null, {"c": null}], "d": "NaN"}'
