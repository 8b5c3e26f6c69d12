"""The captioning network: recurrent layers over sequences, what a spec builds, and model files.

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
