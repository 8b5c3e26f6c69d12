"""The network of specs/flickr8k-lstm.toml, for any data."""

from __future__ import annotations

from benchmarks.captions import Source
from benchmarks.turns import ROOT
from rnnkit.data import HeldFeatures, Split, Vocabulary
from rnnkit.network.builder import assemble
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes, as_spec

SPEC = ROOT / "specs" / "flickr8k-lstm.toml"


def captioner(source: Source, batch: int) -> Captioner:
    """The network for this data, to be trained for one epoch, with the learning rate as it is."""
    spec = as_spec(SPEC, ["train.epochs=1", f"train.batch={batch}", "train.schedule=constant"])
    vocabulary = Vocabulary.standard(source.vocabulary)
    sizes = Sizes(source.features.shape[1], vocabulary, source.captions.shape[1])
    return assemble(spec, sizes)


def split_of(source: Source) -> Split:
    """All captions, with their features in memory."""
    return Split("train", source.captions, source.image_idxs, HeldFeatures(source.features))
