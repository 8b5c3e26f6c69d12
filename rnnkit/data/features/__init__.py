"""Reads the features of images: from memory, or from files that are larger than memory."""

from rnnkit.data.features.held import HeldFeatures
from rnnkit.data.features.in_files import FileFeatures
from rnnkit.data.features.interface import Features, ignore
from rnnkit.data.features.maps import FeatureMap
from rnnkit.data.features.opening import open_features
from rnnkit.data.features.shards import file_names, find_files

__all__ = [
    "FeatureMap",
    "Features",
    "FileFeatures",
    "HeldFeatures",
    "file_names",
    "find_files",
    "ignore",
    "open_features",
]
