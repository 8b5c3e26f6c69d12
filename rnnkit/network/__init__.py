"""The network itself: recurrent layers over time, chains, the captioner they make, how it is built, and its file.

What is here by name drives one recurrent layer by hand; whole networks are made by `rnnkit.build`.
"""

from rnnkit.network.free import FreeRecurrence, FreeTape
from rnnkit.network.gated import GatedParams, GatedRecurrence, GatedTape
from rnnkit.network.packing import Packing
from rnnkit.network.recurrence import Recurrence

__all__ = [
    "FreeRecurrence",
    "FreeTape",
    "GatedParams",
    "GatedRecurrence",
    "GatedTape",
    "Packing",
    "Recurrence",
]
