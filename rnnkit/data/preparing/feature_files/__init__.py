"""Features of images as people have them, each form a module."""

from rnnkit.data.preparing.feature_files.file import IDS, FeatureFile
from rnnkit.data.preparing.feature_files.opening import open_file

__all__ = ["IDS", "FeatureFile", "open_file"]
