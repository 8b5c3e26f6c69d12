"""Data from which nothing can be learnt, and runs that learn nothing, say so: once, with numbers and the way out."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest

import rnnkit
from rnnkit.captioning.evaluation import guessing_nats, monotony, nats_per_token
from rnnkit.data import Doubt, doubts, open_data
from rnnkit.data.preparing.prepare import Prepared, prepare
from rnnkit.errors import DataError
from rnnkit.network.model import Captioner
from rnnkit.training import Record, Run
from tests.datafolders import WORDS, features_path, put, read_array, write_data_folder

IMAGES = 20
F = 12


def texts(folder: Path, *, whole: bool = True) -> list[str]:
    with open_data(folder) as data:
        return [doubt.text for doubt in doubts(data, whole=whole)]


def data_with(folder: Path, features: npt.ArrayLike, split: str = "train") -> Path:
    """A folder without fault but for these features."""
    write_data_folder(folder, images=IMAGES, width=F, seed=1)
    with h5py.File(features_path(folder, split.replace("train", "val")), "a") as file:
        file["features"][...] += 0.5 if split == "train" else 0.0
    put(features_path(folder, split), "features", np.asarray(features, np.float32))
    return folder


def good() -> npt.NDArray[np.float64]:
    return np.random.default_rng(3).standard_normal((IMAGES, F))


def made(
    folder: Path,
    captions: Sequence[Sequence[str]],
    *,
    splits: Sequence[str | None] | None = None,
    names: Sequence[str] | None = None,
    features: npt.ArrayLike | None = None,
    min_count: int = 5,
) -> Prepared:
    """Prepare captions, some for each image, with features that differ."""
    n = len(captions)
    folder.mkdir()
    names = names or [f"{i}.jpg" for i in range(n)]
    images = [{"id": i, "file_name": names[i]} for i in range(n)]
    for image, split in zip(images, splits or [], strict=False):
        image["split"] = split or "train"
    annotations = [{"image_id": i, "caption": c} for i, own in enumerate(captions) for c in own]
    (folder / "c.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    values = np.random.default_rng(0).standard_normal((n, F)) if features is None else features
    np.save(folder / "f.npy", np.asarray(values, np.float32))
    val = 0.0 if splits is None else None
    return prepare(
        folder / "c.json", folder / "f.npy", folder / "out", min_count=min_count, val=val
    )


def told(prepared: Prepared) -> list[str]:
    return [doubt.text for doubt in prepared.doubts]


# Words


def rare(words: int = 8) -> list[list[str]]:
    """Twenty captions of words, each of which occurs twice."""
    return [[" ".join(f"w{(i % 10) * words + k}" for k in range(words))] for i in range(20)]


def test_captions_without_a_known_word_are_refused_with_a_count_that_helps(tmp_path: Path) -> None:
    (doubt,) = made(tmp_path / "a", rare()).doubts
    assert doubt == Doubt(
        "100 % of the words of train are <UNK>, and a network would learn to write little else; prepare the "
        "data again with --min-count 2, which leaves 0 % of them unknown",
        hopeless=True,
    )
    with pytest.raises(DataError) as caught:
        train(tmp_path, tmp_path / "a" / "out")
    assert str(caught.value) == f"{tmp_path / 'a' / 'out'}: {doubt.text}"
    assert not (tmp_path / "run").exists()
    assert told(made(tmp_path / "b", rare(), min_count=2)) == []


def test_captions_of_hardly_any_known_word_say_so(tmp_path: Path) -> None:
    captions = [[f"the {own[0]}"] for own in rare(3)]  # of four words one is frequent
    assert told(made(tmp_path / "a", captions)) == [
        "75 % of the words of train are <UNK>, and a network would learn to write little else; prepare the "
        "data again with --min-count 2, which leaves 0 % of them unknown"
    ]


def test_without_the_captions_as_written_no_count_is_named(tmp_path: Path) -> None:
    write_data_folder(tmp_path / "a", images=IMAGES)
    captions = read_array(tmp_path / "a" / "captions.h5", "train_captions")
    put(tmp_path / "a" / "captions.h5", "train_captions", np.minimum(captions, 3))
    with open_data(tmp_path / "a") as data:
        (doubt,) = doubts(data)
    assert doubt == Doubt(
        "100 % of the words of train are <UNK>, and a network would learn to write little else; prepare the "
        "data again with a smaller --min-count",
        hopeless=True,
    )
    with pytest.raises(DataError, match=r"a: 100 % of the words of train are <UNK>"):
        train(tmp_path, tmp_path / "a")
    assert not (tmp_path / "run").exists()


def test_captions_without_words_are_nothing_to_learn_from(tmp_path: Path) -> None:
    write_data_folder(tmp_path / "a", images=IMAGES)
    captions = read_array(tmp_path / "a" / "captions.h5", "train_captions")
    empty = np.zeros_like(captions)
    empty[:, :2] = 1, 2
    put(tmp_path / "a" / "captions.h5", "train_captions", empty)
    with open_data(tmp_path / "a") as data:
        assert doubts(data)[0] == Doubt(
            "the captions of train have no words; write some, or leave them out", hopeless=True
        )


def test_words_of_val_that_train_does_not_have_say_so(tmp_path: Path) -> None:
    captions = [[f"a red ball number {k % 2}"] for k in range(14)] + [["ein roter kreis"]] * 6
    splits = ["train"] * 14 + ["val"] * 6
    found = told(made(tmp_path / "a", captions, splits=splits))
    assert found[0].startswith("100 % of the words of val are <UNK>, although most of train's are")


ONE_WORD = (
    "a caption of train has 1.0 words on average{}: if its script has no blanks between words, as in Chinese, "
    'Japanese and Thai, train on characters, with tokens = "char" in [data]'
)


def test_a_script_without_blanks_may_have_some_between_phrases(tmp_path: Path) -> None:
    captions = [[f"สุนัขสีดำ วิ่งบนหญ้า {'ก' * (k + 1)}"] for k in range(12)]
    assert told(made(tmp_path / "a", captions, min_count=1)) == [
        ONE_WORD.format("").replace("1.0", "3.0")
    ]
    english = [[f"black dog number{k}"] for k in range(12)]
    assert told(made(tmp_path / "b", english, min_count=1)) == []


def test_captions_of_one_word_are_to_be_learnt_by_characters(tmp_path: Path) -> None:
    captions = [[f"一只狗在草地上跑{k}"] for k in range(12)]
    known = made(tmp_path / "a", captions, min_count=1)
    assert told(known) == [ONE_WORD.format("")]
    unknown = made(tmp_path / "b", captions)
    assert told(unknown) == [ONE_WORD.format(", and 100 % of these are <UNK>")]
    with pytest.raises(DataError, match=r"1\.0 words on average, and 100 % of these are <UNK>"):
        train(tmp_path, tmp_path / "b" / "out")
    assert train_told(tmp_path, tmp_path / "a" / "out", ['data.tokens="char"']) == []


# Captions


def test_captions_that_are_mostly_one_say_so(tmp_path: Path) -> None:
    alike = [["a photo of a thing"]] * 12
    assert told(made(tmp_path / "a", alike))[0].startswith(
        "all 12 captions of train are 'a photo of a thing'; a network would learn to say that of every image"
    )
    mostly = [["a photo", f"a {k}"] if k % 2 else ["a photo"] for k in range(12)]
    assert told(made(tmp_path / "b", mostly, min_count=1))[0].startswith(
        "12 of the 18 captions of train are 'a photo'; "
    )
    rare_end = [[f"a photo of the {k}"] for k in range(12)]
    assert told(made(tmp_path / "c", rare_end)) == [
        "all 12 captions of train are 'a photo of the <UNK>'; a network would learn to say that of every image; "
        "prepare the data again with a smaller --min-count"
    ]


def test_images_with_the_same_captions_say_so_in_whatever_order(tmp_path: Path) -> None:
    said = ["a red ball", "one blue box", "three green things"]
    captions = [[*said[k % 3 :], *said[: k % 3]] for k in range(12)]
    assert told(made(tmp_path / "a", captions, min_count=1)) == [
        "all 12 images of train have the same captions; nothing in them tells the images apart: see whether "
        "captions went to the wrong images"
    ]


# Features


def alike(case: str) -> npt.NDArray[np.float64]:
    x = good()
    if case == "zero":
        return x * 0
    if case == "constant":
        return np.tile(x[0], (IMAGES, 1))
    if case == "nearly constant":
        return 5 + x * 1e-4
    if case == "repeated":
        return x[np.arange(IMAGES) // 5]
    if case == "some zero":
        x[3:5] = 0
    if case == "still":
        x[:, 1:] = x[0, 1:]
    if case == "dominated":
        x[:, 7] *= 1000
    if case == "large":
        x *= 1e5
    if case == "small":
        x *= 1e-5
    return x


BLIND = "so that no caption can depend on its image; compute the features again"


@pytest.mark.parametrize(
    ("case", "first"),
    [
        ("zero", f"all 20 images of train have features that are all zero, {BLIND}"),
        ("constant", f"all 20 images of train have the same features, {BLIND}"),
        (
            "nearly constant",
            f"all 20 images of train have features that differ by less than a thousandth of their size, {BLIND}, or take their mean away",
        ),
        ("repeated", "16 of the 20 images of train have the features of another of them; "),
        (
            "some zero",
            "2 of the 20 images of train have features that are all zero; compute these ",
        ),
        ("still", "only 1 of the 12 numbers of an image's features differ between images of train"),
        ("dominated", "number 7 of the features of train is "),
        ("large", "the features of train are 1.01e+05 in size (root mean square), and networks "),
        ("small", "the features of train are 1.01e-05 in size (root mean square), and networks "),
    ],
)
def test_features_that_tell_nothing_say_so(tmp_path: Path, case: str, first: str) -> None:
    assert texts(data_with(tmp_path / "a", alike(case)))[0].startswith(first)


def test_sizes_are_root_mean_squares(tmp_path: Path) -> None:
    x = alike("dominated")
    size = math.sqrt((x[:, 7] ** 2).mean())
    rest = math.sqrt((np.delete(x, 7, axis=1) ** 2).mean())
    (found, _) = texts(data_with(tmp_path / "a", x))  # and val is of another size
    assert f"is {size:.3g} in size (root mean square), and the other 11 are {rest:.3g}" in found


def test_splits_of_other_sizes_say_so(tmp_path: Path) -> None:
    (found,) = texts(data_with(tmp_path / "a", good() * 20, "val"))
    assert found.startswith("the features of train are ")
    size = math.sqrt(((good() * 20) ** 2).mean())
    assert f", and those of val {np.float64(size):.3g}; compute and scale them in the" in found
    assert texts(data_with(tmp_path / "b", good() * 2, "val")) == []


def test_a_sample_of_features_in_files_finds_what_is_the_same_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_data_folder(tmp_path / "a", images=3000, captions_each=1, width=4)
    put(features_path(tmp_path / "a", "train"), "features", np.ones((3000, 4), np.float32))
    monkeypatch.setattr("rnnkit.data.features.opening.HELD_BYTES", 0)
    seen: list[int] = []
    with open_data(tmp_path / "a") as data:
        (found,) = doubts(data, progress=seen.append)
        assert sum(seen) == 2 * 16 * 64
        assert found.text.startswith("all 1,024 images of train looked at have the same features")
        seen.clear()
        (found,) = doubts(data, whole=True, progress=seen.append)
        assert sum(seen) == 2 * 3000
        assert found.text.startswith("all 3,000 images of train have the same features")


# Splits


def test_restval_is_of_train_and_other_names_are_told(tmp_path: Path) -> None:
    captions = [[f"a red ball is on the {k}"] for k in range(20)]
    splits = ["train"] * 8 + ["restval"] * 6 + ["val"] * 2 + ["test"] * 2 + ["dev"] * 2
    done = made(tmp_path / "a", captions, splits=splits, min_count=1)
    sizes = {s.split: s.images for s in done.summary.splits}
    assert sizes == {"train": 14, "dev": 2, "test": 2, "val": 2}
    assert told(done) == [
        "nothing uses the split dev (2 images) unless a command names it: networks are trained on train and "
        "judged on val or test; prepare the data again with one of these names"
    ]


def test_pictures_of_val_that_are_in_train_are_counted(tmp_path: Path) -> None:
    captions = [[f"a red ball is on the {k}"] for k in range(20)]
    splits = ["train"] * 14 + ["val"] * 6
    x = good()
    x[15] = x[2]
    x[16] = x[3]
    by_features = told(made(tmp_path / "a", captions, splits=splits, features=x, min_count=1))
    assert by_features == [
        "2 of the 6 images of val have the features of images in train, so that val says little about new "
        "pictures; give every picture to one split only"
    ]


def test_names_of_pictures_are_compared_too(tmp_path: Path) -> None:
    write_data_folder(tmp_path / "a", images=4)
    for file in ("urls", "images"):
        train_names = (tmp_path / "a" / f"train_{file}.txt").read_text().splitlines()
        val_names = (tmp_path / "a" / f"val_{file}.txt").read_text().splitlines()
        lines = [*train_names[:3], val_names[3]]
        (tmp_path / "a" / f"val_{file}.txt").write_text("\n".join(lines))
    assert texts(tmp_path / "a") == [
        "3 of the 4 images of val have the names of images in train, so that val says little about new pictures; "
        "give every picture to one split only"
    ]


def test_data_without_fault_raises_no_doubt(tiny_data: Path, tmp_path: Path) -> None:
    assert texts(tiny_data) == []
    assert texts(write_data_folder(tmp_path / "a", words=(*WORDS, "b"))) == []


# What a run says


SPEC = """
[[model.rnn]]
hidden = 16
cell = "lstm"
[train]
epochs = 2
batch = 16
"""


def train(folder: Path, data: Path, overrides: Sequence[str] = (), **callbacks: object) -> Run:
    (folder / "spec.toml").write_text(SPEC)
    return rnnkit.train(
        folder / "spec.toml",
        data,
        folder / "run",
        overrides,
        **callbacks,  # type: ignore[arg-type]  # callbacks of several types by name
    )


def train_told(folder: Path, data: Path, overrides: Sequence[str] = ()) -> list[str]:
    """What was told before the first update."""
    before: list[str] = []
    seen: list[str] = []
    train(
        folder,
        data,
        overrides,
        on_warning=seen.append,
        on_start=lambda *_: before.extend(seen),
    )
    return before


def test_the_start_of_training_tells_what_the_data_is(tmp_path: Path) -> None:
    x = alike("constant")
    data = data_with(tmp_path / "a", x)
    assert train_told(tmp_path, data) == texts(data)
    assert texts(data)[0].startswith("all 20 images of train have the same features")


@pytest.mark.parametrize("images", [1, 3])
def test_cider_means_nothing_where_all_images_have_the_same_words(
    images: int, tmp_path: Path, tiny_data: Path
) -> None:
    captions = [[f"a red ball is on the {k}"] for k in range(14)] + [["a red ball"]] * images
    splits = ["train"] * 14 + ["val"] * images
    made(tmp_path / "a", captions, splits=splits, min_count=1)
    cider = ["train.metric=cider"]
    (found,) = train_told(tmp_path, tmp_path / "a" / "out", cider)
    why = "there is one image" if images == 1 else "all images have the same"
    assert found.startswith("train.metric is cider, but CIDEr is 0 by definition on this val split")
    assert why in found
    run = rnnkit.train(tmp_path / "spec.toml", tiny_data, tmp_path / "other", cider)
    assert run.finished
    assert not any(r.best for r in rnnkit.training.read_history(tmp_path / "run").records)


def entropy(counts: Sequence[int]) -> float:
    p = np.array(counts) / sum(counts)
    return float(-(p * np.log(p)).sum())


def test_guessing_by_frequency_has_the_entropy_of_the_words(tmp_path: Path) -> None:
    write_data_folder(tmp_path / "a", images=2000, captions_each=1)
    with open_data(tmp_path / "a") as data:
        train_split = data.split("train")
        targets = train_split.captions[:, 1:]
        counts = [int((targets == k).sum()) for k in range(2, len(WORDS))]
        guess = guessing_nats(train_split, train_split, data.vocabulary)
    assert guess == pytest.approx(entropy(counts), abs=1e-3)


WILD = ["train.optimizer.use=adam", "train.optimizer.learning_rate=3.0"]


def test_a_run_worse_than_guessing_says_so_once_and_is_never_best(
    tmp_path: Path, tiny_data: Path
) -> None:
    seen: list[str] = []
    run = train(tmp_path, tiny_data, [*WILD, "train.epochs=3"], on_warning=seen.append)
    with open_data(tiny_data) as data:
        guess = guessing_nats(data.split("train"), data.split("val"), data.vocabulary)
    assert all(r.val_nats and r.val_nats > math.log(35) > guess for r in run.history.records)
    nats = run.history.records[0].train_nats
    found = [text for text in seen if "guessing words" in text]
    assert len(found) == 1
    assert found[0].startswith(
        f"in epoch 1 the loss per token was {nats:.3g} nats, and guessing words by their frequency has "
        f"{guess:.3g}: "
    )
    assert [r.best for r in run.history.records] == [False] * 3
    assert not (run.folder / "best.h5").exists()
    assert rnnkit.load(run.folder).parameters.keys() == run.model.parameters.keys()


def test_a_young_network_that_comes_down_may_be_the_best(tmp_path: Path, tiny_data: Path) -> None:
    seen: list[str] = []
    run = train(tmp_path, tiny_data, on_warning=seen.append)
    with open_data(tiny_data) as data:
        guess = guessing_nats(data.split("train"), data.split("val"), data.vocabulary)
        kept = nats_per_token(rnnkit.load(run.folder / "best.h5"), data.split("val"))
    first, last = run.history.records
    assert first.val_nats
    assert last.val_nats
    assert first.val_nats > last.val_nats > guess
    assert (first.best, last.best, kept) == (True, True, last.val_nats)
    assert not any("guessing words" in text for text in seen)


def test_a_loss_that_stays_above_a_guess_is_told(tmp_path: Path, tiny_data: Path) -> None:
    seen: list[str] = []
    stuck = ["train.optimizer.use=sgd", "train.optimizer.learning_rate=1e-30", "train.epochs=3"]
    run = train(tmp_path, tiny_data, stuck, on_warning=seen.append)
    assert [r.best for r in run.history.records][1:] == [False, False]
    assert len([text for text in seen if "the network learns nothing" in text]) == 1


def test_an_evaluation_that_is_no_number_is_never_best(
    tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnkit.training.trainer.nats_per_token", lambda *_: math.nan)
    records: list[Record] = []
    run = train(tmp_path, tiny_data, on_record=records.append)
    assert [r.best for r in records] == [False, False]
    assert not (run.folder / "best.h5").exists()


def test_a_divergence_is_one_line(tmp_path: Path, tiny_data: Path) -> None:
    (tmp_path / "spec.toml").write_text(SPEC)
    sets = ["train.optimizer.use=sgd", "train.optimizer.learning_rate=1e38"]
    command = [sys.executable, "-m", "rnnkit", "train", str(tmp_path / "spec.toml")]
    command += ["--data", str(tiny_data), "--out", str(tmp_path / "run")]
    ran = subprocess.run(
        [*command, *(word for one in sets for word in ("--set", one))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert len(ran.stderr.splitlines()) == 1
    assert "training has diverged" in ran.stderr


# What captions say


@pytest.mark.parametrize(
    ("captions", "text"),
    [
        ([""], "the only caption is empty: the network has learnt to end a caption at once"),
        (["", ""], "all 2 captions are empty: the network has learnt to end a caption at once"),
        (["a", "a", "a"], "all 3 captions are 'a': the network does not tell images apart"),
        (["a"] * 9 + ["b"], "9 of the 10 captions are 'a': the network does not tell images apart"),
        (["a"], None),
        (["a", "b"], None),
        ([], None),
    ],
)
def test_captions_that_are_all_the_same_say_so(captions: list[str], text: str | None) -> None:
    assert monotony(captions) == text


def mute(model: Captioner) -> Captioner:
    """A network that ends every caption at once."""
    parameters = {name: np.zeros_like(w) for name, w in model.parameters.items()}
    parameters["head.0.b"][model.vocabulary.end] = 9.0
    return model.with_parameters(parameters)


def test_eval_and_the_log_tell_of_empty_captions(
    tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spec.toml").write_text(SPEC)
    model = mute(rnnkit.build(tmp_path / "spec.toml", tiny_data))
    rnnkit.save(model, tmp_path / "mute.h5")
    command = [sys.executable, "-m", "rnnkit", "eval", str(tmp_path / "mute.h5")]
    arguments = ["--data", str(tiny_data), "--json"]
    ran = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    empty = "all 8 captions are empty: the network has learnt to end a caption at once"
    assert json.loads(ran.stdout)["monotony"] == empty
    assert ran.stderr == f"warning: {empty}\n"
    monkeypatch.setattr("rnnkit.training.run.assemble", lambda *_, **__: model)
    seen: list[str] = []
    train(tmp_path, tiny_data, ["train.optimizer.learning_rate=1e-9"], on_warning=seen.append)
    assert [text for text in seen if "empty" in text] == [f"at update 8 {empty}"]
