"""What a network was trained on, kept so that the same data is known again, and other data is not taken for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import attrs
import numpy as np

from rnnkit.data.dataset import Dataset, Split
from rnnkit.data.features import Features
from rnnkit.errors import quoted
from rnnkit.system.json_text import json_value

ROWS: Final = 16
"""Rows of features that a digest is of: enough to tell extractors, layers and orders apart, in bounded time."""


@attrs.frozen
class Seen:
    """The data of a run.

    Attributes:
        folder: its absolute path; None for a dataset in memory.
        features: split -> digest of its features; see `features_digest` for what that can miss.
        captions: split -> digest of its captions in words, and of which image each belongs to.
    """

    folder: str | None
    features: Mapping[str, str]
    captions: Mapping[str, str]

    @classmethod
    def of(cls, dataset: Dataset, folder: str | Path | None) -> Self:
        """Look at a dataset, opened from this folder if it is from one."""
        return cls(
            None if folder is None else str(Path(folder).absolute()),
            {name: features_digest(split.features) for name, split in dataset.splits.items()},
            {name: _captions_digest(split) for name, split in dataset.splits.items()},
        )

    def text(self) -> str:
        """As JSON."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `text` gave."""
        found = json_value(text)
        try:
            seen = cls(**found)
            known = all(isinstance(of, dict) for of in (seen.features, seen.captions))
        except TypeError as e:
            raise ValueError(f"it says of its data {quoted(found)}") from e
        if not known or not isinstance(seen.folder, str | None) or "\0" in (seen.folder or ""):
            raise ValueError(f"it says of its data {quoted(found)}")
        return seen

    def other(self, dataset: Dataset, *, captions: bool = False) -> str | None:
        """What of a dataset is not what was seen, such as "the features of train"; None if all is.

        Args:
            dataset: is looked at; splits that only one of both has do not count.
            captions: whether captions count, too.
        """
        for name, split in dataset.splits.items():
            if self.features.get(name, now := features_digest(split.features)) != now:
                return f"the features of {name}"
            if captions and self.captions.get(name, now := _captions_digest(split)) != now:
                return f"the captions of {name}"
        return None

    def is_of(self, folder: str | Path) -> bool:
        """Whether this is the folder that was seen."""
        return self.folder is not None and Path(folder).absolute() == Path(self.folder)


def own_folder(given: str | None, seen: Seen | None) -> str | None:
    """Where the data of a model or a run is, if no folder is named.

    That is where it was, so that no other folder is taken which has the same name from where one is now. The path
    as it was given leads there from the folder it was given in; and it is all there is to go by if that place is
    gone, as on another machine.
    """
    if seen is None or seen.folder is None or not Path(seen.folder).is_dir():
        return given
    return given if given is not None and seen.is_of(given) else seen.folder


def features_digest(features: Features) -> str:
    """Of the shape, the type as stored, and the first and the last row with 14 between, at equal distances.

    In shards, in one file or in memory, it is the same. Values that are changed in other rows alone are missed.
    """
    n = len(features)
    rows = np.unique(np.arange(ROWS) * (n - 1) // (ROWS - 1))
    values = np.ascontiguousarray(features.rows(rows, features.stored))
    return _digest(f"{features.shape} {features.stored.str}".encode(), values.tobytes())


def _captions_digest(split: Split) -> str:
    shape = str(split.captions.shape).encode()
    return _digest(shape, split.captions.tobytes(), split.image_idxs.tobytes())


def _digest(*parts: bytes) -> str:
    made = hashlib.blake2b(digest_size=16)
    for part in parts:
        made.update(part)
    return made.hexdigest()
