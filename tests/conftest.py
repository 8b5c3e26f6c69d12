"""Set-up that tests share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rnnkit.data.scenes import write_scenes
from rnnkit.training import train
from tests import browser
from tests.datafolders import write_coco_mini
from tests.specs import TRAINED

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHARED = Path(__file__).parents[2] / "shared"


def pytest_configure() -> None:
    """Heed Ctrl-C: a shell has it ignored by what it runs in the background, and so by all that tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of a few scenes. Not to be changed."""
    folder = tmp_path_factory.mktemp("data") / "scenes"
    write_scenes(folder, train=24, val=8, seed=1)
    return folder


@pytest.fixture(scope="session")
def small_run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run, called small, whose model was trained on a few scenes. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    spec = folder.with_suffix(".toml")
    spec.write_text(TRAINED)
    train(spec, data=tiny_data, out=folder)
    return folder


@pytest.fixture
def spec(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A file with a small spec to train: that of the test's module, if it has one."""
    file = tmp_path / "small.toml"
    file.write_text(getattr(request.module, "SPEC", TRAINED))
    return file


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data that developers have beside the project."""
    if not (SHARED / "data").is_dir():
        pytest.skip("real data is only there for developers")
    return SHARED / "data"


@pytest.fixture(scope="session", params=["made", pytest.param("real", marks=pytest.mark.heavy)])
def coco_mini(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs and captions in the assignment's layout, and what has the same form but is made here."""
    if request.param == "made":
        return write_coco_mini(tmp_path_factory.mktemp("data") / "coco")
    real: Path = request.getfixturevalue("real_data")
    return real / "coco_mini_cs231n"


@pytest.fixture(scope="session")
def with_third_party(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process in which the distribution of tests/thirdparty is installed, by pip."""
    target = tmp_path_factory.mktemp("site")
    source = Path(__file__).parent / "thirdparty"
    options = [
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--disable-pip-version-check",
    ]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        *options,
        "--target",
        str(target),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return {**os.environ, "PYTHONPATH": str(target)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser."""
    with browser.running() as opened:
        yield opened


@pytest.fixture
def tab(chromium: Browser) -> Iterator[browser.Tab]:
    """A tab of it."""
    with browser.tab_of(chromium) as opened:
        yield opened
