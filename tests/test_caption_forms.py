"""Caption files as people have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnkit.data.checksums import CHECKSUMS
from rnnkit.data.preparing.captions import FORMS, read_captions
from rnnkit.data.preparing.prepare import Prepared, prepare
from rnnkit.errors import DataError
from tests import captionforms

CAPTIONS = {
    "a boat.jpg": ["Two boats, one red, in the harbour.", 'A boat called "Élise" lies here .'],
    "b.jpg": ["A horse grazes."],
    "farm/c.png": ["A horse; a dog | and nobody else.", "It's a dog's life", "A #1 dog"],
    "d.jpg": ["The dog isn't here.", "A dog\N{RIGHT SINGLE QUOTATION MARK}s bowl"],
}


def said(*paths: Path) -> dict[str, tuple[str, ...]]:
    return {image.file_name: image.captions for image in read_captions(paths)[0].images}


def splits(*paths: Path) -> dict[str, str | None]:
    return {image.file_name: image.split for image in read_captions(paths)[0].images}


def wrong(*paths: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_captions(paths)
    return str(caught.value)


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def folder_of(captions: captionforms.Captions, path: Path, out: Path) -> dict[str, object]:
    """What is in a data folder, its images called by their names, not ids; without the checksums of that."""
    names = sorted(captions)
    rows = {name: row for row, name in enumerate(names)}
    features = np.random.default_rng(0).normal(size=(len(names), 5)).astype(np.float32)
    order = [rows[image.file_name] for image in read_captions([path])[0].images]
    np.save(out.with_suffix(".npy"), features[order])
    out.with_suffix(".val").write_text("\n".join(names[::3]), encoding="utf-8")
    prepare(path, out.with_suffix(".npy"), out, val=out.with_suffix(".val"), min_count=1)
    return {file.name: _content(file) for file in sorted(out.iterdir()) if file.name != CHECKSUMS}


def _content(path: Path) -> object:
    if not path.match("captions_*.json"):
        return path.read_bytes()
    content = json.loads(path.read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    return [(names[a["image_id"]], a["caption"]) for a in content["annotations"]]


def test_all_forms_make_the_same_folder(tmp_path: Path) -> None:
    made = [
        folder_of(CAPTIONS, write(tmp_path / write.__name__, CAPTIONS), tmp_path / f"{i}")
        for i, write in enumerate(captionforms.ALL)
    ]
    assert len(made) == 9
    assert made[0]["captions_train.json"] == [
        (name, caption) for name in ("b.jpg", "d.jpg") for caption in CAPTIONS[name]
    ]
    assert all(content == made[0] for content in made)


def test_captions_of_coco_in_all_forms_make_the_same_folder(
    real_data: Path, tmp_path: Path
) -> None:
    sample = real_data / "sample_cc_by" / "captions.json"
    captions = {
        image.file_name: [" ".join(caption.split()) for caption in image.captions]
        for image in read_captions([sample])[0].images
    }
    made = [
        folder_of(captions, write(tmp_path / write.__name__, captions), tmp_path / f"{i}")
        for i, write in enumerate(captionforms.ALL)
    ]
    assert all(content == made[0] for content in made)


@pytest.mark.parametrize("write", captionforms.ALL)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_line_ends_blank_lines_and_backslashes_do_not_matter(
    tmp_path: Path, write: Any, encoding: str
) -> None:
    path = write(tmp_path, CAPTIONS)
    for file in [path] if path.is_file() else [*path.rglob("*.txt")]:
        text = file.read_text(encoding="utf-8").replace("\n", "\r\n\r\n").replace("farm/", "farm\\")
        if file.suffix in (".json", ".jsonl"):
            text = text.replace("\\", "\\\\").replace('\\\\"', '\\"').replace("\\\\u", "\\u")
        file.write_bytes(text.encode(encoding))
    assert said(path) == {name: tuple(texts) for name, texts in CAPTIONS.items()}


@pytest.mark.parametrize("write", captionforms.ALL)
def test_latin_1_is_read_where_it_is_certain(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path, {"a.jpg": ["Un café près d'une forêt.", "Ein großer Hund"]})
    for file in [path] if path.is_file() else [*path.rglob("*.txt")]:
        text = file.read_text(encoding="utf-8")
        if file.suffix in (".json", ".jsonl"):
            text = text.encode("ascii").decode("raw_unicode_escape")
        file.write_bytes(text.encode("latin-1"))
    found = read_captions([path])[0]
    assert found.images[0].captions == ("Un café près d'une forêt.", "Ein großer Hund")
    assert ["read as Latin-1" in note for note in found.notes] == [True]


@pytest.mark.parametrize(
    ("caption", "encoding"),
    [
        ("собака бежит", "koi8-r"),
        ("一只狗在跑", "gbk"),
        ("犬が走る", "shift-jis"),
        ("pies łapie", "iso8859-2"),
        ("ya\N{LATIN SMALL LETTER S WITH CEDILLA}l\N{LATIN SMALL LETTER DOTLESS I} dog", "cp1254"),
    ],
)
def test_other_encodings_are_named_with_their_lines(
    tmp_path: Path, caption: str, encoding: str
) -> None:
    text = f"image,caption\na.jpg,a dog\nb.jpg,{caption}\n"
    message = wrong(written(tmp_path, "captions.txt", text, encoding))
    assert "captions.txt: line 3: byte " in message
    assert message.endswith("is not certain; save the file as UTF-8")


def test_latin_1_among_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_bytes("image,caption\na.jpg,café\n".encode() + b"b.jpg,caf\xe9\n")
    assert "captions.txt: line 3: byte 9 is 0xe9, which is not UTF-8" in wrong(path)


def test_quotation_marks_and_commas_of_tables(tmp_path: Path) -> None:
    rows = (
        'image,caption\na.jpg,"A dog, black"\na.jpg,A dog, white, runs\na.jpg,"A ""big"" dog"\n'
        'b.jpg,A "big" dog\n,\n\nb.jpg,"two\nlines"\n'
    )
    assert said(written(tmp_path, "captions.txt", rows)) == {
        "a.jpg": ("A dog, black", "A dog, white, runs", 'A "big" dog'),
        "b.jpg": ('A "big" dog', "two\nlines"),
    }
    open_mark = 'image,caption\na.jpg,"A dog\nb.jpg,A cat\nc.jpg,A "cow"\n'
    assert "captions.txt: line 2: a quotation mark opens a field that has the next rows" in wrong(
        written(tmp_path, "captions.txt", open_mark)
    )


def test_tables_may_have_other_columns_and_semicolons(tmp_path: Path) -> None:
    rows = "split;text;file_name\ntrain;A dog;a.jpg\nvalidation;A cat, sitting;b.jpg\n"
    path = written(tmp_path, "metadata.csv", rows)
    assert splits(path) == {"a.jpg": "train", "b.jpg": "val"}
    assert splits(tmp_path) == splits(path)
    assert said(path)["b.jpg"] == ("A cat, sitting",)
    message = wrong(written(tmp_path, "metadata.csv", f"{rows}train;A; cow;c.jpg\n"))
    assert "metadata.csv: line 4: it has 4 fields, but the header has 3" in message


def test_flickr30k_has_a_line_without_a_bar(tmp_path: Path) -> None:
    rows = (
        "image_name| comment_number| comment\na.jpg| 3| A dog .\n"
        "a.jpg| 4   A dog runs across the grass .\nb.jpg| 0| Left | right .\n"
    )
    path = written(tmp_path, "results.csv", rows)
    assert said(path) == {
        "a.jpg": ("A dog .", "A dog runs across the grass ."),
        "b.jpg": ("Left | right .",),
    }
    assert "results.csv: line 5: it has 1 fields" in wrong(
        written(tmp_path, "results.csv", f"{rows}c.jpg\n")
    )


def test_karpathys_restval_is_of_train(tmp_path: Path) -> None:
    names = ("train", "restval", "val", "test")
    images = [
        {"filename": f"{k}.jpg", "filepath": "val2014", "cocoid": 10 + k, "imgid": k, "split": name}
        | {"sentences": [{"raw": f"A dog {k}"}, {"tokens": ["a", "cat"]}]}
        for k, name in enumerate(names)
    ]
    path = written(tmp_path, "dataset_coco.json", json.dumps({"images": images}))
    assert [image.id for image in read_captions([path])[0].images] == [10, 11, 12, 13]
    assert said(path)["1.jpg"] == ("A dog 1", "a cat")
    done = prepared(tmp_path, path, 4)
    assert {s.split: s.images for s in done.summary.splits} == {"train": 2, "val": 1, "test": 1}
    images[1].update(filename="0.jpg", filepath="train2014")
    path = written(tmp_path, "dataset_coco.json", json.dumps({"images": images}))
    assert [*said(path)][:2] == ["val2014/0.jpg", "train2014/0.jpg"]


def prepared(folder: Path, captions: Path, images: int, **options: Any) -> Prepared:
    np.save(folder / "features.npy", np.random.default_rng(1).normal(size=(images, 3)))
    return prepare(captions, folder / "features.npy", folder / "out", min_count=1, **options)


def test_lists_beside_the_captions_say_flickr8ks_splits(tmp_path: Path) -> None:
    lines = "".join(f"{name}.jpg#{k}\tA dog {name}\n" for name in "abcde" for k in range(2))
    path = written(tmp_path, "Flickr8k.token.txt", lines)
    assert set(splits(path).values()) == {None}
    written(tmp_path, "Flickr_8k.trainImages.txt", "a.jpg\r\nb.jpg\r\n")
    written(tmp_path, "Flickr_8k.devImages.txt", "d.jpg\n")
    written(tmp_path, "Flickr_8k.testImages.txt", "e.jpg\nz.jpg\n")
    assert splits(path) == {
        "a.jpg": "train",
        "b.jpg": "train",
        "c.jpg": None,
        "d.jpg": "val",
        "e.jpg": "test",
    }
    done = prepared(tmp_path, path, 5)
    assert done.unlisted == ("c.jpg",)
    assert done.notes == ("1 images of the lists have no caption: z.jpg",)
    assert {s.split: s.images for s in done.summary.splits} == {"train": 2, "val": 1, "test": 1}
    (tmp_path / "out").rename(tmp_path / "listed")
    assert prepared(tmp_path, path, 5, val=0.2).unlisted == ()
    written(tmp_path, "Flickr_8k.testImages.txt", "e.jpg\nb.jpg\n")
    assert "Flickr_8k.testImages.txt: line 2: b.jpg is in the list of train, too" in wrong(path)


def test_the_names_of_several_files_are_their_splits(tmp_path: Path) -> None:
    train = captionforms.coco(tmp_path / "t", {"a.jpg": ["A dog"]})
    content = json.loads(train.read_text())
    train = written(tmp_path, "captions_train2014.json", json.dumps(content))
    content["images"][0] = {"id": 2, "file_name": "b.jpg"}
    content["annotations"][0]["image_id"] = 2
    val = written(tmp_path, "captions_val2014.json", json.dumps(content))
    assert splits(train, val) == {"a.jpg": "train", "b.jpg": "val"}
    assert splits(train) == {"a.jpg": None}
    content["images"].append({"id": 1, "file_name": "c.jpg"})
    val = written(tmp_path, "captions_val2014.json", json.dumps(content))
    assert (
        "captions_val2014.json: images[1]: image 1 (c.jpg, split val) is in captions_train2014.json: "
        "images[0], too (a.jpg, split train)"
    ) in wrong(train, val)


def test_folders_of_images_may_be_the_splits(tmp_path: Path) -> None:
    for name in ("train", "test"):
        written(tmp_path / name, "metadata.csv", f"file_name,text\n{name}.jpg,A dog\n")
    assert splits(tmp_path / "train", tmp_path / "test") == {
        "train.jpg": "train",
        "test.jpg": "test",
    }


def test_mistakes_are_told_with_their_places(tmp_path: Path) -> None:
    lines = (
        '{"file_name": "a.jpg", "text": "A dog"}\n{"file_name": "b.jpg", "text": 7}\n'
        '{"file_name": "c.jpg"}\n\n{"file_name": "d.jpg", "text": " . "}\n{"text": "A dog"\n'
    )
    message = wrong(written(tmp_path, "metadata.jsonl", lines))
    for part in (
        "metadata.jsonl has 4 mistakes:",
        "line 2: text is 7, but must be text",
        "line 3: it has file_name, but none of captions, caption, text, comment",
        "line 5: the caption ' . ' of d.jpg has no words",
        "line 6: it is not a JSON object (Expecting ',' delimiter",
    ):
        assert part in message
    raw = [{"file_path": "a.jpg", "captions": ["A dog", None]}, {"file_path": 3, "captions": []}]
    message = wrong(written(tmp_path, "raw.json", json.dumps(raw)))
    assert "[0]: captions[1] is None, but must be text" in message
    assert "[1]: file_path is 3, but must be the name of a picture" in message
    assert "Flickr8k.token.txt: line 2: 'b.jpg A dog' is not of the form" in wrong(
        written(tmp_path, "Flickr8k.token.txt", "a.jpg#0\tA dog\nb.jpg A dog\n")
    )


def test_texts_without_photos_are_told(tmp_path: Path) -> None:
    captionforms.beside(tmp_path, {"a.jpg": ["A dog"], "b.jpg": ["A cat"]})
    (tmp_path / "photos" / "b.txt").rename(tmp_path / "photos" / "b.jpg.txt")
    written(tmp_path / "photos", "readme.txt", "Hello")
    written(tmp_path / "photos", "c.png", "")
    found = read_captions([tmp_path / "photos"])[0]
    assert [(i.file_name, i.captions) for i in found.images] == [
        ("a.jpg", ("A dog",)),
        ("b.jpg", ("A cat",)),
        ("c.png", ()),
    ]
    assert found.notes == ("1 texts have no photo beside them and were left out: readme.txt",)


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.txt", "a.jpg,A dog\n", "is text that begins with 'a.jpg,A dog', but"),
        ("a.json", '{"a.jpg": ["A dog"]}', "is a JSON object with a.jpg, but"),
        ("a.json", "[[1]]", "is a JSON list, first [1], but"),
        ("a.json", '[{"x": 1}]', "is a JSON list, first an object with x, but"),
        ("a.json", '{"images": [', "is cut short: its JSON is not complete"),
        ("a.csv", "image,caption\n", "has no captions; write some"),
        ("a.csv", " \n", "is empty; write or download it again"),
    ],
)
def test_what_is_not_recognized_is_told_what_is_read(
    tmp_path: Path, name: str, text: str, what: str
) -> None:
    message = wrong(written(tmp_path, name, text))
    assert what in message
    if "caption files are one of these" in message:
        assert all(form.looks in message for form in FORMS)


def test_folders_without_captions_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert f"{tmp_path} is a folder with a.jpg, but caption files are one of these" in wrong(
        tmp_path
    )
