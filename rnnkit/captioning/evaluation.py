"""How well a model captions a split: the likelihood of what people wrote, and what its own captions are worth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.captioning.images import Captioned, caption_split, check_fits
from rnnkit.data import Dataset, Split, Vocabulary
from rnnkit.data.annotations import ImageId
from rnnkit.data.references import read_references
from rnnkit.data.summary import count_targets
from rnnkit.kinds import Decoder
from rnnkit.metrics import DEFAULT, check, scores
from rnnkit.network.sizes import tokenized
from rnnkit.network.writer import Writer, as_decoder
from rnnkit.parallel import ALONE, Ranks
from rnnkit.registry.labels import label
from rnnkit.system.glance import AtAGlance, Glance

EVAL_BATCH: Final = 256


@attrs.frozen(repr=False)
class Evaluation(AtAGlance):
    """What came of evaluating a model.

    Attributes:
        split: its name.
        images: number of images captioned.
        references: number of captions by people that these are compared with.
        source: the file that has those as they were written; None if it is their tokens, in words, which lack
            punctuation, rare words, and whatever was cut from long captions.
        decoder: how the model chose words, such as `beam(width=3)`.
        by_character: whether tokens are characters rather than words.
        nats: negative log likelihood per token of the captions by people, in nats.
        scores: metric -> value over all images, as `rnnkit.metrics.scores` has them.
        captions: the model's, image by image, beside those by people.
        image_ids: by which the source names the images; else the rows of their features.
    """

    split: str
    images: int
    references: int
    source: Path | None
    decoder: str
    by_character: bool
    nats: float
    scores: Mapping[str, float]
    captions: tuple[Captioned, ...]
    image_ids: tuple[ImageId, ...]

    @property
    def perplexity(self) -> float:
        """exp(nats)."""
        return perplexity(self.nats)

    @property
    def monotony(self) -> str | None:
        """What there is to say of captions that are all the same, or empty; None if they are not."""
        return monotony([one.caption for one in self.captions])

    def results(self) -> list[dict[str, object]]:
        """The model's captions in COCO's results format."""
        return [
            {"image_id": image_id, "caption": said.caption}
            for image_id, said in zip(self.image_ids, self.captions, strict=True)
        ]

    def _glance(self) -> Glance:
        monotony = self.monotony
        return f"Evaluation of {self.split}: {self.images:,} images, captioned by {self.decoder}", [
            ("captions by people", f"{self.references:,}"),
            ("nats per token", f"{self.nats:.4f}"),
            ("perplexity", f"{self.perplexity:.2f}"),
            *((metric, f"{value:.4f}") for metric, value in self.scores.items()),
            *([] if monotony is None else [("note", monotony)]),
        ]


def evaluate(
    model: Writer[Any],
    dataset: Dataset,
    split: str = "val",
    decoder: Decoder | str | None = None,
    metrics: Sequence[str] = DEFAULT,
    limit: int | None = None,
    ranks: Ranks = ALONE,
) -> Evaluation:
    """Judge a model on the first `limit` images of a split, or all.

    Args:
        model: a network, or several that write together.
        dataset: an open data folder, in words; its `captions_{split}.json` has what people wrote.
        split: its name.
        decoder: how to choose words, or the name of a plugin that does; the spec's if left open.
        metrics: of `rnnkit.metrics.METRICS`.
        limit: number of images; all if left open.
        ranks: processes that are called with the same arguments and share the images; the first alone scores
            the captions. All get what one process comes to, to the bit if it has as many threads as each.

    Raises:
        DataError: there is no such split, its features or words are not those of the model, its annotations
            are damaged or of other images, or an image has none.
        RnnkitError: there is no such metric, or what computes it is not installed.
    """
    ranks.first(partial(check, metrics))
    check_fits(model, dataset)
    references = read_references(dataset, split)
    captions = caption_split(model, dataset, split, limit, decoder, ranks, references)
    said = {one.image: one.caption for one in captions}
    wanted = {one.image: one.truth for one in captions}
    tokens = tokenized(model.spec, dataset, model.vocabulary)
    return Evaluation(
        split=split,
        images=len(captions),
        references=sum(len(one.truth) for one in captions),
        source=references.source,
        decoder=label(as_decoder(decoder, model.spec.caption.decoder)),
        by_character=model.vocabulary.by_character,
        nats=nats_per_token(model, _first_images(tokens.split(split), len(captions)), ranks),
        scores=ranks.first(partial(scores, said, wanted, metrics)),
        captions=tuple(captions),
        image_ids=references.image_ids[: len(captions)],
    )


def nats_per_token(model: Writer[Any], split: Split, ranks: Ranks = ALONE) -> float:
    """Negative log likelihood per token of a split's captions, in nats; each rank takes some of them."""
    # Rows of like length share a batch, so that no step is run for a few rows alone.
    lengths = np.count_nonzero(split.captions != model.vocabulary.null, axis=1)
    order = np.argsort(lengths, kind="stable")
    batches = [order[i : i + EVAL_BATCH] for i in range(0, len(order), EVAL_BATCH)]
    # Of each batch, so that the order of the sum is one for any number of ranks.
    found = np.zeros((len(batches), 2))
    own = slice(ranks.rank, None, ranks.size)
    for row, (captions, features) in zip(
        found[own], split.batches(batches[own], model.dtype), strict=True
    ):
        with np.errstate(all="ignore"):  # what diverged says so by its nats
            row[:] = model.nats(features, captions)
    ranks.sum(found)
    nats, tokens = found.sum(axis=0).tolist()
    return float(nats / max(tokens, 1.0))


def monotony(captions: Sequence[str]) -> str | None:
    """A sentence about captions nine of ten of which are the same, or empty; None if they are not."""
    if not captions:
        return None
    (caption, count), n = Counter(captions).most_common(1)[0], len(captions)
    if 10 * count < 9 * n or (caption and n == 1):
        return None
    which = "the only caption is" if n == 1 else f"{count:,} of the {n:,} captions are"
    which = f"all {n:,} captions are" if count == n > 1 else which
    if not caption:
        return f"{which} empty: the network has learnt to end a caption at once"
    return f"{which} {caption!r}: the network does not tell images apart"


def guessing_nats(train: Split, split: Split, vocabulary: Vocabulary) -> float:
    """Negative log likelihood per token of a split's captions, in nats, if words are guessed by frequency.

        p(w) = (c_w + 1) / sum over w of (c_w + 1)

    where c_w is how often train has w after `<START>` (Laplace's rule, so that no word is impossible). Of train
    itself, it is the entropy of its words but for that.
    """
    of_train, of_split = (count_targets(one.captions, vocabulary) for one in (train, split))
    log_p = np.log((of_train + 1) / (of_train + 1).sum())
    return float(-(of_split @ log_p) / max(of_split.sum(), 1))


def perplexity(nats: float) -> float:
    """exp of nats per token; infinite where that is no number."""
    return math.exp(nats) if nats < 700 else math.inf


def _first_images(split: Split, images: int) -> Split:
    """The same split with the captions of its first images only."""
    chosen = split.image_idxs < images
    return attrs.evolve(split, captions=split.captions[chosen], image_idxs=split.image_idxs[chosen])
