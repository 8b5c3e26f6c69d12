"""The same captions written out in every form that is read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

Captions = Mapping[str, Sequence[str]]
"""File name -> captions."""


def coco(folder: Path, captions: Captions) -> Path:
    numbers = {name: number for number, name in enumerate(captions, start=1)}
    return _json(
        folder / "captions_val.json",
        {
            "images": [{"id": number, "file_name": name} for name, number in numbers.items()],
            "annotations": [
                {"image_id": numbers[name], "caption": text}
                for name, texts in captions.items()
                for text in texts
            ],
        },
    )


def karpathy(folder: Path, captions: Captions) -> Path:
    images = [
        {
            "filename": name,
            "imgid": number,
            "sentences": [{"raw": text, "tokens": text.lower().split()} for text in texts],
        }
        for number, (name, texts) in enumerate(captions.items())
    ]
    return _json(folder / "dataset_flickr8k.json", {"images": images, "dataset": "flickr8k"})


def flickr8k(folder: Path, captions: Captions) -> Path:
    lines = [
        f"{name}#{k}\t{text}\n" for name, texts in captions.items() for k, text in enumerate(texts)
    ]
    return _text(folder / "Flickr8k.token.txt", "".join(lines))


def kaggle(folder: Path, captions: Captions) -> Path:
    return _table(folder / "captions.txt", ("image", "caption"), captions)


def flickr30k(folder: Path, captions: Captions) -> Path:
    lines = [
        f"{name}| {k}| {text}\n" for name, texts in captions.items() for k, text in enumerate(texts)
    ]
    return _text(folder / "results.csv", "".join(["image_name| comment_number| comment\n", *lines]))


def json_lines(folder: Path, captions: Captions) -> Path:
    lines = [
        json.dumps({"file_name": name, "text": text}) + "\n"
        for name, texts in captions.items()
        for text in texts
    ]
    return _text(folder / "metadata.jsonl", "".join(lines))


def metadata(folder: Path, captions: Captions) -> Path:
    return _table(folder / "metadata.csv", ("file_name", "text"), captions)


def neuraltalk(folder: Path, captions: Captions) -> Path:
    images = [{"file_path": name, "captions": texts} for name, texts in captions.items()]
    return _json(folder / "coco_raw.json", images)


def beside(folder: Path, captions: Captions) -> Path:
    for name, texts in captions.items():
        photo = folder / "photos" / name
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.touch()
        _text(photo.with_suffix(".txt"), "".join(f"{text}\n" for text in texts))
    return folder / "photos"


ALL: Final[Sequence[Callable[[Path, Captions], Path]]] = (
    coco,
    karpathy,
    flickr8k,
    kaggle,
    flickr30k,
    json_lines,
    metadata,
    neuraltalk,
    beside,
)


def _json(path: Path, content: object) -> Path:
    return _text(path, json.dumps(content))


def _text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _table(path: Path, header: tuple[str, str], captions: Captions) -> Path:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(header)
    rows.writerows((name, text) for name, texts in captions.items() for text in texts)
    return _text(path, out.getvalue())
