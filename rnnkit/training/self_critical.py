"""Self-critical training: captions are drawn, judged by a reward, and the better ones of each image become likelier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import numpy as np

from rnnkit.data import Split, Vocabulary
from rnnkit.errors import RnnkitError, told
from rnnkit.kinds import Array, Ints, Judge, Words
from rnnkit.network.lots import Lot
from rnnkit.network.model import Captioner
from rnnkit.registry.blame import fault, wrong_return
from rnnkit.registry.labels import label
from rnnkit.registry.returned import REAL, array
from rnnkit.spec import Problem, Spec
from rnnkit.spec.schema import RewardTable
from rnnkit.training.drawing import DrawingLoss, draw
from rnnkit.training.history import Judged

_DRAWING: Final = 3
"""Second word of a training generator's seed, beside those of `trainer.py`."""


@attrs.frozen(eq=False)
class Batch:
    """Captions by people that one update learns from, or this rank's share of them.

    Attributes:
        captions: (n, T).
        features: (n, F), of their images.
        images: (n,), which these are.
        places: (n,), of each in the whole batch.
        of: N, captions of the whole batch.
    """

    captions: Ints
    features: Array
    images: Ints
    places: Ints
    of: int


@attrs.frozen(eq=False)
class SelfCritical:
    """What the captions of a training split are judged by.

    Attributes:
        table: how to learn.
        judge: of captions, word by word.
        spell: tokens of a caption, padding and all -> its words.
    """

    table: RewardTable
    judge: Judge
    spell: Callable[[Ints], Words]

    @staticmethod
    def of(spec: Spec, vocabulary: Vocabulary, train: Split) -> SelfCritical | None:
        """That of a spec; None if it has no reward.

        Raises:
            SpecError: its optimizer has no learning rate to set.
            RegistryError: the reward has no judge.
        """
        table = spec.train.reward
        if table is None:
            return None
        if table.learning_rate is not None and rate_of(spec) is None:
            text = f"the optimizer {label(spec.train.optimizer)} has no option learning_rate; leave this out"
            raise spec.origin.error([Problem(("train", "reward", "learning_rate"), text)])
        spell = speller(vocabulary)
        by_people = [
            [spell(row) for row in train.captions_of(image)] or [[]]
            for image in range(train.images)
        ]
        judge: object = table.reward.judge(by_people)
        if not callable(judge):
            wanted = "a function of captions and their images"
            raise wrong_return(table.reward, "judge", judge, wanted)
        return SelfCritical(table, judge, spell)

    def lots(self, model: Captioner, batch: Batch, number: int) -> tuple[list[Lot], Judged]:
        """What update `number` learns from: the captions of the batch, then those that are drawn for its images.

            gradient = cross_entropy / N * that of the loss of the captions by people
                       - 1 / (N K) * sum over drawn captions of (r - mean r of the image's others) dlog p

        Raises:
            RegistryError: the reward raises, or is no finite number for each caption.
        """
        table = self.table
        people = Lot(
            batch.features, batch.captions, model.spec.train.loss, table.cross_entropy / batch.of
        )
        rng = np.random.default_rng([model.spec.model.seed, _DRAWING, number])
        numbers = rng.random((batch.of, table.samples, model.limit))[batch.places]
        drawn = draw(model.afresh(), batch.features, table.temperature, numbers)
        worth = self._worth(drawn.captions, np.repeat(batch.images, table.samples))
        lot = Lot(
            np.repeat(batch.features, table.samples, axis=0),
            drawn.captions,
            DrawingLoss(tuple(model.banned), table.temperature),
            1 / (batch.of * table.samples),
            advantages(worth.reshape(-1, table.samples)).ravel(),
        )
        words = int(np.count_nonzero(drawn.captions[:, 1:] != model.vocabulary.null))
        return [people, lot], Judged(len(worth), float(worth.sum()), words, drawn.nats)

    def _worth(self, captions: Ints, images: Ints) -> Array:
        reward = self.table.reward
        try:
            made: object = self.judge([self.spell(row) for row in captions], images)
        except (KeyboardInterrupt, MemoryError, RnnkitError):
            raise
        except BaseException as e:  # it is no method, by which whose code raised is found elsewhere
            raise fault(reward, "judge", f"raises {told(e).rpartition(' [')[0]}") from e
        worth: Array = array(reward, "judge", made, images.shape, "what captions are worth", REAL)
        if not np.isfinite(worth).all():
            raise wrong_return(reward, "judge", worth, "a finite number for each caption")
        return worth


def advantages(rewards: Array) -> Array:
    """How much better each sample is than the others of its image, on average.

    Args:
        rewards: (N, K), K at least 2.

    Returns:
        (N, K): r_k - 1/(K - 1) sum over the other j of r_j.
    """
    K = rewards.shape[1]
    better: Array = (rewards - rewards.mean(axis=1, keepdims=True)) * (K / (K - 1))
    return better


def rate_of(spec: Spec) -> float | None:
    """The learning rate of the optimizer, if it has an option of that name."""
    rate: object = getattr(spec.train.optimizer, "learning_rate", None)
    return rate if isinstance(rate, float) else None


def speller(vocabulary: Vocabulary) -> Callable[[Ints], Words]:
    """Tokens of a caption -> its words, with the end token's word behind them if it has one."""
    end, apart = vocabulary.end, (vocabulary.null, vocabulary.start)
    words = vocabulary.words

    def spell(tokens: Ints) -> Words:
        return [words[token] for token in tokens.tolist() if token not in apart]

    def spell_characters(tokens: Ints) -> Words:
        ended = [words[end]] if (tokens == end).any() else []
        return [*vocabulary.decode(tokens).split(), *ended]

    return spell_characters if vocabulary.by_character else spell
