"""COCO's annotation files, such as captions_val2014.json."""

from __future__ import annotations

from typing import ClassVar

import attrs

from rnnkit.data.annotations import Annotations, annotations_in
from rnnkit.data.preparing.captions.file import CaptionFile
from rnnkit.data.preparing.captions.form import Form, picture_name


class Coco(Form):
    """An object with the lists images and annotations."""

    looks: ClassVar = 'COCO\'s JSON: {"images": [{"id", "file_name"}, ..], "annotations": [{"image_id", "caption"}, ..]}'

    def recognizes(self, file: CaptionFile) -> bool:
        """By either list, so that a file without the other is told what it misses."""
        return isinstance(file.content, dict) and bool({"images", "annotations"} & {*file.content})

    def read(self, file: CaptionFile) -> Annotations:
        """The images of all ids."""
        found = annotations_in(file.content, file.path)
        images = tuple(attrs.evolve(i, file_name=picture_name(i.file_name)) for i in found.images)
        return attrs.evolve(found, images=images, notes=file.notes)
