"""Training that has diverged: what is not finite is never saved, and the run can go on from before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from rnnkit.errors import DataError, listed
from rnnkit.kinds import Array, Optimizer

SLOWER: Final = 10.0
"""What the learning rate is divided by in the command that goes on."""


class Diverged(DataError):
    """Some number of a training run is not finite."""


def diverged(what: str) -> Diverged:
    """The error that says what is not finite, and what to try."""
    return Diverged(
        f"{what}: training has diverged; try a smaller train.optimizer.learning_rate, or train.clip"
    )


def check_finite(
    parameters: Mapping[str, Array],
    slots: Mapping[str, Mapping[str, Array]],
    averages: Mapping[str, Array],
    step: int,
) -> None:
    """Make sure that a state of training is worth saving.

    Args:
        parameters: by name.
        slots: of each, by name.
        averages: of them, by name.
        step: updates done.

    Raises:
        Diverged: an element of them is not finite.
    """
    wrong = [name for name, a in parameters.items() if not np.isfinite(a).all()]
    wrong += [
        f"{slot} of {name}"
        for name, own in slots.items()
        for slot, a in own.items()
        if not np.isfinite(a).all()
    ]
    wrong += [f"average of {name}" for name, a in averages.items() if not np.isfinite(a).all()]
    if wrong:
        raise diverged(f"{listed(wrong)} are not finite after update {step}")


def way_on(folder: Path, saved: int, optimizer: Optimizer[Any]) -> str:
    """How to go on from the last good state.

    Args:
        folder: of the run.
        saved: updates done when it was last saved.
        optimizer: of the run.
    """
    rate = getattr(optimizer, "learning_rate", None)
    change = (
        f"train.optimizer.learning_rate={rate / SLOWER:g}"
        if isinstance(rate, float)
        else "train.clip=1.0"
    )
    place = f"goes on after update {saved}" if saved else "begins again"
    return f"rnnkit train --resume {folder} --set {change}  {place}"
