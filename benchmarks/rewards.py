"""`python -m benchmarks.rewards DATA`: how long rewards take to judge the captions of an update."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from rnnkit.parallel import settle

settle()  # before NumPy

import numpy as np  # noqa: E402

from rnnkit import open_data  # noqa: E402
from rnnkit.errors import RegistryError  # noqa: E402
from rnnkit.kinds import Reward  # noqa: E402
from rnnkit.registry import load, names  # noqa: E402
from rnnkit.training.self_critical import speller  # noqa: E402

ROUNDS: Final = 30


def main(
    data: Annotated[Path, typer.Argument(help="A data folder.")],
    images: Annotated[int, typer.Option(min=1, help="Images of an update.")] = 25,
    samples: Annotated[int, typer.Option(min=1, help="Captions of each.")] = 5,
) -> None:
    """Judge captions of train, each beside those of another image, so that few of their words are right."""
    with open_data(data) as dataset:
        train, spell = dataset.split("train"), speller(dataset.vocabulary)
        references = [[spell(row) for row in train.captions_of(i)] for i in range(train.images)]
    rng = np.random.default_rng(0)
    chosen = np.repeat(rng.permutation(len(references))[:images], samples)
    others = rng.integers(0, len(references), len(chosen))
    captions = [references[i][k % len(references[i])] for k, i in enumerate(others.tolist())]
    print(f"{len(captions)} captions, references of {len(references):,} images, CPU time\n")
    print("| reward | made ready, s | judged, ms |\n|---|---:|---:|")
    for name in names(Reward):
        try:
            reward = load(Reward, name)()
        except (RegistryError, TypeError):  # it needs options
            continue
        begin = time.process_time()
        judge = reward.judge(references)
        ready = time.process_time() - begin
        times = []
        for _ in range(ROUNDS):
            begin = time.process_time()
            judge(captions, chosen)
            times.append(time.process_time() - begin)
        print(f"| {name} | {ready:.2f} | {1e3 * float(np.median(times)):.1f} |")


if __name__ == "__main__":
    typer.run(main)
