"""reward = sum over k of w_k reward_k."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from attrs.validators import min_len

from rnnkit.kinds import Array, Ints, Judge, Reward, Words
from rnnkit_builtin.rewards.cider_d import CiderD
from rnnkit_builtin.rewards.rouge_l import RougeL


@attrs.frozen
class Sum(Reward):
    """Several rewards together.

    Attributes:
        of: the rewards.
        weights: w, one for each; all 1 if left open.
    """

    of: tuple[Reward, ...] = attrs.field(validator=min_len(1))
    weights: tuple[float, ...] = attrs.field(default=())

    @weights.validator
    def _one_for_each(self, _: object, weights: tuple[float, ...]) -> None:
        if len(weights) not in (0, len(self.of)):
            raise ValueError(f"there are {len(weights)} weights for {len(self.of)} rewards")

    def judge(self, references: Sequence[Sequence[Words]]) -> Judge:
        judges = [reward.judge(references) for reward in self.of]
        weights = self.weights or (1.0,) * len(judges)

        def judge(captions: Sequence[Words], images: Ints) -> Array:
            total = np.zeros(len(captions))
            for weight, one in zip(weights, judges, strict=True):
                total += weight * one(captions, images)
            return total

        return judge

    @classmethod
    def variants(cls) -> list[Sum]:
        """What the harness checks beside one reward alone."""
        both = CiderD(), RougeL()
        return [cls(both), cls(both, (0.5, -2.0))]
