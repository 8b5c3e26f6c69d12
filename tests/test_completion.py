"""What Tab completes: commands, options, plugins and runs, as bash asks for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH that has `rnnkit`."""
    folder = tmp_path_factory.mktemp("programs")
    program = folder / "rnnkit"
    code = "import sys; from rnnkit.cli import main; sys.argv[0] = 'rnnkit'; main()"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    program.chmod(0o755)
    return os.pathsep.join([str(folder), os.environ["PATH"]])


def completed(path: str, folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of these words."""
    script = (
        'source <(_RNNKIT_COMPLETE=source_bash rnnkit); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        '_rnnkit_completion rnnkit; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    ran = subprocess.run(
        ["bash", "-c", script, "bash", "rnnkit", *words],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == ""
    return ran.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["pl"], ["plugins"]),
        (["train", "--res"], ["--resume"]),
        (["plugins", "show", "gru"], ["gru", "gru-reset-before"]),
        (["gradcheck", "lstm", "cosi"], ["cosine"]),
        (["gradcheck", "--kind", "l"], ["layer", "loss"]),
        (["plugins", "list", "ce"], ["cell"]),
        (["new", "x.toml", "--cell", "l"], ["lstm"]),
        (
            ["new", "x.toml", "--from", "flickr"],
            ["flickr8k-best", "flickr8k-lstm", "flickr8k-reward"],
        ),
        (["train", "--resume", ""], ["runs/a", "runs/b"]),
        (["eval", "runs/b"], ["runs/b"]),
        (["report", "elsewhere/"], ["elsewhere/c"]),
        (["runs", "--sort", "b"], ["best"]),
    ],
    ids=" ".join,
)
def test_tab_completes(words: list[str], offered: list[str], path: str, tmp_path: Path) -> None:
    for run in ("runs/a", "runs/b", "elsewhere/c"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "last.h5").touch()
    (tmp_path / "runs" / "none").mkdir()
    assert completed(path, tmp_path, *words) == offered
