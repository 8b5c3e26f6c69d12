"""Opens photos, and brings them to the features that networks take.

from rnnkit.data.photos import open_photo

pixels = open_photo("photo.jpg")
"""

from rnnkit.data.photos.fitting import Fit, Interpolation, fit_picture
from rnnkit.data.photos.identity import EncoderIdentity, identity_of
from rnnkit.data.photos.networks import OnnxNetwork, Port, open_network, read_network
from rnnkit.data.photos.opening import Photo, open_photo

__all__ = [
    "EncoderIdentity",
    "Fit",
    "Interpolation",
    "OnnxNetwork",
    "Photo",
    "Port",
    "fit_picture",
    "identity_of",
    "open_network",
    "open_photo",
    "read_network",
]
