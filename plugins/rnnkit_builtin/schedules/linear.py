"""factor = start + (end - start) step / steps."""

from __future__ import annotations

import attrs
from attrs.validators import ge

from rnnkit.kinds import Progress, Schedule


@attrs.frozen
class Linear(Schedule):
    """A straight line over the whole run.

    Attributes:
        start: the factor of the first update, at least 0.
        end: the factor at the end of the run, at least 0.
    """

    start: float = attrs.field(default=1.0, validator=ge(0.0))
    end: float = attrs.field(default=0.0, validator=ge(0.0))

    def factor(self, at: Progress) -> float:
        done = at.step / at.steps
        return self.start * (1.0 - done) + self.end * done
