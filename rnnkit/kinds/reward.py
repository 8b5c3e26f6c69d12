"""What captions are worth."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

from rnnkit.kinds.arrays import Array, Ints
from rnnkit.kinds.plugin import Plugin

Words: TypeAlias = Sequence[str]
"""A caption, word by word. In training, the last word is `<END>` where the caption came to its end."""

Judge: TypeAlias = Callable[[Sequence[Words], Ints], Array]
"""Captions of n images, and the number of each one's image (n,) -> what each caption is worth (n,), float64.

The larger, the better. Captions may have no words, and words that no reference has; there may be none at all. A
caption's worth depends on itself and its image alone, whatever stands beside it. Nothing given may be changed."""


class Reward(Plugin):
    """What a caption is worth beside what people wrote of its image.

    Training draws captions and makes the better ones likelier (`[train.reward]`), so it needs no gradient. It is
    called at every update: what can be counted once for all, such as how rare each word is, is counted in `judge`.
    """

    noun: ClassVar[str] = "reward"
    group: ClassVar[str] = "rnnkit.rewards"

    @abc.abstractmethod
    def judge(self, references: Sequence[Sequence[Words]]) -> Judge:
        """Get ready to judge captions of these images.

        Args:
            references: of each image what people wrote of it, one caption at least. Nothing of it may be changed.

        Returns:
            A function of captions and their images: see `Judge`.
        """
