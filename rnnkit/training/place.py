"""Where a run is, and whether it is the run that another place is of."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import attrs
import numpy as np

from rnnkit.data import Split
from rnnkit.errors import CheckpointError
from rnnkit.training.history import History, Tally


@attrs.frozen
class Scored:
    """A model's captions of val.

    Attributes:
        value: of the metric.
        words: that a caption has, on average.
    """

    value: float
    words: float


@attrs.frozen
class Place:
    """Where a run is: with parameters and slots, all that going on takes.

    Random numbers are drawn from generators seeded with the number of the epoch or update, so they need no
    place of their own.

    Attributes:
        step: updates done.
        steps: updates in the whole run.
        seconds: since the run began.
        captions: digest of the captions trained on, with their order.
        batch: N.
        shuffle: images whose captions are shuffled together; 0 is all.
        reward_batch: N where it learns from a reward; 0 if it does not.
        reward_begin: updates before that; 0 if it does not.
        before_reward: what captions were then, where there is a metric of them.
        since_record: sums since the last evaluation.
        since_update: sums since the last row of `updates.csv`.
        best: the best value of the metric so far.
        waited: evaluations since then.
        judged_since: evaluations before the metric was what it is.
        begun: parameter -> updates done before it began to learn, of those that learn and did not from the first one.
        averaged: updates done before averaging of the parameters began; None if they are not averaged.
        cuts: into how many pieces work was cut at most, for as many threads; 0 in checkpoints that do not say.
        ranks: processes that shared the work; 0 in checkpoints that do not say.
        from_model: the model that its first parameters were taken from; None if they were initialized.
        history: all rows so far.
    """

    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    captions: int = 0
    batch: int = 0
    shuffle: int = 0
    reward_batch: int = 0
    reward_begin: int = 0
    before_reward: Scored | None = None
    since_record: Tally = Tally()
    since_update: Tally = Tally()
    best: float | None = None
    waited: int = 0
    judged_since: int = 0
    begun: Mapping[str, int] = attrs.field(factory=dict)
    averaged: int | None = None
    cuts: int = 0
    ranks: int = 0
    from_model: str | None = None
    history: History = History()


def check_same_run(place: Place, own: Place, shuffle: int | None, images: int) -> None:
    """Make sure that a run can go on from a place.

    Args:
        place: of a checkpoint.
        own: of the run's beginning, by its spec and data.
        shuffle: images that the spec wants shuffled together; None if it leaves that open.
        images: how many there are.

    Raises:
        CheckpointError: the captions or the batches are not those of the place.
    """
    if place.captions != own.captions:
        raise CheckpointError(
            "the training captions are not those that the run began with; resume it on the same data"
        )
    if place.batch != own.batch:
        raise CheckpointError(
            f"the run began with train.batch = {place.batch}, and cannot continue with {own.batch}"
        )
    if shuffle is not None and min(shuffle, images) != (place.shuffle or images):
        raise CheckpointError(
            f"the run began with {_together(place.shuffle)} shuffled together, and cannot continue with "
            f"train.shuffle = {shuffle}"
        )
    begins = [p.reward_begin for p in (place, own) if p.reward_batch]
    if _reward(place) != _reward(own) and any(place.step > begin for begin in begins):
        raise CheckpointError(
            f"the run {_reward(place)}, and has {place.step:,} updates: it cannot continue as one that {_reward(own)}"
        )


def digest(train: Split) -> int:
    """Of the captions trained on, with their order."""
    captions, image_idxs = map(np.ascontiguousarray, (train.captions, train.image_idxs))
    return zlib.crc32(image_idxs.data, zlib.crc32(captions.data))


def _reward(place: Place) -> str:
    """What a run learns from, for a sentence."""
    if not place.reward_batch:
        return "learns from the loss alone"
    after = f"after {place.reward_begin:,} updates" if place.reward_begin else "from the start"
    return f"learns from a reward {after}, {place.reward_batch:,} images an update"


def _together(images: int) -> str:
    return f"the captions of {images:,} images" if images else "all captions"
