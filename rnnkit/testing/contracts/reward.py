"""Rewards: a finite number for any caption, that depends on nothing but the caption, its image and the references."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Final

import attrs
import numpy as np

from rnnkit.kinds import Array, Ints, Judge, Reward, Rng, Words
from rnnkit.testing.contracts.contract import Contract
from rnnkit.testing.example import Broken, equal_bits

END: Final = "<END>"
WORDS: Final = (
    "a",
    "red",
    "dog",
    "cat",
    "ball",
    "big",
    "on",
    "under",
    "runs",
    "sits",
    "the",
    "of",
    "two",
)
NEW: Final = ("zebra", "Ünïcode", "<UNK>")
"""Words that no reference has."""

ROUNDING: Final = 1e-9
"""Of a worth by the largest of them: how many captions are judged at a time may decide the order of sums."""


def reward_contracts(plugin: Reward) -> Iterator[Contract]:
    """The contracts of one reward."""
    yield Contract("numbers", partial(_gives_numbers, plugin))
    yield Contract("no captions", partial(_takes_none, plugin))
    yield Contract("any references", partial(_takes_any_references, plugin))
    yield Contract("inputs unchanged", partial(_leaves_its_inputs, plugin))
    yield Contract("captions apart", partial(_keeps_captions_apart, plugin))
    yield Contract("repeatable", partial(_repeats, plugin))
    yield Contract("tells apart", partial(_tells_captions_apart, plugin))


@attrs.frozen
class Corpus:
    """Captions to judge.

    Attributes:
        references: of each image.
        captions: of some images.
        images: (n,) which.
    """

    references: tuple[tuple[Words, ...], ...]
    captions: tuple[Words, ...]
    images: Ints

    @staticmethod
    def drawn(rng: Rng) -> Corpus:
        """Captions of all sorts, of images with one reference or several."""
        references = tuple(
            tuple(_caption(rng, int(rng.integers(4, 16))) for _ in range(count))
            for count in (5, 1, 3, 5, 2, 6)
        )
        captions: list[Words] = []
        for of_image in references:
            whole = list(of_image[-1])
            captions += [
                whole,
                whole[:-1],
                [*whole[:-1], *NEW, END],
                [*NEW[:1], *whole],
                rng.permutation(whole).tolist(),
                [*whole[:-2], END],
                _caption(rng, 9),
                _caption(rng, 70),
                [WORDS[0]] * 8,
                [*NEW, *NEW],
                [END],
                [],
            ]
        images = np.repeat(np.arange(len(references)), len(captions) // len(references))
        order = rng.permutation(len(captions))
        return Corpus(references, tuple(captions[i] for i in order), images[order])

    def judged(self, plugin: Reward) -> Array:
        """What the captions are worth, its form checked."""
        return self.worth(plugin.judge(self.references))

    def worth(self, judge: Judge) -> Array:
        """The same, from a judge of the references."""
        if not callable(judge):
            raise Broken(
                "judge",
                f"judge returns {type(judge).__name__}, not a function of captions and their images",
            )
        found: object = judge(self.captions, self.images)
        if not isinstance(found, np.ndarray):
            raise Broken("numbers", f"{type(found).__name__} is returned, not an array")
        if found.shape != (len(self.captions),) or found.dtype != np.float64:
            raise Broken(
                "numbers",
                f"{found.dtype} {found.shape} is returned for {len(self.captions)} captions, where float64 "
                f"({len(self.captions)},) is expected",
            )
        return found

    def some(self, rows: Ints) -> Corpus:
        """These captions alone, in this order."""
        captions = tuple(self.captions[i] for i in rows.tolist())
        return attrs.evolve(self, captions=captions, images=self.images[rows])


def _caption(rng: Rng, length: int) -> Words:
    """Words of which some are rare, and the end behind them."""
    weights = 1.0 / np.arange(1, len(WORDS) + 1)
    drawn: list[str] = rng.choice(WORDS, length - 1, p=weights / weights.sum()).tolist()
    return [*drawn, END]


def _gives_numbers(plugin: Reward, rng: Rng) -> None:
    corpus = Corpus.drawn(rng)
    worth = corpus.judged(plugin)
    for caption, value in zip(corpus.captions, worth.tolist(), strict=True):
        if not np.isfinite(value):
            raise Broken("numbers", f"{_shown(caption)} is worth {value}, which is not finite")


def _takes_none(plugin: Reward, rng: Rng) -> None:
    Corpus.drawn(rng).some(np.arange(0)).judged(plugin)


def _takes_any_references(plugin: Reward, rng: Rng) -> None:
    """One image alone; references without words, and all alike."""
    cases: tuple[tuple[tuple[Words, ...], ...], ...] = (
        ((["a", "dog", END],),),
        (([END],), ([],)),
        ((["a"], ["a"]), (["a"],)),
    )
    for references in cases:
        captions: tuple[Words, ...] = (["a", "dog", END], [], [END])
        worth = Corpus(references, captions, np.arange(3) % len(references)).judged(plugin)
        if not np.isfinite(worth).all():
            raise Broken(
                "any references",
                f"captions are worth {worth.tolist()} beside {list(references[0])}",
            )


def _leaves_its_inputs(plugin: Reward, rng: Rng) -> None:
    corpus = Corpus.drawn(rng)
    before = copy.deepcopy(corpus)
    judge = plugin.judge(corpus.references)
    if corpus.references != before.references:
        raise Broken("inputs unchanged", "judge changes the references: work on a copy")
    corpus.worth(judge)
    if corpus.references != before.references or corpus.captions != before.captions:
        raise Broken("inputs unchanged", "captions or references are changed: work on a copy")
    if not np.array_equal(corpus.images, before.images):
        raise Broken("inputs unchanged", "the array of images is changed: work on a copy")


def _keeps_captions_apart(plugin: Reward, rng: Rng) -> None:
    corpus = Corpus.drawn(rng)
    judge = plugin.judge(corpus.references)
    together = corpus.worth(judge)
    scale = max(1e-6, float(np.abs(together).max()))
    order = rng.permutation(len(together))
    twice = np.repeat(order, 2)
    alone = [np.array([i]) for i in order]
    for how, lots in (("in another order", [order]), ("twice", [twice]), ("alone", alone)):
        for rows in lots:
            off = np.abs(corpus.some(rows).worth(judge) - together[rows])
            worst = int(off.argmax())
            if not off[worst] <= ROUNDING * scale:
                caption = corpus.captions[int(rows[worst])]
                raise Broken(
                    "captions apart",
                    f"{_shown(caption)} is worth something else {how}, by {off[worst]:.2g}: a caption's worth must "
                    "depend on itself and its image alone",
                )


def _repeats(plugin: Reward, rng: Rng) -> None:
    corpus, other = Corpus.drawn(rng), Corpus.drawn(rng)
    judge = plugin.judge(corpus.references)
    first = corpus.worth(judge)
    other.worth(plugin.judge(other.references))
    for again in (judge, judge, attrs.evolve(plugin).judge(corpus.references)):  # type: ignore[misc]  # all are attrs
        if not equal_bits(corpus.worth(again), first):
            raise Broken(
                "repeatable",
                "the same captions are worth something else the second time: keep nothing between calls but "
                "what was counted of the references",
            )


def _tells_captions_apart(plugin: Reward, rng: Rng) -> None:
    worth = Corpus.drawn(rng).judged(plugin)
    if (worth == worth[0]).all():
        raise Broken(
            "tells apart",
            f"all captions are worth {worth[0]}, right ones and empty ones: nothing can be learnt from that",
        )


def _shown(caption: Words) -> str:
    text = " ".join(caption)
    return repr(text if len(text) < 60 else f"{text[:50]} ..")
