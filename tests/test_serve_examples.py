"""The examples of examples/serve/ work, against a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Place, serving

EXAMPLES = Path(__file__).parents[1] / "examples" / "serve"


@pytest.fixture(scope="module")
def place(small_run: Path) -> Iterator[Place]:
    with serving([small_run]) as found:
        yield found


@pytest.fixture(scope="module")
def photo(tiny_data: Path) -> Path:
    return tiny_data / "images" / "val" / "00002.png"


def run(place: Place, *command: str | Path, code: int = 0) -> str:
    """What an example prints."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    url = place.url.rstrip("/")
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_curl(place: Place, photo: Path) -> None:
    told = run(place, "sh", EXAMPLES / "caption.sh", photo) if shutil.which("curl") else ""
    if not told:
        pytest.skip("curl is not installed")
    first, *events = told.split("\n")
    wanted = place.caption(photo, "decoder=beam&n_best=3")
    (found,) = json.loads(first)["captions"]
    assert (found["caption"], len(found["others"])) == (wanted["caption"], 2)
    assert events.count("event: caption") == events.count("event: done") == 1
    assert events.count("event: word") == len(place.caption(photo, "decoder=greedy")["words"])


def test_the_standard_library(place: Place, photo: Path) -> None:
    told = run(place, sys.executable, EXAMPLES / "caption.py", photo)
    wanted = place.caption(photo, 'decoder={"use":"beam","width":5}&n_best=3'.replace('"', "%22"))
    lines = told.splitlines()
    assert lines[0] == f"small: {wanted['caption']}  [{wanted['log_prob']:.2f}]"
    assert [line.startswith("  or: ") for line in lines[1:3]] == [True, True]
    assert len(lines) == 3 + len(wanted["words"])
    assert "is not a picture" in run(
        place, sys.executable, EXAMPLES / "caption.py", Path(__file__), code=1
    )


def test_fetch(place: Place, photo: Path) -> None:
    told = run(place, "node", EXAMPLES / "caption.mjs", photo)
    wanted = place.caption(photo, "decoder=greedy")
    *words, last = told.splitlines()
    assert [word.split()[0] for word in words] == wanted["caption"].split()
    assert last == f"small: {wanted['caption']}"
    assert "is not a picture" in run(
        place, "node", EXAMPLES / "caption.mjs", Path(__file__), code=1
    )
