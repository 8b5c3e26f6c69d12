"""Opens data folders: captions, their vocabulary, and the features of their images."""

from rnnkit.data.characters import as_characters, characters_of
from rnnkit.data.dataset import Dataset, Split
from rnnkit.data.doubts import Doubt, doubts
from rnnkit.data.features import Features, FileFeatures, HeldFeatures, open_features
from rnnkit.data.folder import open_data
from rnnkit.data.summary import SplitSummary, Summary, describe
from rnnkit.data.vocabulary import END, NULL, START, UNKNOWN, Vocabulary, read_vocabulary

__all__ = [
    "END",
    "NULL",
    "START",
    "UNKNOWN",
    "Dataset",
    "Doubt",
    "Features",
    "FileFeatures",
    "HeldFeatures",
    "Split",
    "SplitSummary",
    "Summary",
    "Vocabulary",
    "as_characters",
    "characters_of",
    "describe",
    "doubts",
    "open_data",
    "open_features",
    "read_vocabulary",
]
