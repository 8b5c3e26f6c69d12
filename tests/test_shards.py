"""Features in shards, and the reading of what is too large for memory."""

from __future__ import annotations

import itertools
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest

from rnnkit.data import FileFeatures, HeldFeatures, describe, open_data, open_features
from rnnkit.data.features import file_names
from rnnkit.data.features.groups import groups
from rnnkit.errors import DataError
from rnnkit.kinds import Array, DType, Ints
from tests.datafolders import features_path, into_shards, put, put_at, read_array, write_data_folder

FLOAT32: DType = np.dtype(np.float32)


@pytest.fixture
def by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """No features are small enough to be held."""
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 0)


def write_shards(
    folder: Path, values: Array, *rows: int, compression: str | None = None
) -> list[Path]:
    """Shards with so many rows each."""
    path = folder / "features_train.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=values, compression=compression)
    return into_shards(path, *rows)


# Names


def test_shards_are_numbered_from_zero() -> None:
    assert file_names("features_train.h5", 1) == ["features_train.h5"]
    assert file_names("features_train.h5", 2) == [
        "features_train-00000-of-00002.h5",
        "features_train-00001-of-00002.h5",
    ]


@pytest.mark.parametrize("assignment", [False, True], ids=["data folder", "assignment"])
@pytest.mark.parametrize("raw", [False, True], ids=["pca", "raw"])
@pytest.mark.parametrize("limit", [0, 2**20], ids=["by rows", "held"])
def test_shards_are_read_as_the_file_that_they_are_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assignment: bool, raw: bool, limit: int
) -> None:
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", limit)
    folder = write_data_folder(tmp_path, assignment=assignment, raw=True, images=9)
    path = features_path(folder, "train", raw=raw)
    values = read_array(path, "features").astype(np.float32)
    into_shards(path, 3, 1, 5)
    with open_data(folder, raw=raw) as data:
        train, val = (data.split(name).features for name in ("train", "val"))
        assert (train.shape, train.files, train.held) == (values.shape, 3, limit > 0)
        assert val.files == 1
        order = np.array([8, 0, 4, 3, 2, 8, 5])
        np.testing.assert_array_equal(train.rows(order, FLOAT32), values[order])
        assert [s.feature_files for s in describe(data).splits] == [3, 1]


def test_shards_are_held_if_all_of_them_are_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = write_shards(tmp_path, np.ones((10, 10), np.float16), 4, 6)
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 400)
    assert isinstance(open_features(*shards), HeldFeatures)
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 399)
    assert isinstance(open_features(*shards), FileFeatures)


SHARD = "features_train-0000{}-of-00003.h5"

# What is wrong: how it is brought about, the file that the sentence starts with, what it goes on with.
BAD_SHARDS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "one is missing": (
        lambda folder: (folder / SHARD.format(1)).unlink(),
        SHARD.format(1),
        " is missing: there are 2 of 3 shards; add the others",
    ),
    "the whole beside them": (
        lambda folder: put(folder / "features_train.h5", "features", np.ones((4, 6))),
        "features_train.h5",
        f" and shards of it, such as {SHARD.format(0)}, are both there; remove one or the other",
    ),
    "two sets": (
        lambda folder: put(
            folder / "features_train-00001-of-00002.h5", "features", np.ones((4, 6))
        ),
        SHARD.format(0),
        " is one of 3 shards, but features_train-00001-of-00002.h5 one of 2; remove those of one set",
    ),
    "another width": (
        lambda folder: put(folder / SHARD.format(2), "features", np.ones((2, 5), np.float32)),
        SHARD.format(2),
        " has rows of shape (5,) and type float32, but {folder}/"
        + SHARD.format(0)
        + " of (6,) and float32",
    ),
    "the same width in another shape": (
        lambda folder: put(folder / SHARD.format(1), "features", np.ones((1, 3, 2), np.float32)),
        SHARD.format(1),
        " has rows of shape (3, 2) and type float32, but {folder}/"
        + SHARD.format(0)
        + " of (6,) and",
    ),
    "another type": (
        lambda folder: put(folder / SHARD.format(1), "features", np.ones((1, 6), np.float16)),
        SHARD.format(1),
        " has rows of shape (6,) and type float16, but {folder}/"
        + SHARD.format(0)
        + " of (6,) and float32",
    ),
    "one is empty": (
        lambda folder: put(folder / SHARD.format(1), "features", np.ones((0, 6), np.float32)),
        SHARD.format(1),
        ": features is empty, of shape (0, 6)",
    ),
    "too few rows": (
        lambda folder: put(folder / SHARD.format(2), "features", np.ones((1, 6), np.float32)),
        "captions.h5",
        ": train_image_idxs[3] is 3, but the 3 rows of {folder}/"
        + f"{SHARD.format(0)} .. {SHARD.format(2)} are 0 to 2; use the features of the same images",
    ),
}


@pytest.mark.parametrize("wrong", BAD_SHARDS)
@pytest.mark.parametrize("limit", [0, 2**20], ids=["by rows", "held"])
def test_bad_shards_are_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, limit: int
) -> None:
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", limit)
    spoil, name, sentence = BAD_SHARDS[wrong]
    folder = write_data_folder(tmp_path, captions_each=1)
    into_shards(features_path(folder, "train"), 1, 1, 2)
    spoil(folder)
    with pytest.raises(DataError) as told:
        open_data(folder)
    assert str(told.value).startswith(f"{folder / name}{sentence.format(folder=folder)}")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "name",
    [
        "features_train-0000-of-00001.h5",
        "features_train-00001-of-00001.h5",
        "features_train-00000-of-00001.hdf5",
        "features_training-00000-of-00001.h5",
    ],
)
def test_what_is_not_named_like_a_shard_is_none(tmp_path: Path, name: str) -> None:
    folder = write_data_folder(tmp_path)
    features_path(folder, "train").rename(folder / name)
    with pytest.raises(DataError, match=r"features_train\.h5 is missing: the train"):
        open_data(folder)


def test_raw_features_in_shards_are_offered_where_there_are_no_others(tmp_path: Path) -> None:
    folder = write_data_folder(tmp_path, raw=True)
    features_path(folder, "val").unlink()
    into_shards(features_path(folder, "val", raw=True), 2, 2)
    with pytest.raises(
        DataError, match=r"; features_raw_val-00000-of-00002\.h5 is there: set raw to"
    ):
        open_data(folder)


def test_data_info_shows_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rnnkit.cli.data import info

    folder = write_data_folder(tmp_path)
    into_shards(features_path(folder, "train"), 1, 3)
    info(folder)
    titles, train, val = capsys.readouterr().out.splitlines()[:3]
    column = titles.index("files")
    assert train[column : column + 5].strip() == "2"
    assert val[column : column + 5].strip() == "1"


@pytest.mark.usefixtures("by_rows")
def test_data_info_finds_what_is_not_finite(tmp_path: Path) -> None:
    from rnnkit.cli.data import info

    folder = write_data_folder(tmp_path)
    shards = into_shards(features_path(folder, "val"), 1, 3)
    put_at(shards[1], "features", (2, 4), np.nan)
    with pytest.raises(DataError) as told:
        info(folder)
    assert str(told.value).startswith(f"{shards[1]}: features[2, 4] is nan, but features must be")


# Reading


@pytest.mark.usefixtures("by_rows")
@pytest.mark.parametrize("row", [(6,), (3, 2, 1)], ids=["vectors", "maps"])
@pytest.mark.parametrize("stored", ["<f2", "<f4", ">f8"])
@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize(("gap", "read"), [(0, 1), (2, 3), (5, 4), (2, 100)])
def test_rows_are_right_however_many_are_read_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    row: tuple[int, ...],
    stored: str,
    compression: str | None,
    gap: int,
    read: int,
) -> None:
    size = 6 * np.dtype(stored).itemsize
    monkeypatch.setattr("rnnkit.data.features.in_files.GAP_BYTES", gap * size)
    monkeypatch.setattr("rnnkit.data.features.in_files.READ_BYTES", read * size)
    rng = np.random.default_rng(4)
    values = rng.standard_normal((60, *row)).astype(stored)
    features = open_features(
        *write_shards(tmp_path, values, 11, 1, 30, 18, compression=compression)
    )
    flat = values.reshape(60, 6).astype(np.float32)
    for count in (1, 7, 40, 200):
        chosen = rng.integers(0, 60, count)
        np.testing.assert_array_equal(features.rows(chosen, FLOAT32), flat[chosen])
    features.close()


@pytest.mark.usefixtures("by_rows")
def test_neighbours_and_small_gaps_are_read_at_once_but_not_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnkit.data.features.in_files.GAP_BYTES", 2 * 24)
    monkeypatch.setattr("rnnkit.data.features.in_files.READ_BYTES", 8 * 24)
    features = open_features(*write_shards(tmp_path, np.ones((40, 6), np.float32), 20, 20))
    read: list[int] = []
    plain = h5py.h5s.create_simple

    def counting(shape: tuple[int, ...]) -> object:
        read.append(shape[0])
        return plain(shape)

    monkeypatch.setattr(h5py.h5s, "create_simple", counting)
    wanted = [0, 1, 4, 8, 9, 10, 14, 19, 20, 21, *range(25, 40)]
    features.rows(np.array(wanted), FLOAT32)
    # of the first file, up to its row 8, up to 16; of the second, whose rows are 0, 1, 5 and so on, the same
    assert read == [5, 3, 1, 1, 2, 3, 8, 4]
    features.close()


@pytest.mark.usefixtures("by_rows")
def test_no_more_files_are_open_than_a_process_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnkit.data.features.in_files.OPEN_FILES", 2)
    values = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
    before = h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
    features = open_features(*write_shards(tmp_path, values, 2, 3, 1, 4, 2))
    for order in (np.arange(12), np.array([11, 0, 6]), np.arange(12)[::-1]):
        np.testing.assert_array_equal(features.rows(order, FLOAT32), values[order])
        assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) <= before + 2
    features.close()
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == before


# Groups


def test_a_group_is_as_many_batches_as_have_its_distinct_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [[0, 0], [1, 0], [2, 3], [2], [], [4], [9, 8, 7, 6, 5], [1]]
    found = groups(map(np.array, rows), 3)
    assert [[batch.tolist() for batch in group] for group in found] == [
        [[0, 0], [1, 0], [2, 3]],
        [[2], [], [4], [9, 8, 7, 6, 5]],
        [[1]],
    ]
    monkeypatch.setattr("rnnkit.data.features.groups.GROUP_BATCHES", 50)
    for group in itertools.islice(groups(itertools.repeat(np.array([1, 2])), 3), 3):
        assert len(group) == 50


class Filled:
    """What FileFeatures have been asked to read, call by call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[list[int]] = []
        fill = FileFeatures.fill

        def recording(features: FileFeatures, values: Array, at: Ints, rows: Ints) -> None:
            self.calls.append(rows.tolist())
            fill(features, values, at, rows)

        monkeypatch.setattr(FileFeatures, "fill", recording)


@pytest.fixture
def values() -> Array:
    """Of 120 images."""
    return np.random.default_rng(5).standard_normal((120, 6)).astype(np.float32)


@pytest.fixture
def features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: Array
) -> Iterator[FileFeatures]:
    """Of these values, in three shards, read in groups of 20 rows."""
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 0)
    monkeypatch.setattr("rnnkit.data.features.in_files.GROUP_BYTES", 20 * 24)
    found = open_features(*write_shards(tmp_path, values, 50, 7, 63))
    assert isinstance(found, FileFeatures)
    yield found
    found.close()


def windows(rng: np.random.Generator) -> list[Ints]:
    """Batches of 4 in an order that goes through 15 images after the other, each five times."""
    rows = [rng.permutation(np.repeat(np.arange(i, i + 15), 5)) for i in range(0, 120, 15)]
    return np.split(np.concatenate(rows), 150)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_batches_are_the_rows_of_each(features: FileFeatures, values: Array, dtype: str) -> None:
    rng = np.random.default_rng(1)
    anywhere = [rng.integers(0, 120, k) for k in (4, 1, 0, 30, 4, 4, 100, 3)]
    for batches in (windows(rng), anywhere, [], [np.array([7])]):
        found = list(features.batches(batches, np.dtype(dtype)))
        assert len(found) == len(batches)
        for batch, indices in zip(found, batches, strict=True):
            np.testing.assert_array_equal(batch, values[indices].astype(dtype), strict=True)


def test_the_rows_of_a_group_are_read_once_in_the_order_of_the_files(
    features: FileFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = windows(np.random.default_rng(2))
    filled = Filled(monkeypatch)
    for _ in features.batches(batches, FLOAT32):
        pass
    assert len(filled.calls) == len(list(groups(batches, 20)))
    for rows in filled.calls:
        assert rows == sorted(set(rows))
    # Each window is smaller than a group, and what a group has in common with the one before is not read.
    assert sorted(itertools.chain(*filled.calls)) == list(range(120))


def test_each_rank_reads_its_own_rows_alone(
    features: FileFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = [indices[1::2] for indices in windows(np.random.default_rng(3))]
    filled = Filled(monkeypatch)
    for _ in features.batches(mine, FLOAT32):
        pass
    assert {*itertools.chain(*filled.calls)} == {*np.concatenate(mine).tolist()}


def test_what_cannot_be_read_is_told_where_it_is_used(
    features: FileFeatures, values: Array
) -> None:
    put_at(features.paths[2], "features", (3, 1), np.inf)  # row 60
    batches = [np.array(rows) for rows in ([1, 2], [61, 3], [59, 59], [4, 60, 5], [6])]
    found = features.batches(batches, FLOAT32)
    for indices in batches[:3]:
        np.testing.assert_array_equal(next(found), values[indices])
    with pytest.raises(DataError) as told:
        next(found)
    assert str(told.value).startswith(
        f"{features.paths[2]}: features[3, 1] is inf, but features must"
    )
    outside = features.batches([np.array([0]), np.array([120])], FLOAT32)
    np.testing.assert_array_equal(next(outside), values[:1])
    with pytest.raises(DataError, match="has no row 120; its 120 rows are 0 to 119"):
        next(outside)


def test_a_shard_that_goes_is_told_by_name(features: FileFeatures) -> None:
    features.paths[1].unlink()
    features.rows(np.array([3, 119]), FLOAT32)
    with pytest.raises(DataError, match=r"00001-of-00003\.h5 does not exist; write or download it"):
        features.rows(np.array([3, 52]), FLOAT32)


def test_batches_come_from_no_more_than_the_next_group(
    features: FileFeatures, values: Array
) -> None:
    drawn = itertools.count()

    def endless() -> Iterator[Ints]:
        for k in drawn:
            yield np.arange(2 * k, 2 * k + 2) % 120

    with closing(features.batches(endless(), FLOAT32)) as found:
        for k in range(10):  # the group of rows 0 to 19
            np.testing.assert_array_equal(next(found), values[2 * k : 2 * k + 2])
        assert next(drawn) == 20  # that of rows 20 to 39 is read meanwhile
        next(found)
        assert next(drawn) == 31
    assert not [t for t in threading.enumerate() if t.name.startswith("rnnkit-read")]
    with pytest.raises(StopIteration):
        next(found)
    assert next(drawn) == 32


def test_two_groups_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 0)
    monkeypatch.setattr("rnnkit.data.features.in_files.GROUP_BYTES", 2**20)
    monkeypatch.setattr("rnnkit.data.features.in_files.READ_BYTES", 2**16)
    monkeypatch.setattr("rnnkit.data.features.groups.PIECE", 16)
    found = open_features(*write_shards(tmp_path, np.ones((8192, 256), np.float32), 4000, 4192))
    rng = np.random.default_rng(0)
    near = (np.sort(rng.integers(0, 8192, 32 * 1200)) + rng.integers(0, 500, 32 * 1200)) % 8192
    batches = np.split(near, 1200)
    list(found.batches(batches[:1], FLOAT32))  # what is imported at the first call
    tracemalloc.start()
    try:
        for _ in found.batches(batches, FLOAT32):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    found.close()
    assert peak < 2.4 * 2**20  # all rows are 8 MiB


def test_a_split_goes_through_batches_once_and_as_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in (0, 2**20):
        monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", limit)
        monkeypatch.setattr("rnnkit.data.features.in_files.GROUP_BYTES", 24)
        with open_data(write_data_folder(tmp_path)) as data:
            train = data.split("train")
            everything = train.features.rows(np.arange(4), FLOAT32)
            drawn = itertools.count()
            batches = train.batches((np.array([k % 12, 5]) for k in drawn), FLOAT32)
            for k in range(30):
                captions, of_images = next(batches)
                np.testing.assert_array_equal(captions, train.captions[[k % 12, 5]])
                images = train.image_idxs[[k % 12, 5]]
                np.testing.assert_array_equal(of_images, everything[images])
            batches.close()
            assert next(drawn) <= 33
