"""What it costs to shuffle in windows of runs of neighbours, rather than all captions together: nats on val.

python -m benchmarks.shuffling --data DIR              mpiexec -n 4 python -m benchmarks.shuffling --data DIR

The same LSTM learns from the same captions in several orders, from several seeds: all captions shuffled together;
in windows of a twentieth of the images, which is what 64 MiB of COCO's raw features are of all; and in windows of
a fifth, whose runs of neighbours are longer. Once images are in the order of the folder, and once in that of their first principal component, so
that neighbours are alike, as where somebody has sorted them.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from benchmarks.table import markdown
from rnnkit.parallel import job
from rnnkit.system.process import settle

if TYPE_CHECKING:
    from rnnkit.data import Split

SPEC: Final = """
[model]
words = { use = "embedding", dim = 128 }
[[model.rnn]]
hidden = 256
cell = "lstm"
[train]
batch = 128
optimizer = { use = "adam", learning_rate = 2e-3 }
schedule = "cosine"
"""

ORDERS: Final = ("of the folder", "by content")
PARTS: Final = (1, 5, 20)


@attrs.frozen
class Found:
    """What came of one run.

    Attributes:
        order: of the images.
        part: how many windows there are, about.
        together: images in a window.
        seed: of the run.
        nats: per token on val after the last epoch.
    """

    order: str
    part: int
    together: int
    seed: int
    nats: float


def runs(data: Path, seeds: int, epochs: int) -> tuple[int, Callable[[int], Found]]:
    """How many runs there are, and what makes each."""
    settings = list(itertools.product(range(1, seeds + 1), ORDERS, PARTS))

    def run(number: int) -> Found:
        import rnnkit
        from rnnkit.training import Trainer

        seed, order, part = settings[number]
        with rnnkit.open_data(data) as dataset:
            train = dataset.split("train")
            together = -(-train.images // part)
            spec = rnnkit.parse_spec(
                f"{SPEC}epochs = {epochs}\nshuffle = {together}\n", overrides=[f"model.seed={seed}"]
            )
            model = rnnkit.build(spec, dataset)
            if order != ORDERS[0]:
                train = by_content(train)
            trainer = Trainer(model, train, dataset.split("val"))
            *_, last = trainer.records()
        assert last.val_nats is not None
        return Found(order, part, together, seed, last.val_nats)

    return len(settings), run


def by_content(split: Split) -> Split:
    """The same captions, where the rows of features are in the order of their first principal component."""
    import numpy as np

    from rnnkit.data import HeldFeatures

    values = split.features.rows(np.arange(split.images), np.dtype(np.float32))
    centred = values - values.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(centred @ directions[:, -1])
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return attrs.evolve(
        split,
        features=HeldFeatures(values[order]),
        image_idxs=place[split.image_idxs].astype(np.int32),
        pictures=None,
    )


def rows(found: list[Found]) -> Iterator[list[str]]:
    """As text: the mean over seeds, and the difference to all together with its standard error."""
    nats = {(f.order, f.part, f.seed): f.nats for f in found}
    seeds = sorted({f.seed for f in found})
    for order, part in itertools.product(ORDERS, PARTS):
        together = next(f.together for f in found if f.part == part)
        mine = [nats[order, part, seed] for seed in seeds]
        apart = [nats[order, part, seed] - nats[order, 1, seed] for seed in seeds]
        error = statistics.stdev(apart) / len(seeds) ** 0.5 if len(seeds) > 1 else float("nan")
        yield [
            order,
            f"{together:,}",
            f"{statistics.mean(mine):.4f}",
            "" if part == 1 else f"{statistics.mean(apart):+.4f} ± {error:.4f}",
        ]


def main(
    data: Annotated[Path, typer.Option(metavar="DIR", help="A data folder.")],
    seeds: Annotated[int, typer.Option(min=1)] = 4,
    epochs: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Shuffle in windows, and all together."""
    with job() as ranks:
        settle(ranks.sharing)
        found: list[Found] = []
        count, run = runs(data, seeds, epochs)
        for _, one in ranks.spread(run, count):
            found.append(one)
            typer.echo(f"{len(found)}: {one}", err=True)
        if ranks.rank == 0:
            headings = ("images are in the order", "shuffled together", "nats on val", "difference")
            typer.echo(markdown(headings, rows(found)))


if __name__ == "__main__":
    typer.run(main)
