"""Where a network looked in an image at each word of a caption."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from rnnkit.kinds import Array
from rnnkit.network.model import Captioner


def attention(model: Captioner, features: Array, caption: str) -> Iterator[tuple[str, Array]]:
    """The weights of the regions as the network chose each word of a caption.

    Args:
        model: nothing comes of one without a cell that looks at regions.
        features: (1, F), of the image.
        caption: in words of its vocabulary.

    Yields:
        (word, (L,)) for each word; of the top layer that looks.
    """
    words, memory = model.vocabulary, model.begin(features)
    cells = [row.cell for row in model.spec.model.rnn]
    row = words.encode(caption, model.length)
    for now, next_word in pairwise(row):
        found = [cell.attention(s) for cell, s in zip(cells, memory.states, strict=True)]
        looked = [weights for weights in found if weights is not None]
        if not looked or next_word in (words.end, words.null):
            return
        yield words.words[next_word], looked[-1][0]
        _, memory = model.step(np.array([now]), memory)
