"""Karpathy's dataset_coco.json, dataset_flickr8k.json and dataset_flickr30k.json.

Source: A. Karpathy, L. Fei-Fei, Deep Visual-Semantic Alignments for Generating Image Descriptions, CVPR 2015.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from rnnkit.data.annotations import Annotations
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.file import CaptionFile
from rnnkit.data.preparing.captions.form import Form, Said, gather
from rnnkit.data.preparing.captions.records import image_id, split_of
from rnnkit.errors import quoted


class Karpathy(Form):
    """An object with a list of images, each with its sentences."""

    looks: ClassVar = (
        'Karpathy\'s JSON: {"images": [{"filename", "split", "sentences": [{"raw"}, ..]}, ..]}'
    )

    def recognizes(self, file: CaptionFile) -> bool:
        """By the sentences of an image."""
        return any("sentences" in image for image in _images(file) if isinstance(image, dict))

    def read(self, file: CaptionFile) -> Annotations:
        """The images, by their id in COCO, or else their number in the file."""
        mistakes = Mistakes(file.path)
        return gather(file, self._said(_images(file), mistakes), mistakes)

    def _said(self, images: list[object], mistakes: Mistakes) -> Iterator[Said]:
        names = Counter(image.get("filename") for image in images if isinstance(image, dict))
        for i, image in enumerate(images):
            place = f"images[{i}]"
            if not isinstance(image, dict):
                mistakes.add(place, f"it is {quoted(image)}, but must be an object")
                continue
            name, folder = image.get("filename"), image.get("filepath")
            if not isinstance(name, str):
                mistakes.add(
                    place, f"filename is {quoted(name)}, but must be the name of a picture"
                )
                continue
            if names[name] > 1 and isinstance(folder, str):  # COCO's names tell images apart alone
                name = f"{folder}/{name}"
            captions = tuple(_captions(place, image.get("sentences"), mistakes))
            which = image_id(place, image, ("cocoid", "imgid"), mistakes)
            yield Said(place, name, captions, split_of(place, image, mistakes), which)


def _images(file: CaptionFile) -> list[object]:
    found = file.content.get("images") if isinstance(file.content, dict) else None
    return found if isinstance(found, list) else []


def _captions(place: str, sentences: object, mistakes: Mistakes) -> Iterator[tuple[str, str]]:
    if not isinstance(sentences, list):
        mistakes.add(place, f"sentences is {quoted(sentences)}, but must be a list")
        return
    for k, sentence in enumerate(sentences):
        here = f"{place}.sentences[{k}]"
        raw = sentence.get("raw") if isinstance(sentence, dict) else sentence
        tokens = sentence.get("tokens") if isinstance(sentence, dict) else None
        if raw is None and isinstance(tokens, list):
            raw = " ".join(map(str, tokens))
        if isinstance(raw, str):
            yield here, raw
        else:
            mistakes.add(here, f"raw is {quoted(raw)}, but must be text")
