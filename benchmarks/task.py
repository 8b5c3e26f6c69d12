"""What all contenders are given: the sizes of a network, its initial parameters, and batches of data.

The parent writes a task to a folder, and each contender reads it in its own process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np

from rnnkit.kinds.arrays import Array, Ints

LEARNING_RATE = 1e-3
"""Of Adam; its other numbers are those of the paper."""

NULL, START, END, UNKNOWN = range(4)
"""The tokens of the special words."""


@attrs.frozen
class Problem:
    """The sizes of a network and its batches.

    Attributes:
        cell: vanilla, lstm or gru.
        batch: N.
        length: T, tokens of a caption with its start; a step has T - 1 time steps.
        features: F, width of the image features.
        width: W, of the word vectors.
        hidden: H.
        vocabulary: V.
    """

    cell: str = "lstm"
    batch: int = 128
    length: int = 17
    features: int = 512
    width: int = 256
    hidden: int = 512
    vocabulary: int = 2541


@attrs.frozen
class Batch:
    """Some captions and the features of their images."""

    captions: Ints  # (N, T)
    features: Array  # (N, F), float32


@attrs.frozen
class Task:
    """What a contender starts from.

    Attributes:
        problem: the sizes.
        batches: to work on in turn.
        parameters: rnnkit's name -> initial value, float32; from a file, each is read anew when asked for.
        data: a data folder, for contenders that read their own data.
        limit: how many captions of it they are to use; all if left open.
    """

    problem: Problem
    batches: Sequence[Batch]
    parameters: Mapping[str, Array]
    data: Path | None = None
    limit: int | None = None

    def write(self, folder: Path) -> None:
        """Write it to a folder, which is made."""
        folder.mkdir()
        about = {
            "problem": attrs.asdict(self.problem),
            "batches": len(self.batches),
            "data": None if self.data is None else str(self.data),
            "limit": self.limit,
        }
        (folder / "task.json").write_text(json.dumps(about), encoding="utf-8")
        np.savez(folder / "parameters.npz", allow_pickle=False, **self.parameters)
        for i, batch in enumerate(self.batches):
            np.savez(folder / f"batch{i}.npz", captions=batch.captions, features=batch.features)

    @staticmethod
    def read(folder: Path) -> Task:
        """Read a task that `write` has written."""
        about = json.loads((folder / "task.json").read_text(encoding="utf-8"))
        return Task(
            Problem(**about["problem"]),
            [_read_batch(folder / f"batch{i}.npz") for i in range(about["batches"])],
            np.load(folder / "parameters.npz"),
            None if about["data"] is None else Path(about["data"]),
            about["limit"],
        )


def _read_batch(path: Path) -> Batch:
    with np.load(path) as file:
        return Batch(file["captions"], file["features"])
