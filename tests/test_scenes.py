"""The demo data: true captions, combinations kept apart, features from pixels, files that are whole."""

from __future__ import annotations

import errno
import itertools
import json
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from rnnkit.data import open_data
from rnnkit.data.scenes import (
    Object,
    Pixels,
    Relation,
    Scene,
    Thing,
    describes,
    draw,
    features,
    load_scenes,
    write_scenes,
)
from rnnkit.data.scenes.grammar import PLACES, RELATIONS, WORDS, Statement, choose_captions, parse
from rnnkit.data.scenes.world import (
    COLOURS,
    REACH,
    SIDE,
    SIZES,
    TURN,
    combination,
    random_scenes,
    split_combinations,
)
from rnnkit.errors import DataError

SPLITS = ("train", "val")

RED_LEFT_OF_BLUE = Scene(
    (
        Object(Thing("small", "red", "circle"), 12.0, 30.0, 5.0, 0.0),
        Object(Thing("large", "blue", "square"), 44.0, 34.0, 9.0, 0.0),
    )
)
GREEN_ALONE = Scene((Object(Thing("large", "green", "star"), 30.0, 30.0, 9.0, 0.0),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "scenes"
    write_scenes(folder, train=60, val=20, seed=3)
    return folder


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """A few hundred, as in a data folder."""
    rng = np.random.default_rng(0)
    return list(random_scenes(300, split_combinations(rng, 0.1)[0], 0.1, rng))


def decode_png(data: bytes) -> Pixels:
    """The pixels of an 8-bit RGB file; checks its signature and the sum of every chunk."""
    assert data[:8] == bytes([137, 80, 78, 71, 13, 10, 26, 10])
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(kind + content),)
        chunks[kind] = content
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert at == len(data)
    width, height, *form = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert form == [8, 2, 0, 0, 0]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert (lines[:, 0] == 2).all()  # each line less the one above it
    pixels: Pixels = np.cumsum(lines[:, 1:], axis=0, dtype=np.uint8)
    return pixels.reshape(height, width, 3)


def read_pictures(folder: Path, split: str) -> Pixels:
    files = sorted((folder / "images" / split).iterdir())
    return np.stack([decode_png(file.read_bytes()) for file in files])


def all_files(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


# Scenes


def test_no_combination_of_val_is_in_train(tmp_path: Path) -> None:
    # Of as many, 15 or so would be in both by chance.
    write_scenes(tmp_path / "scenes", train=300, val=120)
    train, val = (
        {combination(scene) for scene in load_scenes(tmp_path / "scenes", split)}
        for split in SPLITS
    )
    assert not train & val


def test_every_combination_is_in_exactly_one_split() -> None:
    train, val = split_combinations(np.random.default_rng(1), 0.1)
    things = len(SIZES) * len(COLOURS) * len(REACH)
    assert len({*train, *val}) == len(train) + len(val) == things + things * (things + 1) // 2
    assert {len(c) for c in train} == {len(c) for c in val} == {1, 2}


def test_the_relation_is_plain_and_nothing_touches(scenes: list[Scene]) -> None:
    pairs = [scene.objects for scene in scenes if len(scene.objects) == 2]
    assert len(pairs) > 200
    for a, b in pairs:
        near, far = sorted((abs(a.x - b.x), abs(a.y - b.y)))
        assert near < 0.46 * far
        assert far > a.radius * REACH[a.thing.shape] + b.radius * REACH[b.thing.shape] + 4.9
    for o in itertools.chain.from_iterable(scene.objects for scene in scenes):
        reach = o.radius * REACH[o.thing.shape]
        assert reach <= min(o.x, o.y, SIDE - o.x, SIDE - o.y)
        assert abs(o.turn) <= TURN


def test_scenes_show_everything_there_is(scenes: list[Scene]) -> None:
    things = {o.thing for scene in scenes for o in scene.objects}
    assert {t.size for t in things} == set(SIZES)
    assert {t.colour for t in things} == set(COLOURS)
    assert {t.shape for t in things} == set(REACH)
    assert {scene.relation for scene in scenes} == {Relation.LEFT, Relation.ABOVE, None}


@pytest.mark.parametrize(
    ("dx", "dy", "relation"),
    [
        (20, 5, Relation.LEFT),
        (-20, 5, Relation.RIGHT),
        (5, 20, Relation.ABOVE),
        (5, -20, Relation.BELOW),
    ],
)
def test_the_longer_axis_decides_the_relation(dx: float, dy: float, relation: Relation) -> None:
    thing = Thing("small", "red", "star")
    scene = Scene((Object(thing, 30, 30, 5, 0), Object(thing, 30 + dx, 30 + dy, 5, 0)))
    assert scene.relation is relation
    assert Scene(scene.objects[::-1]).relation is relation.inverse


# Captions


@pytest.mark.parametrize("split", SPLITS)
def test_every_caption_written_is_true_and_different(folder: Path, split: str) -> None:
    scenes = load_scenes(folder, split)
    content = json.loads((folder / f"captions_{split}.json").read_text())
    captions: list[list[str]] = [[] for _ in scenes]
    for annotation in content["annotations"]:
        captions[annotation["image_id"]].append(annotation["caption"])
    for scene, its_captions in zip(scenes, captions, strict=True):
        assert all(describes(caption, scene) for caption in its_captions)
        assert len(set(its_captions)) == (5 if len(scene.objects) == 2 else 3)


def test_captions_of_a_pair_begin_with_either_object() -> None:
    said = [parse(caption) for caption in captions_of(RED_LEFT_OF_BLUE)]
    subjects = {statement.subject for statement in said if statement}
    assert subjects == {o.thing for o in RED_LEFT_OF_BLUE.objects}


@pytest.mark.parametrize(
    "caption",
    [
        "a small red circle left of a large blue square",
        "a large blue square to the right of a small red circle",
        "there is a large blue square with a small red circle to its left",
        "to the left of a large blue square is a small red circle",
        "right of a small red circle there is a large blue square",
        "  a small red circle   left of a large blue square ",
    ],
)
def test_a_true_caption_in_any_words_describes_the_scene(caption: str) -> None:
    assert describes(caption, RED_LEFT_OF_BLUE)
    assert not describes(caption, Scene(RED_LEFT_OF_BLUE.objects[:1]))
    assert not describes(caption, GREEN_ALONE)


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "a small red circle",  # half of it
        "there is a large blue square on its own",
        "a small red circle right of a large blue square",
        "a small red circle above a large blue square",
        "a large blue square left of a small red circle",
        "a small red circle with a large blue square to its left",
        "left of a small red circle is a large blue square",
        "a small blue circle left of a large red square",
        "a large red circle left of a small blue square",
        "a small red square left of a large blue circle",
        "a small red circle left of a small red circle",
        "small red circle left of a large blue square",  # not of the grammar, from here on
        "a small red circle left of a large blue",
        "a small red circle left a large blue square",
        "a red small circle left of a large blue square",
        "a small red circle left of a large blue square on its own",
        "a small red circle left of a large blue square left of a large blue square",
        "a small red circle with a large blue square",
        "a small red circle with a large blue square right of",
        "left of a large blue square a small red circle",
        "is a small red circle left of a large blue square",
        "there a small red circle left of a large blue square",
        "a small red circle left of a large blue <UNK>",
    ],
)
def test_anything_else_does_not_describe_the_scene(caption: str) -> None:
    assert not describes(caption, RED_LEFT_OF_BLUE)


def captions_of(scene: Scene) -> list[str]:
    """All that the writer may say of a scene, or nearly: it chooses words at random."""
    rng = np.random.default_rng(0)
    return sorted({caption for _ in range(30) for caption in choose_captions(scene, rng)})


def test_one_wrong_attribute_makes_every_caption_wrong(scenes: list[Scene]) -> None:
    rng = np.random.default_rng(7)
    for scene in scenes[:60]:
        for caption in choose_captions(scene, rng):
            words = caption.split()
            for i, word in enumerate(words):
                for known in (SIZES, COLOURS, REACH):
                    for other in set(known) - {word} if word in known else ():
                        assert not describes(" ".join([*words[:i], other, *words[i + 1 :]]), scene)


def test_a_wrong_relation_makes_every_caption_wrong(scenes: list[Scene]) -> None:
    pairs = [s for s in scenes if len({o.thing for o in s.objects}) == 2][:60]
    for scene in pairs:
        for caption in captions_of(scene):
            table = RELATIONS if parse_place(caption) is None else PLACES
            said = parse_place(caption) or parse_relation(caption)
            for phrase, meaning in table.items():
                replaced = caption.replace(said, phrase)
                assert describes(replaced, scene) == (meaning is table[said])


def parse_place(caption: str) -> str | None:
    return next((phrase for phrase in PLACES if caption.endswith(phrase)), None)


def parse_relation(caption: str) -> str:
    """The longest relation in a caption, as "to the left of" holds "left of"."""
    return max((phrase for phrase in RELATIONS if phrase in caption), key=len)


def test_a_dropped_object_makes_a_caption_wrong(scenes: list[Scene]) -> None:
    rng = np.random.default_rng(8)
    for scene in scenes[:60]:
        for caption in choose_captions(scene, rng):
            for o in scene.objects:
                assert not describes(caption, Scene((o,))) or len(scene.objects) == 1
            assert not describes(" ".join(caption.split()[:4]), scene) or len(scene.objects) == 1
        one_more = Scene((scene.objects[0], RED_LEFT_OF_BLUE.objects[1]))
        alone = choose_captions(Scene(scene.objects[:1]), rng)
        assert not any(describes(caption, one_more) for caption in alone)


def test_two_alike_are_described_from_either_side() -> None:
    thing = Thing("small", "red", "star")
    scene = Scene((Object(thing, 10, 30, 5, 0), Object(thing, 50, 30, 5, 0)))
    assert describes("a small red star left of a small red star", scene)
    assert describes("a small red star right of a small red star", scene)
    assert not describes("a small red star above a small red star", scene)
    assert not describes("a small red star", scene)


def test_parsing_gives_what_is_said() -> None:
    circle, square = Thing("small", "red", "circle"), Thing("large", "blue", "square")
    assert parse("there is a small red circle on its own") == Statement(circle)
    assert parse("under a small red circle is a large blue square") == Statement(
        square, Relation.BELOW, circle
    )
    assert parse("a small red circle with a large blue square above it") == Statement(
        circle, Relation.BELOW, square
    )


# Features


@pytest.mark.parametrize("split", SPLITS)
def test_features_are_those_of_the_pictures_on_disk(folder: Path, split: str) -> None:
    with h5py.File(folder / f"features_{split}.h5") as file:
        dataset = file["features"]
        stored, mean, std = dataset[:], dataset.attrs["mean"], dataset.attrs["std"]
    assert stored.dtype == np.float32
    raw = features(read_pictures(folder, split))
    np.testing.assert_allclose((raw - mean) / std, stored, rtol=0, atol=1e-4)


def test_features_of_train_are_standardized(folder: Path) -> None:
    with h5py.File(folder / "features_train.h5") as file:
        stored = file["features"][:].astype(np.float64)
    np.testing.assert_allclose(stored.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(stored.std(axis=0), 1.0, atol=1e-5)


def test_features_of_a_picture_do_not_depend_on_its_company() -> None:
    scenes = [RED_LEFT_OF_BLUE, GREEN_ALONE] * 60
    pixels = draw(scenes, np.random.default_rng(0))
    np.testing.assert_allclose(features(pixels)[101:103], features(pixels[101:103]), rtol=1e-4)


def mean_features(*objects: Object) -> npt.NDArray[np.float64]:
    """Features of a scene, over several grounds and shades."""
    pixels = draw([Scene(objects)] * 20, np.random.default_rng(4))
    mean: npt.NDArray[np.float64] = features(pixels).mean(axis=0, dtype=np.float64)
    return mean


def test_features_tell_what_is_different_in_a_picture() -> None:
    a, b = RED_LEFT_OF_BLUE.objects
    same_colour = Object(Thing("large", "red", "square"), b.x, b.y, b.radius, b.turn)
    pictures = [
        (a, b),
        (a, same_colour),
        (Object(Thing("small", "green", "circle"), a.x, a.y, a.radius, 0.0), b),
        (Object(Thing("small", "red", "star"), a.x, a.y, a.radius, 0.0), b),
        (Object(Thing("large", "red", "circle"), a.x, a.y, 9.0, 0.0), b),
        (Object(b.thing, a.x, a.y, b.radius, 0.0), Object(a.thing, b.x, b.y, a.radius, 0.0)),
        (Object(a.thing, a.y, a.x, a.radius, 0.0), Object(b.thing, b.y, b.x, b.radius, 0.0)),
        (a,),
    ]
    vectors = [mean_features(*objects) for objects in pictures]
    for one, other in itertools.combinations(vectors, 2):
        assert abs(one - other).max() > 0.1


@pytest.mark.parametrize("shape", REACH)
def test_the_area_of_a_shape_is_about_that_of_the_circle(shape: str) -> None:
    o = Object(Thing("large", "blue", shape), 32.0, 32.0, 9.0, 5.0)
    area = mean_features(o)[1]
    assert 0.8 < area / (np.pi * o.radius**2) < 1.25


def test_pixels_have_the_colours_they_are_said_to_have(folder: Path) -> None:
    for scene, picture in zip(
        load_scenes(folder, "train"), read_pictures(folder, "train"), strict=True
    ):
        for o in scene.objects:
            seen = picture[int(o.y), int(o.x)].astype(float)
            far = {name: np.linalg.norm(seen - rgb) for name, rgb in COLOURS.items()}
            assert min(far, key=lambda name: far[name]) == o.thing.colour


# Files


def test_the_same_seed_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "again", train=60, val=20, seed=3)
    assert all_files(tmp_path / "again") == all_files(folder)


def test_another_seed_draws_other_pictures_and_train_has_no_say_in_val(
    folder: Path, tmp_path: Path
) -> None:
    write_scenes(tmp_path / "more", train=61, val=20, seed=3)
    assert load_scenes(tmp_path / "more", "val") == load_scenes(folder, "val")
    np.testing.assert_array_equal(
        read_pictures(tmp_path / "more", "val"), read_pictures(folder, "val")
    )
    write_scenes(tmp_path / "other", train=60, val=20, seed=4)
    assert load_scenes(tmp_path / "other", "val") != load_scenes(folder, "val")


def test_the_folder_opens_as_data(folder: Path) -> None:
    with open_data(folder) as dataset:
        assert [(name, s.images) for name, s in dataset.splits.items()] == [
            ("train", 60),
            ("val", 20),
        ]
        words = dataset.vocabulary.words
        assert words == ("<NULL>", "<START>", "<END>", "<UNK>", *WORDS)
        for name, split in dataset.splits.items():
            annotations = json.loads((folder / f"captions_{name}.json").read_text())
            assert [image["id"] for image in annotations["images"]] == list(range(split.images))
            said = [(a["image_id"], a["caption"]) for a in annotations["annotations"]]
            decoded = [dataset.vocabulary.decode(row) for row in split.captions]
            assert list(zip(split.image_idxs.tolist(), decoded, strict=True)) == said
            assert split.pictures is not None
            assert all(Path(picture).is_file() for picture in split.pictures)
            files = [Path(picture).name for picture in split.pictures]
            assert files == [image["file_name"] for image in annotations["images"]]


def test_captions_are_rows_of_start_words_end_and_padding(folder: Path) -> None:
    with h5py.File(folder / "captions.h5") as file:
        captions, image_idxs = file["train_captions"][:], file["train_image_idxs"][:]
    assert captions.dtype == image_idxs.dtype == np.int32
    assert (captions[:, 0] == 1).all()
    ends = (captions == 2).argmax(axis=1)
    for row, end in zip(captions, ends, strict=True):
        assert (row[1:end] > 3).all()
        assert (row[end + 1 :] == 0).all()
    assert ends.max() == captions.shape[1] - 1


def test_features_are_chunked_by_rows(folder: Path) -> None:
    with h5py.File(folder / "features_train.h5") as file:
        rows, width = file["features"].chunks
        assert width == file["features"].shape[1]
        assert rows <= 60


def test_progress_goes_up_to_one(tmp_path: Path) -> None:
    told: list[float] = []
    write_scenes(tmp_path / "scenes", train=150, val=50, progress=told.append)
    assert told == [0.5, 0.75, 1.0]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_scenes(tmp_path / "empty", train=2, val=1)
    assert len(load_scenes(tmp_path / "empty", "train")) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["empty"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="exists and is not empty; name a new folder"):
        write_scenes(tmp_path, train=2, val=1)
    with pytest.raises(DataError, match=r"notes.txt exists and is not a folder"):
        write_scenes(tmp_path / "notes.txt", train=2, val=1)
    assert all_files(tmp_path) == {"notes.txt": b"mine"}


@pytest.mark.parametrize("writes", [0, 3, 20, 100])
def test_nothing_is_left_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    write_bytes, count = Path.write_bytes, itertools.count()

    def write_some(path: Path, data: bytes) -> int:
        if next(count) == writes:
            write_bytes(path, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_some)
    with pytest.raises(DataError, match=r"cannot write the scenes to .*: No space left on device"):
        write_scenes(tmp_path / "scenes", train=90, val=2)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_interrupted(tmp_path: Path) -> None:
    def interrupt(done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path / "scenes", train=2, val=1, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("train", "val", "seed", "said"),
    [
        (0, 1, 0, "train = 0; it must be at least 1"),
        (1, 0, 0, "val = 0; it must be at least 1"),
        (1, 1, -1, "seed = -1; it must be at least 0"),
        (100_001, 1, 0, "train = 100,001; it must be at most 100,000"),
        (1, 10**20, 0, "val = 100,000,000,000,000,000,000; it must be at most 100,000"),
    ],
)
def test_numbers_out_of_range_are_refused(
    tmp_path: Path, train: int, val: int, seed: int, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        write_scenes(tmp_path / "scenes", train=train, val=val, seed=seed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}x",
        "[1]",
        '[{"objects": []}]',
        '[{"objects": [{"size": "small"}]}]',
        '[{"objects": [{"size": "huge", "colour": "red", "shape": "star", "x": 9, "y": 9, "radius": 5,'
        ' "turn": 0}]}]',
    ],
)
def test_a_damaged_file_of_scenes_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "scenes_val.json").write_text(content)
    with pytest.raises(DataError, match=r"scenes_val.json is not a list of scenes"):
        load_scenes(tmp_path, "val")


def test_a_missing_file_of_scenes_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"scenes_val.json does not exist"):
        load_scenes(tmp_path, "val")
