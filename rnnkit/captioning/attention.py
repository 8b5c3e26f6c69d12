"""A caption followed word by word: what each word was chosen among, and where the network looked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnnkit.kinds import Array, Ints
from rnnkit.network.memory import Remembered
from rnnkit.network.model import Captioner
from rnnkit.registry.returned import array


def attention(model: Captioner, features: Array, caption: str) -> Iterator[tuple[str, Array]]:
    """The weights of the regions as the network chose each word of a caption.

    Args:
        model: nothing comes of one without a cell that looks at regions.
        features: (1, F), of the image.
        caption: in words of its vocabulary.

    Yields:
        (word, (L,)) for each word; of the top layer that looks.
    """
    words = model.vocabulary
    row = words.encode(caption, model.length)[1:]
    for token, (_, looked) in zip(row, follow(model, features, row[None]), strict=True):
        if looked is None or token in (words.end, words.null):
            return
        yield words.words[token], looked[0]


def follow(
    model: Captioner, features: Array, captions: Ints
) -> Iterator[tuple[Array, Array | None]]:
    """Go through captions as the network would have written them.

    Args:
        model: the network.
        features: (N, F), of the images.
        captions: (N, T) tokens, without the start token.

    Yields:
        For each position, what its token was chosen by: log probabilities (N, V), -inf for what no caption
        has, and what `looks` says.
    """
    memory, last = model.begin(features), np.full(len(captions), model.vocabulary.start)
    for tokens in captions.T:
        looked = looks(model, memory)
        log_probs, memory = model.writing_step(last, memory)
        yield log_probs, looked
        last = tokens


def looks(model: Captioner, memory: Remembered) -> Array | None:
    """The weights (n, L) of the regions as the next word is chosen; None of a network that does not look at regions.

    They are those of the top layer that looks.
    """
    cells = [row.cell for row in model.spec.model.rnn]
    found = [cell.attention(s) for cell, s in zip(cells, memory.states, strict=True)]
    for cell, weights in zip(cells, found, strict=True):
        if weights is not None:
            array(cell, "attention", weights, (len(memory), *np.shape(weights)[1:2]), "the weights")
    return next((weights for weights in reversed(found) if weights is not None), None)
