"""Data folders made of features in several files, in shards, and by several processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from rnnkit.data import open_data
from rnnkit.data.checksums import CHECKSUMS, check_checksums
from rnnkit.data.preparing import feature_source
from rnnkit.data.preparing.prepare import prepare
from rnnkit.errors import DataError
from rnnkit.kinds import Array
from rnnkit.system.files import sole_owner
from tests.datafolders import read_array
from tests.ranks import finish, needs_mpi, start
from tests.test_prepare import FEATURES, content, many, write

IMAGES = 90


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Captions and features of many images."""
    rng = np.random.default_rng(7)
    features = rng.standard_normal((IMAGES, 5)) @ rng.standard_normal((5, 5)) + 3
    return write(tmp_path, many(IMAGES, rng), features.astype(np.float32))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features are read by seven rows."""
    monkeypatch.setattr(feature_source, "BLOCK_BYTES", 7 * 5 * 4)


def shards_of(folder: Path, name: str) -> list[Array]:
    """The features in each shard of a file, by h5py alone."""
    return [
        read_array(path, "features").astype(np.float64)
        for path in sorted(folder.glob(f"{name}-*-of-*.h5"))
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("shards", [2, 4, 9])
def test_shards_have_the_rows_of_the_one_file_in_order(
    files: tuple[Path, Path], tmp_path: Path, shards: int
) -> None:
    prepare(*files, tmp_path / "one", val=0.2)
    prepare(*files, tmp_path / "many", val=0.2, shards=shards)
    for split, images in (("train", 72), ("val", 18)):
        whole = read_array(tmp_path / "one" / f"features_{split}.h5", "features")
        parts = shards_of(tmp_path / "many", f"features_{split}")
        assert sorted({len(part) for part in parts}) in (
            [images // shards],
            [images // shards, images // shards + 1],
        )
        assert len(parts) == shards
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    one, other = contents(tmp_path / "one"), contents(tmp_path / "many")
    same = [n for n in one if not n.startswith("features_") and n != CHECKSUMS]
    assert len(same) == 6
    assert {name: other[name] for name in same} == {name: one[name] for name in same}


@pytest.mark.usefixtures("small_blocks")
def test_a_pca_into_shards_is_that_into_one_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    one = prepare(*files, tmp_path / "one", pca=3)
    sharded = prepare(*files, tmp_path / "many", pca=3, shards=4)
    assert sharded.kept_variance == pytest.approx(one.kept_variance, rel=1e-12)
    assert [s.feature_files for s in sharded.summary.splits] == [4, 4]
    for raw in (False, True):
        with open_data(tmp_path / "one", raw=raw) as a, open_data(tmp_path / "many", raw=raw) as b:
            for name, split in a.splits.items():
                rows = np.arange(split.images)
                np.testing.assert_allclose(
                    b.split(name).features.rows(rows, np.dtype("f8")),
                    split.features.rows(rows, np.dtype("f8")),
                    rtol=0 if raw else 1e-5,
                    atol=0 if raw else 1e-6,
                )


def test_there_are_no_more_shards_than_images(tmp_path: Path) -> None:
    done = prepare(*write(tmp_path, content(), FEATURES), tmp_path / "out", val=0.25, shards=3)
    assert {s.split: s.feature_files for s in done.summary.splits} == {"train": 3, "val": 1}
    with pytest.raises(DataError, match="shards is 0, but must be at least 1"):
        prepare(*write(tmp_path, content(), FEATURES), tmp_path / "none", shards=0)


# Several files of features


def split_up(folder: Path, features: Array, *rows: int) -> list[Path]:
    """NumPy files with so many rows each."""
    paths = [folder / f"part{k}.npy" for k in range(len(rows))]
    for path, part in zip(paths, np.split(features, np.cumsum(rows)[:-1]), strict=True):
        np.save(path, part)
    return paths


@pytest.mark.usefixtures("small_blocks")
def test_the_rows_of_several_files_follow_each_other(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    parts = split_up(tmp_path, np.load(files[1]), 10, 1, 60, 19)
    prepare(*files, tmp_path / "one")
    prepare(files[0], parts, tmp_path / "other")
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def write_ids(path: Path, features: Array, ids: Sequence[object] | None) -> Path:
    with h5py.File(path, "w") as file:
        file["features"] = features
        if ids is not None:
            file["image_ids"] = ids
    return path


def test_each_of_several_files_says_whose_its_rows_are(tmp_path: Path) -> None:
    captions, _ = write(tmp_path, content(), FEATURES)
    halves = [
        write_ids(tmp_path / "a.h5", FEATURES[:1].astype(np.float16), [40]),
        write_ids(tmp_path / "b.h5", FEATURES[1:], [10, 20, 30]),
    ]
    done = prepare(captions, halves, tmp_path / "out", val=0.0)
    assert (tmp_path / "out" / "train_images.txt").read_text().split() == [
        "40.jpg",
        "10.jpg",
        "20.jpg",
        "30.jpg",
    ]
    stored = read_array(tmp_path / "out" / "features_train.h5", "features")
    np.testing.assert_array_equal(stored, FEATURES, strict=True)
    assert done.matched.unlisted == 0


@pytest.mark.parametrize(
    ("second", "ids", "text"),
    [
        (
            FEATURES[1:, :2],
            [10, 20, 30],
            "b.h5 has features of width 2, but {a} features of width 3",
        ),
        (FEATURES[1:], None, "b.h5 has no image_ids, but other files have"),
        (FEATURES[1:], [10, 40, 30], "b.h5: image_ids has 40 as {a} has"),
    ],
)
def test_files_that_do_not_fit_each_other_are_told(
    tmp_path: Path, second: Array, ids: list[int] | None, text: str
) -> None:
    captions, _ = write(tmp_path, content(), FEATURES)
    a = write_ids(tmp_path / "a.h5", FEATURES[:1], [40])
    b = write_ids(tmp_path / "b.h5", second, ids)
    with pytest.raises(DataError) as told:
        prepare(captions, [a, b], tmp_path / "out")
    assert text.format(a=a) in str(told.value)
    with pytest.raises(DataError, match="there is no file of features"):
        prepare(captions, [], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rows_that_are_left_out_are_not_looked_at(tmp_path: Path) -> None:
    features = np.insert(FEATURES, 2, np.nan, axis=0)
    captions, path = write(tmp_path, content(), features, image_ids=[10, 20, 99, 30, 40])
    done = prepare(captions, path, tmp_path / "out", val=0.0)
    assert done.matched.unlisted == 1
    stored = read_array(tmp_path / "out" / "features_train.h5", "features")
    np.testing.assert_array_equal(stored, FEATURES)


def test_a_folder_that_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    part = tmp_path / ".out.part"
    part.mkdir()
    with (
        sole_owner(part),
        pytest.raises(DataError, match=r"\.out\.part exists: something is writing .*out, or was"),
    ):
        prepare(*write(tmp_path, content(), FEATURES), tmp_path / "out")
    assert part.exists()


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path) -> None:
    part = tmp_path / ".out.part"
    part.mkdir()
    (part / "captions.h5").write_text("half")
    prepare(*write(tmp_path, content(), FEATURES), tmp_path / "out")
    assert not part.exists()
    assert (tmp_path / "out" / "captions.h5").exists()


# Several processes


def command(files: tuple[Path, Path], out: Path, *options: str) -> list[str | Path]:
    return [
        "data",
        "prepare",
        "--captions",
        files[0],
        "--features",
        files[1],
        "--out",
        out,
        *options,
    ]


@needs_mpi
@pytest.mark.parametrize(("ranks", "shards"), [(2, 4), (3, 4), (3, 2)])
def test_several_processes_write_the_files_of_one(
    files: tuple[Path, Path], tmp_path: Path, ranks: int, shards: int
) -> None:
    out = finish(
        start(
            ranks, "command", tmp_path, *command(files, tmp_path / "all", "--shards", str(shards))
        )
    )
    assert out.count("wrote ") == 1
    prepare(*files, tmp_path / "one", shards=shards)
    assert contents(tmp_path / "all") == contents(tmp_path / "one")
    assert not list(tmp_path.glob(".*"))


@needs_mpi
@pytest.mark.parametrize("shards", [1, 2])
def test_several_processes_fit_the_pca_of_one(
    files: tuple[Path, Path], tmp_path: Path, shards: int
) -> None:
    options = ("--pca", "3", "--shards", str(shards), "--val", "0.2")
    finish(start(2, "command", tmp_path, *command(files, tmp_path / "all", *options)))
    prepare(*files, tmp_path / "one", pca=3, shards=shards, val=0.2)
    names = {path.name for path in (tmp_path / "all").iterdir()}
    assert names == {path.name for path in (tmp_path / "one").iterdir()}
    for name in names:
        ours, theirs = tmp_path / "all" / name, tmp_path / "one" / name
        if name == "pca.h5":
            for key in ("mean", "components", "scale"):
                a, b = (np.asarray(read_array(path, key), np.float64) for path in (ours, theirs))
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
        elif name.startswith("features_") and "raw" not in name:
            a, b = (read_array(path, "features").astype(np.float64) for path in (ours, theirs))
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        elif name == CHECKSUMS:
            check_checksums(ours.parent)
        else:
            assert ours.read_bytes() == theirs.read_bytes(), name


@needs_mpi
def test_a_full_disk_of_one_process_is_told_with_its_rank_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    files = write(tmp_path, many(40, rng), rng.standard_normal((40, 2000)).astype(np.float32))
    process = start(2, "full", "1", tmp_path, *command(files, tmp_path / "out", "--shards", "2"))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert not out
    assert err.count("cannot write the data to") == 1
    assert err.startswith("rank 1 of 2 (on ")
    assert f": cannot write the data to {tmp_path / 'out'}: File too large; make room" in err
    left = sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".pid")
    assert left == ["captions.json", "features.npy"]


@needs_mpi
def test_a_mistake_that_one_process_meets_is_told_once_and_nothing_is_left(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    features = np.load(files[1])
    features[IMAGES - 1, 2] = np.inf  # of the last shard, if it is of train
    np.save(files[1], features)
    process = start(
        2, "command", tmp_path, *command(files, tmp_path / "out", "--shards", "2", "--val", "0")
    )
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.count("the feature in row 89, column 2 is inf") == 1
    assert "rank" not in err
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))
    assert not out
