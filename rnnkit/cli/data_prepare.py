"""`rnnkit data prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnkit.parallel import job
from rnnkit.system.process import settle

if TYPE_CHECKING:
    from rnnkit.data.preparing.prepare import Prepared


def prepare(
    captions: Annotated[
        Path,
        typer.Option("--captions", metavar="JSON", help="Images and captions, in COCO's form."),
    ],
    features: Annotated[
        list[Path],
        typer.Option(
            "--features",
            metavar="FILE",
            help="HDF5 with the dataset features, or .npy; a row for each image, in the order of the JSON "
            "unless the HDF5 file has image_ids. Repeatable: the rows of several files follow each other.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to make.")],
    min_count: Annotated[
        int, typer.Option(min=1, help="How often train must have a word for the vocabulary.")
    ] = 5,
    length: Annotated[
        int, typer.Option(min=3, help="Tokens of a caption, start and end included.")
    ] = 17,
    val: Annotated[
        str | None,
        typer.Option(
            "--val",
            metavar="SHARE|FILE",
            help="The share of the images for validation, or a file with their names; if not given, what "
            "the JSON's images say as their split, and 0.1 if they say nothing.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another drawn split.")] = 231,
    pca: Annotated[
        int | None,
        typer.Option(
            "--pca",
            min=1,
            metavar="K",
            help="Reduce the features to K dimensions of variance 1 on average.",
        ),
    ] = None,
    shards: Annotated[
        int,
        typer.Option("--shards", min=1, metavar="K", help="Files for the features of each split."),
    ] = 1,
) -> None:
    """Make a data folder of your own captions and features.

    Under mpiexec -n R, R processes share the shards.
    """
    with job() as ranks:
        settle(ranks.sharing)
        from rnnkit.data.preparing.prepare import prepare

        done = prepare(
            captions,
            features,
            out,
            min_count=min_count,
            length=length,
            val=_share_or_file(val),
            seed=seed,
            pca=pca,
            shards=shards,
            ranks=ranks,
        )
        if ranks.rank == 0:
            _show(done, out, length, plain=ranks.size > 1)


def _show(done: Prepared, out: Path, length: int, plain: bool) -> None:
    from rnnkit.cli import show

    columns = ["split", ">images", ">captions", ">words a caption", ">unknown", ">cut", ">features"]
    rows = [
        (
            s.split,
            show.count(s.images),
            show.count(s.captions),
            f"{s.mean_words:.2f}",
            f"{s.unknown_percent or 0:.2f} %",
            show.count(done.cut[s.split]),
            show.count(s.feature_width),
        )
        for s in done.summary.splits
    ]
    console = show.console(plain)
    console.print(show.table(columns, rows))
    console.print(
        f"\n{show.count(done.summary.vocabulary)} words; captions of at most {length} tokens"
    )
    if done.kept_variance is not None:
        console.print(f"the PCA keeps {100 * done.kept_variance:.1f} % of the variance")
    if done.uncaptioned:
        typer.echo(
            f"warning: {len(done.uncaptioned):,} images have no caption and were left out, "
            f"{done.uncaptioned[0]} first",
            err=True,
        )
    if done.unlisted:
        typer.echo(
            f"warning: {done.unlisted:,} rows of features are of no image and were left out",
            err=True,
        )
    console.print(f"wrote {out}", markup=False)


def _share_or_file(val: str | None) -> float | Path | None:
    if val is None:
        return None
    try:
        return float(val)
    except ValueError:
        return Path(val)
