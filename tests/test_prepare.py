"""Data folders made of captions in COCO's form and features."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

import rnnkit
from rnnkit.data import Vocabulary, as_characters, open_data
from rnnkit.data.preparing import feature_source
from rnnkit.data.preparing.pca import fit_pca
from rnnkit.data.preparing.prepare import prepare
from rnnkit.data.references import read_references
from rnnkit.data.tokenizer import build_vocabulary, tokenize
from rnnkit.errors import DataError, listed
from rnnkit.metrics import installed, scores
from rnnkit.training import train
from tests.datafolders import read_array

CAPTIONS = {
    30: ["A dog runs.", "The dog's running!"],
    10: ["A red, red ball (on grass)"],
    40: ["a cat", "A cat sits on a wall"],
    20: ["Dogs play with a ball"],
}


def content() -> dict[str, Any]:
    """Four images and their captions; the images are in no order."""
    return {
        "images": [{"id": i, "file_name": f"{i}.jpg"} for i in CAPTIONS],
        "annotations": [
            {"image_id": i, "caption": caption}
            for i, captions in CAPTIONS.items()
            for caption in captions
        ],
    }


def write(
    folder: Path, captions: object, features: npt.ArrayLike, **datasets: Any
) -> tuple[Path, Path]:
    """The two files that `prepare` takes; features in HDF5 if there are other datasets, else in NumPy's form."""
    folder.mkdir(exist_ok=True)
    (folder / "captions.json").write_text(json.dumps(captions), encoding="utf-8")
    if not datasets:
        np.save(folder / "features.npy", features)
        return folder / "captions.json", folder / "features.npy"
    with h5py.File(folder / "features.h5", "w") as file:
        file["features"] = features
        for name, values in datasets.items():
            file[name] = values
    return folder / "captions.json", folder / "features.h5"


def many(images: int, rng: np.random.Generator) -> dict[str, Any]:
    """Random captions for many images, two of each."""
    words = [f"word{i}" for i in range(12)]
    return {
        "images": [{"id": f"i{i}", "file_name": f"{i:03}.jpg"} for i in range(images)],
        "annotations": [
            {"image_id": f"i{i}", "caption": " ".join(rng.choice(words, rng.integers(1, 9)))}
            for i in range(images)
            for _ in range(2)
        ],
    }


FEATURES = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A dog's T-shirt , red .", ["a", "dogs", "tshirt", "red"]),
        ("costs $5 + tax_free", ["costs", "5", "taxfree"]),
        ("“Élan” — naïve…\tÜBER\n", ["élan", "naïve", "über"]),
        (" . ", []),
        ("<UNK>", ["unk"]),
        ("u\u0308ber \u00dcBER", ["über", "über"]),
        ("\ufeffA sof\u00adt\u200e ca\x00t\u2060", ["a", "soft", "cat"]),
        ("\u202bdog\u202c one\u200btwo\x1b", ["dog", "one", "two"]),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"],
        ),
        ("\u200cdo\u200dg\u200c \u0645\u06cc\u200c .", ["dog", "\u0645\u06cc"]),
        ("\u0dc1\u0dca\u200d\u0dbb\u0dd3", ["\u0dc1\u0dca\u200d\u0dbb\u0dd3"]),
        ("\u2764\ufe0f", ["\u2764"]),
        ("\u200b\xad", []),
    ],
)
def test_words_are_lower_case_without_punctuation(caption: str, words: list[str]) -> None:
    assert tokenize(caption) == words


def test_the_vocabulary_goes_by_frequency_then_alphabet() -> None:
    made = build_vocabulary([["b", "a", "c"], ["c", "b", "a"], ["c", "d"]], min_count=2)
    assert made.words == ("<NULL>", "<START>", "<END>", "<UNK>", "c", "a", "b")


def test_captions_are_encoded_cut_and_filled(tmp_path: Path) -> None:
    done = prepare(
        *write(tmp_path, content(), FEATURES), tmp_path / "out", val=0.0, min_count=2, length=6
    )
    with open_data(tmp_path / "out") as data:
        assert data.vocabulary.words[4:] == ("a", "ball", "cat", "dogs", "on", "red")
        split = data.split("train")
        assert split.captions.tolist() == [
            [1, 4, 3, 3, 2, 0],  # a dog runs
            [1, 3, 7, 3, 2, 0],  # the dogs running
            [1, 4, 9, 9, 5, 2],  # a red red ball, and cut: on grass
            [1, 4, 6, 2, 0, 0],  # a cat
            [1, 4, 6, 3, 8, 2],  # a cat sits on, and cut: a wall
            [1, 7, 3, 3, 4, 2],  # dogs play with a, and cut: ball
        ]
        assert split.captions.dtype == np.int32
        assert split.image_idxs.tolist() == [0, 0, 1, 2, 2, 3]
        np.testing.assert_array_equal(split.features.rows(np.arange(4), np.dtype("f4")), FEATURES)
        assert split.pictures == ("30.jpg", "10.jpg", "40.jpg", "20.jpg")
    assert done.cut == {"train": 3}
    assert done.summary.folder == str(tmp_path / "out")
    written = json.loads((tmp_path / "out" / "captions_train.json").read_text())
    assert [a["caption"] for a in written["annotations"]] == [
        caption for captions in CAPTIONS.values() for caption in captions
    ]


def test_rare_words_of_train_stay_unknown_whatever_val_says(tmp_path: Path) -> None:
    captions = content()
    for image in captions["images"]:
        image["split"] = "val" if image["id"] == 40 else "train"
    prepare(*write(tmp_path, captions, FEATURES), tmp_path / "out", min_count=2)
    with open_data(tmp_path / "out") as data:
        assert data.vocabulary.words[4:] == ("a", "ball", "dogs", "red")  # cat is in val only
        assert data.vocabulary.decode(data.split("val").captions[0]) == "a <UNK>"


def test_image_ids_say_whose_each_row_is(tmp_path: Path) -> None:
    ids = np.array([10, 77, 20, 30, 40])
    features = np.arange(10, dtype=np.float16).reshape(5, 2)
    files = write(tmp_path, content(), features, image_ids=ids)
    done = prepare(*files, tmp_path / "out", val=0.0)
    assert done.matched.unlisted == 1
    with open_data(tmp_path / "out") as data:
        split = data.split("train")
        assert split.pictures == ("10.jpg", "20.jpg", "30.jpg", "40.jpg")  # the order of features
        rows = split.features.rows(np.arange(4), np.dtype("f4"))
        assert rows.tolist() == [[0, 1], [4, 5], [6, 7], [8, 9]]
        assert split.features.stored == np.float16
        assert data.length == 17
        assert split.image_idxs.tolist() == [0, 1, 2, 2, 3, 3]


def test_text_ids_are_found_too(tmp_path: Path) -> None:
    captions = many(4, np.random.default_rng(0))
    files = write(tmp_path, captions, FEATURES, ids=["i3", "i2", "i1", "i0"])
    prepare(*files, tmp_path / "out", val=0.0)
    assert (tmp_path / "out" / "train_images.txt").read_text().split()[0] == "003.jpg"


def test_images_without_captions_are_left_out_and_counted(tmp_path: Path) -> None:
    captions = content()
    captions["images"].insert(1, {"id": 5, "file_name": "silent.jpg"})
    features = np.arange(10, dtype=np.float64).reshape(5, 2)
    done = prepare(*write(tmp_path, captions, features), tmp_path / "out", val=0.0)
    assert done.matched.uncaptioned == ("silent.jpg",)
    stored = read_array(tmp_path / "out" / "features_train.h5", "features")
    assert stored.dtype == np.float32
    assert stored.tolist() == [[0, 1], [4, 5], [6, 7], [8, 9]]


def matched_by(folder: Path, names: list[str], ids: object) -> tuple[Any, list[str]]:
    """What is matched, and the pictures of train, for images with these file names and features with these ids."""
    captions = content()
    for image, name in zip(captions["images"], names, strict=True):
        image["file_name"] = name
    files = write(folder, captions, FEATURES, image_ids=ids)
    done = prepare(*files, folder / "out", val=0.0)
    return done.matched, (folder / "out" / "train_images.txt").read_text().split("\n")[:-1]


@pytest.mark.parametrize(
    ("ids", "by"),
    [
        ([10, 20, 30, 40], "id"),
        ([10.0, 20.0, 30.0, 40.0], "id"),
        (["10", "20", "30", "40"], "the text of the id"),
        (["x/b.jpg", "d.jpg", "x/\u00fc.jpg", "y/c.png"], "file name"),
        (["x/b.jpg", "d.jpg", "x/u\u0308.jpg", "y/c.png"], "file name"),
        (["b.jpg", "q/d.jpg", "\u00fc.jpg", "c.png"], "file name without the folder"),
        (["b", "d", "u\u0308", "c"], "file name without folder and suffix"),
        (["z\\b.npy", "d.npy", "\u00fc.npy", "c.npy"], "file name without folder and suffix"),
    ],
)
def test_rows_name_images_by_id_or_file(tmp_path: Path, ids: object, by: str) -> None:
    names = ["x/\u00fc.jpg", "x/b.jpg", "y/c.png", "d.jpg"]
    matched, order = matched_by(tmp_path, names, ids)
    assert matched.by == by
    assert order == ["x/b.jpg", "d.jpg", "x/\u00fc.jpg", "y/c.png"]


def test_names_that_say_two_pictures_match_none(tmp_path: Path) -> None:
    names = ["x/1.jpg", "y/1.jpg", "y/2.jpg", "y/3.jpg"]
    with pytest.raises(DataError, match="has features of no image of"):
        matched_by(tmp_path, names, ["1.jpg", "2.jpg", "3.jpg", "4.jpg"])


def test_images_without_features_are_left_out_and_counted(tmp_path: Path) -> None:
    names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    matched, order = matched_by(tmp_path, names, [10, 99, 30, 40])
    assert (matched.featureless, matched.unlisted) == (("d.jpg",), 1)
    assert order == ["b.jpg", "a.jpg", "c.jpg"]


def test_images_of_one_name_and_features_become_one(tmp_path: Path) -> None:
    captions = content()
    captions["images"][2]["file_name"] = "30.jpg"
    same = FEATURES[[0, 1, 0, 3]]
    done = prepare(*write(tmp_path, captions, same), tmp_path / "out", val=0.0)
    assert done.matched.merged == ("30.jpg",)
    with open_data(tmp_path / "out") as data:
        assert data.split("train").pictures == ("30.jpg", "10.jpg", "20.jpg")
        written = read_references(data, "train")
    assert written.captions[0] == (*CAPTIONS[30], *CAPTIONS[40])
    with pytest.raises(
        DataError, match=r"images\[2\]: images\[0\] has the file_name '30.jpg', too"
    ):
        prepare(*write(tmp_path, captions, FEATURES), tmp_path / "other", val=0.0)
    assert not (tmp_path / "other").exists()
    for image, split in zip(captions["images"], ["train", "train", "val", "train"], strict=True):
        image["split"] = split
    prepare(*write(tmp_path, captions, FEATURES), tmp_path / "split")
    with open_data(tmp_path / "split") as data:
        assert read_references(data, "val").captions == (tuple(CAPTIONS[40]),)


def test_rows_given_twice_are_one_where_they_are_the_same(tmp_path: Path) -> None:
    names = ["30.jpg", "10.jpg", "40.jpg", "20.jpg"]
    features = FEATURES[[0, 1, 2, 3, 0]]
    captions = content()
    files = write(tmp_path, captions, features, ids=names + names[:1])
    done = prepare(*files, tmp_path / "out", val=0.0)
    assert (done.matched.rows, done.matched.unlisted) == ((0, 1, 2, 3), 0)


def test_captions_find_their_image_by_the_text_of_its_id(tmp_path: Path) -> None:
    captions = content()
    for annotation in captions["annotations"][:3]:
        annotation["image_id"] = str(annotation["image_id"])
    done = prepare(*write(tmp_path, captions, FEATURES), tmp_path / "out", val=0.0)
    assert done.numbers_as_text == 3
    assert done.summary.splits[0].captions == 6


def test_a_text_is_one_word_in_both_spellings_of_unicode(tmp_path: Path) -> None:
    captions = content()
    captions["images"][0]["file_name"] = "u\u0308.jpg"
    captions["annotations"][0]["caption"] = "u\u0308ber alles"
    captions["annotations"][1]["caption"] = "\u00fcber alles"
    (tmp_path / "val.txt").write_text("\u00fc.jpg\n", encoding="utf-8")
    prepare(
        *write(tmp_path, captions, FEATURES),
        tmp_path / "out",
        val=tmp_path / "val.txt",
        min_count=1,
    )
    (tmp_path / "out" / "images").mkdir()
    (tmp_path / "out" / "images" / "u\u0308.jpg").touch()
    with open_data(tmp_path / "out") as data:
        val = data.split("val")
        assert np.array_equal(val.captions[0], val.captions[1])
        assert read_references(data, "val").captions == (("\u00fcber alles", "\u00fcber alles"),)
        assert val.pictures is not None
        assert Path(val.pictures[0]).exists()


def test_words_may_be_cut_as_scores_count_them(tmp_path: Path) -> None:
    texts = [
        "A dog's T-shirt (red) doesn't fit.",
        "C'est l'\u00e9t\u00e9, l'homme n'est pas l\u00e0; j'ai 1 1/2 :)",
        "They're gonna swim - can't you?",
        "Don't feed the AT&T cat!",
    ]
    captions = content()
    captions["annotations"] = [
        {"image_id": image["id"], "caption": text}
        for image, text in zip(captions["images"], texts, strict=True)
    ]
    options: dict[str, Any] = {"val": 0.0, "min_count": 1}
    files = write(tmp_path, captions, FEATURES)
    prepare(*files, tmp_path / "out", tokens="ptb", **options)
    with open_data(tmp_path / "out") as data:
        assert data.vocabulary.cut == "ptb"
        shown = [*map(data.vocabulary.decode, data.split("train").captions)]
        for text, row in zip(shown, data.split("train").captions, strict=True):
            assert np.array_equal(data.vocabulary.encode(text, data.length), row)
        spelled = as_characters(data)
        assert [*map(spelled.vocabulary.decode, spelled.split("train").captions)] == shown
    assert shown[0] == "a dog's t-shirt (red) doesn't fit"
    assert shown[2] == "they're gonna swim can't you"
    prepare(*files, tmp_path / "plain", **options)
    with open_data(tmp_path / "plain") as data:
        plain = [*map(data.vocabulary.decode, data.split("train").captions)]
    assert plain[0] == "a dogs tshirt red doesnt fit"
    if installed():
        wanted = {i: [text] for i, text in enumerate(texts)}
        assert scores(dict(enumerate(shown)), wanted, ["bleu"])["bleu4"] == pytest.approx(1)
        assert scores(dict(enumerate(plain)), wanted, ["bleu"])["bleu4"] < 0.5


def test_other_ways_to_cut_are_refused(tmp_path: Path) -> None:
    files = write(tmp_path, content(), FEATURES)
    with pytest.raises(DataError, match="tokens is 'moses', but must be one of plain, ptb"):
        prepare(*files, tmp_path / "out", tokens="moses")
    prepare(*files, tmp_path / "out", val=0.0)
    vocabulary = json.loads((tmp_path / "out" / "vocab.json").read_text())
    (tmp_path / "out" / "vocab.json").write_text(json.dumps({**vocabulary, "cut": "moses"}))
    with pytest.raises(DataError, match="words that were cut as 'moses', but this rnnkit knows"):
        open_data(tmp_path / "out")


def test_a_vocabulary_with_two_spellings_still_opens() -> None:
    special = ["<NULL>", "<START>", "<END>", "<UNK>"]
    old = Vocabulary.from_words([*special, "u\u0308ber", "\u00fcber"])
    assert old.decode(np.array([1, 4, 5, 2])) == "\u00fcber \u00fcber"
    assert old.encode("u\u0308ber \u00fcber").tolist() == [1, 4, 4, 2]
    apart, together = (Vocabulary.from_words([*special, w]) for w in ("u\u0308", "\u00fc"))
    assert apart == together


def test_lone_surrogates_are_refused_with_their_place(tmp_path: Path) -> None:
    captions = content()
    captions["annotations"][2]["caption"] = "a \ud83d dog"
    captions["images"][1]["file_name"] = "\udc00.jpg"
    captions["annotations"][3]["caption"] = (
        "a \U0001f415 dog"  # whole, though JSON writes two halves
    )
    with pytest.raises(DataError) as told:
        prepare(*write(tmp_path, captions, FEATURES), tmp_path / "out")
    lines = str(told.value).splitlines()
    assert lines[0].endswith("captions.json has 2 mistakes:")
    assert lines[1].startswith(r"  images[1].file_name: the text has the lone surrogate \udc00")
    assert lines[2].startswith(r"  annotations[2].caption: the text has the lone surrogate \ud83d")


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    captions = content()
    captions["images"][1].pop("file_name")
    captions["images"][2]["split"] = 7
    captions["annotations"][0]["caption"] = "x" * 0
    captions["annotations"] += [{"image_id": 9000 + i, "caption": "a"} for i in range(40)]
    with pytest.raises(DataError) as told:
        prepare(*write(tmp_path, captions, FEATURES), tmp_path / "out")
    lines = str(told.value).splitlines()
    assert lines[0] == f"{tmp_path / 'captions.json'} has 43 mistakes:"
    assert [line.partition(":")[0].strip() for line in lines[1:5]] == [
        "images[1]",
        "images[2]",
        "annotations[0]",
        "annotations[6]",
    ]
    assert (len(lines), lines[-1]) == (22, "  and 23 more")


def test_lists_and_values_in_messages_are_short(tmp_path: Path) -> None:
    assert listed([]) == "nothing"
    assert listed("abc") == "a, b, c"
    assert listed(range(8000), 3) == "0, 1, 2 and 7,997 more"
    captions = content()
    captions["annotations"][0] = ["x" * 1_000_000]
    with pytest.raises(DataError) as told:
        prepare(*write(tmp_path, captions, FEATURES), tmp_path / "out")
    assert len(str(told.value)) < 300
    with h5py.File(tmp_path / "each.h5", "w") as file:
        for i in range(300):
            file[f"{i:0100}"] = FEATURES[0]
    with pytest.raises(DataError, match=r"and 292 more$") as told:
        prepare(
            *write(tmp_path, content(), FEATURES)[:1],
            tmp_path / "each.h5",
            tmp_path / "out",
            dataset="none",
        )
    assert len(str(told.value)) < 1000


def test_addresses_are_kept_if_every_image_has_one(tmp_path: Path) -> None:
    captions = content()
    for image in captions["images"]:
        image["coco_url"] = f"http://example.org/{image['id']}.jpg"
    prepare(*write(tmp_path, captions, FEATURES), tmp_path / "out", val=0.0)
    with open_data(tmp_path / "out") as data:
        pictures = data.split("train").pictures
    assert pictures is not None
    assert pictures[0] == "http://example.org/30.jpg"


def test_a_drawn_split_is_disjoint_whole_and_of_its_seed(tmp_path: Path) -> None:
    captions = many(50, np.random.default_rng(0))
    features = np.random.default_rng(1).standard_normal((50, 4)).astype(np.float32)
    files = write(tmp_path, captions, features)

    def drawn(name: str, **options: Any) -> tuple[list[str], list[str], dict[str, bytes]]:
        prepare(*files, tmp_path / name, **options)
        names = [
            (tmp_path / name / f"{s}_images.txt").read_text().split() for s in ("train", "val")
        ]
        files_in = {f.name: f.read_bytes() for f in (tmp_path / name).iterdir()}
        return names[0], names[1], files_in

    train_names, val_names, written = drawn("a", val=0.3)
    assert (len(train_names), len(val_names)) == (35, 15)
    assert set(train_names) | set(val_names) == {i["file_name"] for i in captions["images"]}
    assert drawn("b", val=0.3)[2] == written
    assert drawn("c", val=0.3, seed=1)[1] != val_names
    assert len(drawn("d")[1]) == 5
    for split, names in (("train", train_names), ("val", val_names)):
        rows = [int(name.removesuffix(".jpg")) for name in names]
        stored = read_array(tmp_path / "a" / f"features_{split}.h5", "features")
        np.testing.assert_array_equal(stored, features[rows])


def test_a_file_of_names_chooses_val(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("40.jpg\n\n10.jpg\n")
    files = write(tmp_path, content(), FEATURES)
    prepare(*files, tmp_path / "out", val=tmp_path / "val.txt")
    prepare(*files, tmp_path / "again", val=str(tmp_path / "val.txt"))
    for out in ("out", "again"):
        assert (tmp_path / out / "val_images.txt").read_text().split() == ["10.jpg", "40.jpg"]
        assert (tmp_path / out / "train_images.txt").read_text().split() == ["30.jpg", "20.jpg"]


def test_the_pca_is_that_of_the_singular_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_source, "BLOCK_BYTES", 7 * 6 * 4)  # 7 rows
    rng = np.random.default_rng(0)
    features = (5 + rng.standard_normal((60, 6)) @ rng.standard_normal((6, 6))).astype(np.float32)
    done = prepare(*write(tmp_path, many(60, rng), features), tmp_path / "out", val=0.25, pca=3)
    out = tmp_path / "out"
    raw = {s: read_array(out / f"features_raw_{s}.h5", "features") for s in ("train", "val")}
    with open_data(out) as data:
        made = {
            name: split.features.rows(np.arange(split.images), np.dtype("f4"))
            for name, split in data.splits.items()
        }
        assert all(split.features.stored == np.float32 for split in data.splits.values())
    whole = raw["train"].astype(np.float64)
    _, singular, directions = np.linalg.svd(whole - whole.mean(axis=0), full_matrices=False)
    variances = singular**2 / len(whole)
    directions *= np.sign(directions[np.arange(6), np.abs(directions).argmax(axis=1)])[:, None]
    for split in ("train", "val"):
        expected = (raw[split] - whole.mean(axis=0)) @ directions[:3].T
        expected /= np.sqrt(variances[:3].mean())
        np.testing.assert_allclose(made[split], expected, rtol=1e-5, atol=1e-6)
    assert made["train"].var(axis=0, dtype=np.float64).mean() == pytest.approx(1, rel=1e-6)
    assert done.kept_variance == pytest.approx(variances[:3].sum() / variances.sum(), rel=1e-12)
    with h5py.File(out / "pca.h5") as file:
        mean, components, scale = file["mean"][:], file["components"][:], file["scale"][()]
    projected = (raw["val"] - mean) @ components.T * scale
    np.testing.assert_allclose(projected, made["val"], rtol=1e-5, atol=1e-6)


def test_a_pca_survives_a_mean_far_from_zero() -> None:
    rng = np.random.default_rng(0)
    rows = 1e6 + rng.standard_normal((50, 4))
    fitted = fit_pca(lambda: np.split(rows, 5), 4, 4)
    projected = fitted.project(rows)
    assert projected.var(axis=0).mean() == pytest.approx(1, rel=1e-4)
    assert fitted.kept == pytest.approx(1)


def test_a_prepared_folder_trains(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((20, 8)).astype(np.float32)
    prepare(*write(tmp_path, many(20, rng), features), tmp_path / "out", min_count=1, pca=4)
    (tmp_path / "spec.toml").write_text(
        "format = 1\n"
        '[model]\nimage = "affine"\nwords = { use = "embedding", dim = 4 }\nhead = "affine"\n'
        '[[model.rnn]]\nhidden = 4\ncell = "lstm"\n'
        '[train]\nepochs = 1\nbatch = 8\noptimizer = { use = "adam", learning_rate = 1e-2 }\n'
    )
    ran = train(tmp_path / "spec.toml", tmp_path / "out", tmp_path / "run")
    assert (ran.folder / "last.h5").exists()
    model = rnnkit.build(tmp_path / "spec.toml", data=tmp_path / "out")
    assert model.feature_width == 4


Spoil = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda c: c["annotations"][2].update(image_id=9), "annotations[2]: image_id is 9"),
        (
            lambda c: c["annotations"][1].update(caption=" .. "),
            "annotations[1]: the caption ' .. '",
        ),
        (lambda c: c["annotations"][3].update(caption=None), "annotations[3]: caption is None"),
        (lambda c: c["annotations"].insert(0, 4), "annotations[0]: it is 4"),
        (lambda c: c["images"][3].update(id=30), "images[3]: it has the id 30 of images[0]"),
        (lambda c: c["images"][1].pop("id"), "images[1]: id is None"),
        (lambda c: c["images"][1].update(file_name="a\nb"), "images[1]: file_name is 'a\\nb'"),
        (lambda c: c["images"][0].update(split="train"), "image 10 (10.jpg) has no split"),
        (lambda c: [i.update(split="../x") for i in c["images"]], "in the split '../x'"),
        (lambda c: [i.update(split="val") for i in c["images"]], "there is nothing to train on"),
        (lambda c: c["images"].pop(), "annotations[5]: image_id is 20"),
        (lambda c: c["images"][3].update(id="30"), "images[3]: it has the id '30' of images[0]"),
        (lambda c: c.pop("images"), "has no images"),
        (lambda c: c.update(annotations=[]), "has no annotations"),
    ],
)
def test_mistakes_in_the_captions_are_told_with_their_place(
    tmp_path: Path, spoil: Spoil, text: str
) -> None:
    captions = content()
    spoil(captions)
    with pytest.raises(DataError) as told:
        prepare(*write(tmp_path, captions, FEATURES), tmp_path / "out")
    assert text in str(told.value)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["captions.json", "features.npy"]


@pytest.mark.parametrize(
    ("features", "datasets", "text"),
    [
        (FEATURES[:3], {}, "has 3 rows, but"),
        (np.where(FEATURES == 7, np.nan, FEATURES), {}, "row 2, column 1 is nan"),
        (np.where(FEATURES == 4, 1e39, FEATURES.astype(float)), {}, "row 1, column 1 is inf"),
        (FEATURES.astype(int), {}, "has int64 (4, 3)"),
        (FEATURES[0], {}, "has float32 (3,)"),
        (FEATURES, {"ids": [1, 2, 3, 4]}, "has features of no image of"),
        (FEATURES, {"ids": [10, 20, 30, 10]}, "features.h5: ids has 10 twice"),
        (FEATURES, {"image_ids": [10, 20, 30]}, "image_ids has 3 rows, but features has 4"),
    ],
)
def test_features_that_do_not_fit_are_told(
    tmp_path: Path, features: npt.ArrayLike, datasets: dict[str, Any], text: str
) -> None:
    with pytest.raises(DataError) as told:
        prepare(*write(tmp_path, content(), features, **datasets), tmp_path / "out")
    assert text in str(told.value)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"min_count": 0}, "min_count is 0"),
        ({"length": 2}, "length is 2"),
        ({"seed": -1}, "seed is -1"),
        ({"val": 1.0}, "val is 1"),
        ({"val": float("nan")}, "val is nan"),
        ({"val": "nowhere.txt"}, "nowhere.txt does not exist"),
        ({"val": 0.0, "pca": 4}, "it cannot have 4"),
        ({"val": 0.0, "pca": 2}, "vary in 1 directions only"),
    ],
)
def test_arguments_out_of_range_are_told(
    tmp_path: Path, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(DataError, match=text):
        prepare(*write(tmp_path, content(), FEATURES), tmp_path / "out", **options)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_unknown_name_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("40.jpg\n41.jpg\n")
    with pytest.raises(DataError, match=r"val\.txt: line 2: .*'41\.jpg'"):
        prepare(*write(tmp_path, content(), FEATURES), tmp_path / "o", val=tmp_path / "val.txt")


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    captions, features = write(tmp_path, content(), FEATURES)
    (tmp_path / "text.json").write_text("{]}")
    with pytest.raises(DataError, match="not valid JSON"):
        prepare(tmp_path / "text.json", features, tmp_path / "out")
    with pytest.raises(DataError, match="not an HDF5 file"):
        prepare(captions, captions, tmp_path / "out")
    (tmp_path / "text.npy").write_text("text")
    with pytest.raises(DataError, match="not a NumPy file"):
        prepare(captions, tmp_path / "text.npy", tmp_path / "out")
    with pytest.raises(DataError, match="does not exist"):
        prepare(captions, tmp_path / "none.npy", tmp_path / "out")


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="exists"):
        prepare(*write(tmp_path, content(), FEATURES), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_the_command_prints_what_it_did(tmp_path: Path) -> None:
    captions = content()
    captions["images"].append({"id": 5, "file_name": "silent.jpg"})
    features = np.random.default_rng(0).standard_normal((5, 3))
    files = write(tmp_path, captions, features)
    command = [sys.executable, "-m", "rnnkit", "data", "prepare", "--captions", str(files[0])]
    command += ["--features", str(files[1]), "--out", str(tmp_path / "out")]
    options = ["--val", "0.25", "--min-count", "1", "--length", "5", "--pca", "2"]
    ran = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "the PCA keeps" in ran.stdout
    assert "1 images have no caption and were left out: silent.jpg" in ran.stderr
    ran = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "exists" in ran.stderr


def test_scenes_come_out_as_they_were_made(tiny_data: Path, tmp_path: Path) -> None:
    whole: dict[str, Any] = {"images": [], "annotations": []}
    features = []
    for first, split in ((0, "train"), (1000, "val")):
        captions = json.loads((tiny_data / f"captions_{split}.json").read_text())
        for image in captions["images"]:
            whole["images"].append({**image, "id": first + image["id"], "split": split})
        for said in captions["annotations"]:
            whole["annotations"].append({**said, "image_id": first + said["image_id"]})
        features.append(read_array(tiny_data / f"features_{split}.h5", "features"))
    prepare(*write(tmp_path, whole, np.concatenate(features)), tmp_path / "out", min_count=1)
    with open_data(tmp_path / "out") as made, open_data(tiny_data) as there:
        for split in ("train", "val"):
            ours, theirs = made.split(split), there.split(split)
            assert [*map(made.vocabulary.decode, ours.captions)] == [
                *map(there.vocabulary.decode, theirs.captions)
            ]
            np.testing.assert_array_equal(ours.image_idxs, theirs.image_idxs)
            rows = np.arange(theirs.images), np.dtype("f4")
            np.testing.assert_array_equal(ours.features.rows(*rows), theirs.features.rows(*rows))


@pytest.mark.heavy
def test_flickr8k_comes_out_as_it_was_made(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "flickr8k"
    whole: dict[str, Any] = {"images": [], "annotations": []}
    features = []
    for split in ("train", "val"):
        captions = json.loads((folder / f"captions_{split}.json").read_text())
        whole["images"] += [{**image, "split": split} for image in captions["images"]]
        whole["annotations"] += captions["annotations"]
        features.append(read_array(folder / f"features_raw_{split}.h5", "features"))
    files = write(tmp_path, whole, np.concatenate(features))
    done = prepare(*files, tmp_path / "out", pca=512)
    assert done.summary.vocabulary == 2541
    with open_data(tmp_path / "out") as made, open_data(folder) as there:
        assert made.vocabulary == there.vocabulary
        for split in ("train", "val"):
            np.testing.assert_array_equal(made.split(split).captions, there.split(split).captions)
            np.testing.assert_array_equal(
                made.split(split).image_idxs, there.split(split).image_idxs
            )
            assert made.split(split).pictures == there.split(split).pictures
            ours, theirs = (
                data.split(split).features.rows(np.arange(1000), np.dtype("f4"))
                for data in (made, there)
            )
            turned = np.sign((ours * theirs).sum(axis=0))
            assert np.abs(ours * turned - theirs).mean() < 0.003  # the raw features are rounded
    assert done.kept_variance == pytest.approx(0.878, abs=5e-4)
