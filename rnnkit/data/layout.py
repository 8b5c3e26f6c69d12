"""The names of the files in a data folder."""

from __future__ import annotations

import attrs


@attrs.frozen
class Layout:
    """The names of a folder's files; `{}` stands for the split. Features may be in shards of theirs."""

    captions: str
    vocabulary: str
    features: str
    raw_features: str
    images: str
    urls: str


DATA_FOLDER = Layout(
    captions="captions.h5",
    vocabulary="vocab.json",
    features="features_{}.h5",
    raw_features="features_raw_{}.h5",
    images="{}_images.txt",
    urls="{}_urls.txt",
)
ASSIGNMENT = Layout(
    captions="coco2014_captions.h5",
    vocabulary="coco2014_vocab.json",
    features="{}2014_vgg16_fc7_pca.h5",
    raw_features="{}2014_vgg16_fc7.h5",
    images="{}2014_images.txt",
    urls="{}2014_urls.txt",
)
