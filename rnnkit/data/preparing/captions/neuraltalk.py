"""neuraltalk2's list of images, such as coco_raw.json."""

from __future__ import annotations

from typing import ClassVar

from rnnkit.data.annotations import Annotations
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.file import CaptionFile
from rnnkit.data.preparing.captions.form import Form, gather
from rnnkit.data.preparing.captions.records import is_record, said_by


class NeuralTalk(Form):
    """A list of objects, each with the path of a picture and its captions."""

    looks: ClassVar = 'neuraltalk2\'s JSON: [{"file_path": .., "captions": [.., ..]}, ..]'

    def recognizes(self, file: CaptionFile) -> bool:
        """By the fields of any object of the list."""
        return isinstance(file.content, list) and any(map(is_record, file.content))

    def read(self, file: CaptionFile) -> Annotations:
        """The images, by their id if they have one."""
        mistakes = Mistakes(file.path)
        items = file.content if isinstance(file.content, list) else []
        said = (said_by(f"[{i}]", item, mistakes) for i, item in enumerate(items))
        return gather(file, (one for one in said if one is not None), mistakes)
