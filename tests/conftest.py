"""Set-up that tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnkit.data.scenes import write_scenes

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of a few scenes. Not to be changed."""
    folder = tmp_path_factory.mktemp("data") / "scenes"
    write_scenes(folder, train=24, val=8, seed=1)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data that developers have beside the project."""
    if not (SHARED / "data").is_dir():
        pytest.skip("real data is only there for developers")
    return SHARED / "data"
