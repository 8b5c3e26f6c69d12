"""A cell that does not fit its interface, in every way the registry checks."""

import attrs

from rnnkit.kinds import GatedCell, NoParams, State


@attrs.define
class Misfit(GatedCell[NoParams, State, bytes]):
    """Unfrozen, without gates, with a step of another signature, without step_back, for another API."""

    api = 2
    colours: bytes = b""

    def init(self, hidden, rng, dtype):
        return NoParams()

    def start(self, h):
        return State(h)

    def step(self, p, z, s):
        return s, b""
