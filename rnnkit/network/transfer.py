"""Parameters taken over from another model: those of the same name and shape, and of words the same words."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from rnnkit.kinds import Array, named_arrays
from rnnkit.network.model import Captioner


@attrs.frozen
class Taken:
    """What became of one parameter.

    Attributes:
        name: of it.
        shape: of it.
        elements: how many of its numbers are the other model's now.
        why: which, or why none.
    """

    name: str
    shape: tuple[int, ...]
    elements: int
    why: str


def take_over(model: Captioner, other: Captioner) -> tuple[Taken, ...]:
    """Put another model's parameters in the place of a model's own, wherever it has them.

    A parameter is taken if the other model has one of the same name and shape. Where an axis goes through the vocabulary,
    as the rows of an embedding, the columns of the last layer of the head and its bias, the words (or characters) that
    both have are taken, matched by spelling, special ones too; the rest stays as it is. Weights are (in, out), so that in
    `words.0` this is the first axis as long as the vocabulary, and behind the head's last product the last one; a
    `LikelihoodLayer` says itself where the words are.

    Args:
        model: whose arrays are changed in place.
        other: stays as it is.

    Returns:
        What became of each parameter of the model.
    """
    theirs = other.parameters
    return tuple(
        _take(model, other, name, w, theirs.get(name)) for name, w in model.parameters.items()
    )


def _take(model: Captioner, other: Captioner, name: str, w: Array, a: Array | None) -> Taken:
    """Take one parameter."""

    def left(why: str) -> Taken:
        return Taken(name, w.shape, 0, why)

    if a is None:
        return left("initialized: the model has none of this name")
    mine, its = (_Words.of(net, name, array) for net, array in ((model, w), (other, a)))
    if mine.rest != its.rest or mine.axis != its.axis:
        return left(f"initialized: that of the model is {a.shape}")
    axis = mine.axis
    if axis is None:
        w[...] = a
        return Taken(name, w.shape, w.size, "taken")
    if model.vocabulary.by_character != other.vocabulary.by_character:
        kinds = ("characters", "words")
        had, has = kinds if other.vocabulary.by_character else kinds[::-1]
        return left(f"initialized: the model has {had}, this network {has}")
    places = {word: k for k, word in enumerate(its.words)}
    known = np.array([k for k, word in enumerate(mine.words) if word in places], dtype=np.int64)
    theirs = np.array([places[mine.words[k]] for k in known], dtype=np.int64)
    np.moveaxis(w, axis, 0)[known] = np.moveaxis(a, axis, 0)[theirs]
    kind = "characters" if model.vocabulary.by_character else "words"
    taken = w.size // len(mine.words) * len(known)
    spelled = np.array([isinstance(word, str) for word in mine.words])
    both = f"{np.count_nonzero(spelled[known]):,} of {np.count_nonzero(spelled):,}"
    return Taken(name, w.shape, taken, f"taken of {both} {kind}")


@attrs.frozen
class _Words:
    """Where the words are in a parameter.

    Attributes:
        axis: that goes through them; None if none does.
        words: at each place of it; a number is no word, but the same in every vocabulary.
        rest: the shape of the other axes.
    """

    axis: int | None
    words: Sequence[str | int]
    rest: tuple[int, ...]

    @classmethod
    def of(cls, model: Captioner, name: str, w: Array) -> _Words:
        part, number, own = name.split(".", 2)
        words = model.vocabulary.words
        last, layer = len(model.head.chain.links) - 1, model.head.chain.likelihood_layer
        if part == "head" and int(number) == last and layer is not None:
            axis, tokens = layer.word_axes().get(own, (None, np.array([], int)))
            at: Sequence[str | int] = [
                words[token] if token >= 0 else token for token in tokens.tolist()
            ]
        else:
            axis, at = _word_axis(model, name, w), words
        return cls(axis, at, tuple(size for k, size in enumerate(w.shape) if k != axis))


def _word_axis(model: Captioner, name: str, w: Array) -> int | None:
    """The axis of a parameter that goes through the vocabulary."""
    part, number, *_ = name.split(".")
    axes = [k for k, size in enumerate(w.shape) if size == len(model.vocabulary)]
    if part == "words" and number == "0":
        return axes[0] if axes else None
    later = model.head.chain.links[int(number) + 1 :] if part == "head" else ()
    scores = all(a.ndim < 2 for link in later for _, a in named_arrays(link.params))
    return w.ndim - 1 if part == "head" and scores and w.ndim - 1 in axes else None
