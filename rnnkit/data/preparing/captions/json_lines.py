"""JSON lines, such as the metadata.jsonl of a folder of images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import ClassVar

from rnnkit.data.annotations import Annotations
from rnnkit.data.mistakes import Mistakes
from rnnkit.data.preparing.captions.file import CaptionFile
from rnnkit.data.preparing.captions.form import Form, Said, gather
from rnnkit.data.preparing.captions.records import is_record, said_by
from rnnkit.system.unicode import lone_surrogate


class JsonLines(Form):
    """An object with a name and a caption in each line."""

    looks: ClassVar = (
        'JSON lines (metadata.jsonl): {"file_name": .., "text": ..} or "caption" in each line'
    )

    def recognizes(self, file: CaptionFile) -> bool:
        """By the braces of each line; a single line by its fields."""
        return file.has_json_lines or is_record(file.content)

    def read(self, file: CaptionFile) -> Annotations:
        """The images, in the order of the lines that first name them."""
        mistakes = Mistakes(file.path)
        return gather(file, self._said(file, mistakes), mistakes)

    def _said(self, file: CaptionFile, mistakes: Mistakes) -> Iterator[Said]:
        for number, line in file.lines() if file.has_json_lines else [(1, file.text)]:
            place = f"line {number}"
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                mistakes.add(place, f"it is not a JSON object ({error}); an object fills one line")
                continue
            escaped = "\\u" in line  # half a character can be written in no other way
            half = lone_surrogate(json.dumps(record, ensure_ascii=False)) if escaped else None
            if half is not None:
                mistakes.add(
                    place, f"the text has the lone surrogate {half}, half of a character; mend it"
                )
                continue
            said = said_by(place, record, mistakes)
            if said is not None:
                yield said
