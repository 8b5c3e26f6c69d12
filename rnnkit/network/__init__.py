"""The captioning network: recurrent layers over sequences, what a spec builds, and model files.

What is here by name drives one recurrent layer by hand; whole networks are made by `rnnkit.build`.
"""

from rnnkit.network.engine import recurrent_layer
from rnnkit.network.free import FreeRecurrence, FreeTape
from rnnkit.network.gated import GatedParams, GatedRecurrence, GatedTape
from rnnkit.network.packing import Packing
from rnnkit.network.recurrence import FromH0, Recurrence, Tape

__all__ = [
    "FreeRecurrence",
    "FreeTape",
    "FromH0",
    "GatedParams",
    "GatedRecurrence",
    "GatedTape",
    "Packing",
    "Recurrence",
    "Tape",
    "recurrent_layer",
]
