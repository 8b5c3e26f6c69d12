"""`python -m benchmarks.vocabulary`: what a large vocabulary costs a training step, head by head."""

from __future__ import annotations

import time
from typing import Annotated, Final

import typer

from rnnkit.parallel import settle

settle()  # before NumPy

import numpy as np  # noqa: E402

from rnnkit.data import HeldFeatures, Split, Vocabulary  # noqa: E402
from rnnkit.kinds import Array, Ints  # noqa: E402
from rnnkit.network.builder import assemble  # noqa: E402
from rnnkit.network.sizes import Sizes  # noqa: E402
from rnnkit.spec import parse_spec  # noqa: E402
from rnnkit.training import Trainer  # noqa: E402

F, T, D, H = 512, 17, 256, 512

SPEC: Final = f"""
[model]
words = {{ use = "embedding", dim = {D} }}
head = HEAD
[[model.rnn]]
hidden = {H}
cell = "lstm"
[train]
optimizer = OPTIMIZER
"""

ADAM: Final = '{ use = "adam", learning_rate = 1e-3 }'

WAYS: Final = {
    "affine": ('"affine"', ADAM),
    "affine, tied": (f'[{{ use = "affine", units = {D} }}, "tied"]', ADAM),
    "adaptive-softmax": ('"adaptive-softmax"', ADAM),
    "adaptive-softmax, lazy": ('"adaptive-softmax"', f"{ADAM}\nlazy = true"),
}
"""Head and optimizer of a spec, by what stands in the table."""


def captions_of(rng: np.random.Generator, N: int, V: int) -> Ints:
    """Captions of 8 to T - 2 words, the word of rank r as often as 1 / r."""
    p = 1.0 / np.arange(1, V - 3)
    captions = rng.choice(np.arange(4, V), (N, T), p=p / p.sum())
    ends = rng.integers(9, T, N)
    captions[np.arange(N), ends] = 2
    captions[np.arange(T) > ends[:, None]] = 0
    captions[:, 0] = 1
    return captions


def main(
    words: Annotated[int, typer.Option(min=100, help="V.")] = 50_000,
    images: Annotated[int, typer.Option(min=1, help="N, captions of an update.")] = 128,
    rounds: Annotated[int, typer.Option(min=1, help="Updates of each head, in turns.")] = 7,
) -> None:
    """Time whole updates of an LSTM (D = 256, H = 512) in float32: forward, backward and optimizer."""
    rng = np.random.default_rng(0)
    features: Array = rng.standard_normal((images, F)).astype(np.float32)
    batches = [captions_of(rng, images, words) for _ in range(rounds + 1)]
    trainers: dict[str, Trainer] = {}
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for way, (head, optimizer) in WAYS.items():
        spec = parse_spec(SPEC.replace("HEAD", head).replace("OPTIMIZER", optimizer))
        model = assemble(spec, Sizes(F, Vocabulary.standard(words), T))
        split = Split("train", batches[0], np.arange(images), HeldFeatures(features))
        trainers[way] = Trainer(model, split)
    for captions in batches:
        for way, trainer in trainers.items():
            begin = time.perf_counter()
            trainer.update(captions, features)
            times[way].append(time.perf_counter() - begin)
    print(f"V = {words:,}, N = {images}, T = {T}, D = {D}, H = {H}: median of {rounds} updates\n")
    print("| head | parameters | update, ms | times as fast |\n|---|---:|---:|---:|")
    first = float(np.median(times[next(iter(WAYS))][1:]))
    for way, trainer in trainers.items():
        median = float(np.median(times[way][1:]))
        print(f"| {way} | {trainer.model.size:,} | {1e3 * median:,.0f} | {first / median:.2f} |")


if __name__ == "__main__":
    typer.run(main)
