"""factor = f(step / steps): the equation, in one line.

Authors, "Title" (year), section.
"""

from __future__ import annotations

import attrs

from rnnkit.kinds import Progress, Schedule


@attrs.frozen
class NewPlugin(Schedule):
    """What it is, in one line.

    An option is a field, as in `floor: float = 0.1`, and is described here under `Attributes:`.
    """

    def factor(self, at: Progress) -> float:
        raise NotImplementedError("write the factor, from at.step of at.steps, or from at.epoch")
