"""Ctrl-C before the command line is there, while it runs, and after it: always as quiet, with the same exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rnnkit.parallel.ranks import Alone
from rnnkit.training import train

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

PRESSED = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"

AT_THE_END = """
import atexit, os, signal, sys
{before}
atexit.register(os.kill, os.getpid(), signal.SIGINT)
sys.argv = ["rnnkit", "--version"]
from rnnkit.__main__ import main
main()
"""


def ran(*command: str | Path, path: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(path)},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("module", ["typer", "inspect", "numpy"])
def test_while_modules_are_imported(tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text(PRESSED)
    assert ran("-m", "rnnkit", "build", "none.toml", path=tmp_path) == (130, "", "")


def test_when_the_command_has_ended(tmp_path: Path) -> None:
    code, out, err = ran("-c", AT_THE_END.format(before=""), path=tmp_path)
    assert (code, err) == (128 + signal.SIGINT, "")
    assert out.startswith("rnnkit ")


def test_it_is_ignored_where_whoever_started_it_has_had_it_ignored(tmp_path: Path) -> None:
    before = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    code, out, err = ran("-c", AT_THE_END.format(before=before), path=tmp_path)
    assert (code, err) == (0, "")
    assert out.startswith("rnnkit ")


def test_while_it_is_asked_whether_to_stop(
    spec: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def pressed_meanwhile(self: Alone, flag: bool) -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            signal.raise_signal(signal.SIGINT)
        return flag

    monkeypatch.setattr(Alone, "any", pressed_meanwhile)
    run = train(spec, tiny_data, tmp_path / "run")
    assert run.asked == signal.SIGINT
    assert not run.finished
