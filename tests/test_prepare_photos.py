"""A data folder from photos and captions: the features of its photos, whoever stopped it in between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from rnnkit.cli import app
from rnnkit.data import open_data
from rnnkit.data.preparing.encoding import BLOCK
from rnnkit.data.preparing.photos import find_files, prepare_photos
from rnnkit.errors import DataError
from rnnkit.kinds import Encoder
from rnnkit.spec import load_plugin

ENCODER = load_plugin(Encoder, "scenes")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures of more than two blocks, and captions.json. Not to be changed."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    from PIL import Image

    (folder / "images" / "train").mkdir(parents=True)
    names = [f"{i:03}.png" for i in range(2 * BLOCK + 10)]
    for name in names:
        pixels = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((64, 64))
        picture.save(folder / "images" / "train" / name)
    content = {
        "images": [{"id": i, "file_name": f"train/{name}"} for i, name in enumerate(names)],
        "annotations": [
            {"image_id": i, "caption": f"squares of the number {i % 7}"} for i in range(len(names))
        ],
    }
    (folder / "captions.json").write_text(json.dumps(content))
    return folder


def prepared(photos: Path, out: Path, *words: object) -> Result:
    given = ("--images", photos / "images", "--captions", photos / "captions.json", "--out", out)
    options = ("--encoder", "scenes", "--min-count", 1)
    return CliRunner().invoke(
        app, ["data", "prepare", *map(str, given), *map(str, options), *map(str, words)]
    )


def contents(folder: Path) -> dict[str, object]:
    """What is in the files of a data folder, HDF5 by its values."""
    found: dict[str, object] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix == ".h5":
            with h5py.File(file) as h5:
                found[file.name] = {name: np.asarray(h5[name]).tolist() for name in h5}
        else:
            found[file.name] = file.read_text()
    return found


def test_features_are_those_of_the_photos_and_the_folder_says_of_which_encoder(
    photos: Path, tmp_path: Path
) -> None:
    done = prepared(photos, tmp_path / "data", "--pca", 5)
    assert done.exit_code == 0, done.output
    with open_data(tmp_path / "data") as data, open_data(tmp_path / "data", raw=True) as raw:
        assert data.pipeline is not None
        assert raw.pipeline is not None
        assert (data.feature_width, raw.feature_width) == (5, 78)
        for dataset, pipeline in ((data, data.pipeline), (raw, raw.pipeline)):
            for split in dataset.splits.values():
                assert split.pictures is not None
                files = [photos / "images" / name for name in split.pictures]
                stored = split.features.rows(np.arange(split.images), np.dtype(np.float32))
                np.testing.assert_allclose(pipeline.features(files), stored, rtol=0, atol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_was_stopped_goes_on_and_encodes_nothing_twice(photos: Path, tmp_path: Path) -> None:
    def go(name: str, stop: int | None = None) -> list[tuple[int, int]]:
        seen: list[tuple[int, int]] = []

        def progress(done: int, all: int) -> None:
            seen.append((done, all))
            if done == stop:
                raise KeyboardInterrupt

        prepare_photos(
            photos / "images",
            photos / "captions.json",
            tmp_path / name,
            ENCODER,
            progress=progress,
            min_count=1,
        )
        return seen

    n = 2 * BLOCK + 10
    assert go("whole") == [(0, n), (BLOCK, n), (2 * BLOCK, n), (n, n)]
    with pytest.raises(KeyboardInterrupt):
        go("stopped", stop=BLOCK)
    assert not (tmp_path / "stopped").exists()
    assert go("stopped") == [(0, BLOCK + 10), (BLOCK, BLOCK + 10), (BLOCK + 10, BLOCK + 10)]
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_what_was_killed_goes_on(photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rnnkit", "data", "prepare", "--encoder", "scenes"]
    command += ["--images", str(photos / "images"), "--captions", str(photos / "captions.json")]
    command += ["--min-count", "1", "--out", str(tmp_path / "data")]
    work = tmp_path / ".data.photos"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        while running.poll() is None and not list(work.glob("[!.]*.h5")):
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
    if not (tmp_path / "data").exists():
        (tmp_path / ".data.part").mkdir(exist_ok=True)  # as if it was killed while writing this
        assert prepared(photos, tmp_path / "data").exit_code == 0
    assert prepared(photos, tmp_path / "whole").exit_code == 0
    assert contents(tmp_path / "data") == contents(tmp_path / "whole")


def test_a_photo_that_has_changed_is_encoded_again(photos: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(photos, tmp_path / "copy")

    def stop(done: int, all: int) -> None:
        if done == BLOCK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_photos(
            copy / "images", copy / "captions.json", tmp_path / "a", ENCODER, progress=stop
        )
    shutil.copy(copy / "images" / "train" / "100.png", copy / "images" / "train" / "000.png")
    assert prepared(copy, tmp_path / "a").exit_code == 0
    assert prepared(copy, tmp_path / "b").exit_code == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_photo_that_changes_while_it_is_read_is_told_and_left_out(
    photos: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(photos, tmp_path / "copy")

    def change(done: int, all: int) -> None:
        if done == all:
            (copy / "images" / "train" / "000.png").touch()

    prepare_photos(
        copy / "images", copy / "captions.json", tmp_path / "data", ENCODER, progress=change
    )
    (line,) = (tmp_path / "data" / "left_out.txt").read_text().splitlines()
    assert line.startswith("train/000.png\t")
    assert line.endswith("000.png has changed while it was read")


def test_photos_that_cannot_be_read_or_are_missing_are_listed_and_left_out(
    photos: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(photos, tmp_path / "copy")
    (copy / "images" / "train" / "000.png").write_bytes(b"no picture")
    (copy / "images" / "train" / "007.png").unlink()
    (copy / "images" / "train" / "009.png").unlink()
    (copy / "images" / "train" / "009.png").symlink_to(tmp_path / "nowhere")
    done = prepared(copy, tmp_path / "data")
    assert done.exit_code == 0, done.output
    assert "3 images have captions but no photo that can be read" in " ".join(done.output.split())
    listed = (tmp_path / "data" / "left_out.txt").read_text().splitlines()
    reasons = dict(line.split("\t") for line in listed)
    assert "is not a picture" in reasons["train/000.png"]
    assert "has no photo of this name" in reasons["train/007.png"]
    assert "does not exist" in reasons["train/009.png"]
    assert len(reasons) == 3
    with open_data(tmp_path / "data") as data:
        assert sum(split.images for split in data.splits.values()) == 2 * BLOCK + 7
    strict = prepared(copy, tmp_path / "strict", "--strict")
    assert "train/007.png" in str(strict.exception)
    shutil.copy(photos / "images" / "train" / "007.png", copy / "images" / "train" / "007.png")
    strict = prepared(copy, tmp_path / "strict", "--strict")
    assert "000.png is not a picture" in str(strict.exception)
    assert not (tmp_path / "strict").exists()


def test_photos_are_found_below_the_folder_if_one_is_called_so(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "b/1.jpg", "b/2.jpg", "3.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [
        "a/1.jpg",
        "1.jpg",
        "2.jpg",
        "3.jpg",
        "x/3.jpg",
        r"C:\photos\2.jpg",
        "../3.jpg",
        "4.jpg",
    ]
    found = find_files(tmp_path, names)
    assert {name: file.relative_to(tmp_path).as_posix() for name, file in found.items()} == {
        "a/1.jpg": "a/1.jpg",
        "2.jpg": "b/2.jpg",
        "3.jpg": "3.jpg",
        "x/3.jpg": "3.jpg",
        r"C:\photos\2.jpg": "b/2.jpg",
        "../3.jpg": "3.jpg",
    }
    with pytest.raises(DataError, match="is not a folder"):
        find_files(tmp_path / "none", [])


def test_photos_or_features_must_be_given_but_not_both(photos: Path, tmp_path: Path) -> None:
    both = prepared(photos, tmp_path / "data", "--features", "f.npy")
    assert "either photos with --images DIR, or features" in str(both.exception)
