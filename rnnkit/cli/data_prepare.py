"""`rnnkit data prepare`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnnkit.cli.data_describe import EncoderText
from rnnkit.parallel import job
from rnnkit.system.process import settle

if TYPE_CHECKING:
    from rnnkit.data.preparing.prepare import Prepared


class Tokens(StrEnum):
    """Ways to cut captions into words."""

    PLAIN = "plain"
    PTB = "ptb"


def prepare(
    captions: Annotated[
        list[Path],
        typer.Option(
            "--captions",
            metavar="FILE",
            help="Images and captions: COCO's or Karpathy's JSON, Flickr8k.token.txt, captions.txt, metadata.jsonl, "
            "a folder with a text beside each photo and more. Repeatable: the names of several files say their splits.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to make.")],
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="The folder of the photos, to be encoded."),
    ] = None,
    encoder: EncoderText = "efficientnet-lite0",
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Stop at a photo that cannot be read, or is missing, rather than leave it out.",
        ),
    ] = False,
    features: Annotated[
        list[Path] | None,
        typer.Option(
            "--features",
            metavar="FILE",
            help="Instead of --images: an HDF5 file or .npz with the dataset features, or a .npy file: a row (or a map) for each image, in the "
            "order of the images unless the file has image_ids: ids, or names of the pictures. Or a dataset for each image, "
            "or a folder with a .npy file for each. Repeatable: the files' rows follow each other.",
        ),
    ] = None,
    tokens: Annotated[
        Tokens,
        typer.Option(
            help="How captions are cut into words: plain makes doesn't one word (doesnt); ptb makes it does "
            "and n't, as scores count them."
        ),
    ] = Tokens.PLAIN,
    min_count: Annotated[
        int,
        typer.Option(
            min=1, help="Words that train has less often than this are left out of the vocabulary."
        ),
    ] = 5,
    length: Annotated[
        int, typer.Option(min=3, help="Tokens of a caption, start and end included.")
    ] = 17,
    val: Annotated[
        str | None,
        typer.Option(
            "--val",
            metavar="SHARE|FILE",
            help="The share of the images for validation, or a file with their names. If not given, the "
            "split of each image in the captions, or a share of 0.1 if they have none.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the random split.")] = 231,
    pca: Annotated[
        int | None,
        typer.Option(
            "--pca",
            min=1,
            metavar="K",
            help="Reduce the features to K dimensions of variance 1 on average.",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout",
            metavar="chw|hwc|lc",
            help="The order of feature maps: channels first (chw), or last (hwc; lc for L regions). If not given, "
            "the file says it, or the shape does if it fits one order only.",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            metavar="NAME",
            help="What the features are called in the HDF5 file or .npz, if not features.",
        ),
    ] = None,
    shards: Annotated[
        int,
        typer.Option(
            "--shards", min=1, metavar="K", help="Write the features of each split into K files."
        ),
    ] = 1,
) -> None:
    """Make a data folder of your own captions, and of photos or features.

    Photos are encoded first; killed and started again, this goes on where it was. Under mpiexec -n R, R processes
    share the photos and the shards.
    """
    with job() as ranks:
        settle(ranks.sharing)
        from rnnkit.data.preparing.photos import prepare_photos
        from rnnkit.data.preparing.prepare import prepare
        from rnnkit.errors import SpecError
        from rnnkit.kinds import Encoder
        from rnnkit.spec.reader import read_plugin

        plain, first = ranks.size > 1, ranks.rank == 0
        options: dict[str, Any] = {
            "tokens": tokens,
            "min_count": min_count,
            "length": length,
            "val": _share_or_file(val),
            "seed": seed,
            "pca": pca,
            "shards": shards,
            "layout": layout,
            "dataset": dataset,
            "ranks": ranks,
        }
        left_out: Mapping[str, str] = {}
        if (images is None) == (not features):
            raise SpecError(
                "give either photos with --images DIR, or features with --features FILE"
            )
        if images is not None:
            with _encoding(wanted=first, plain=plain) as progress:
                made = prepare_photos(
                    images,
                    captions,
                    out,
                    read_plugin(Encoder, encoder),
                    strict=strict,
                    progress=progress,
                    **options,
                )
            done, left_out = made.prepared, made.left_out
        else:
            from rnnkit.cli import show

            with show.working("preparing", wanted=first, plain=plain):
                done = prepare(captions, features or [], out, **options)
        if first:
            _show(done, out, length, left_out, plain=plain)


@contextmanager
def _encoding(*, wanted: bool, plain: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how many photos are encoded, how many a second, and how long it takes still, on standard error."""
    import time

    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    from rnnkit.cli import show

    to = show.console(plain, stderr=True)
    began = time.monotonic()
    columns = (
        TextColumn("encoding photos"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )

    def rate() -> float:
        return bar.tasks[0].completed / max(time.monotonic() - began, 1e-9)

    def far() -> str:
        of = bar.tasks[0]
        left = ((of.total or 0) - of.completed) / max(rate(), 1e-9)
        return f"encoding photos: {of.completed:,.0f} of {of.total or 0:,.0f}, {rate():.1f} a second, {left:,.0f} s left"

    with show.bar(*columns, to=to, far=far, wanted=wanted) as bar:
        task = bar.add_task("", total=None, rate="")

        def progress(done: int, all: int) -> None:
            bar.update(task, completed=done, total=all)
            bar.update(task, rate=f"{rate():.1f} a second" if done else "")

        yield progress


def _show(done: Prepared, out: Path, length: int, left_out: Mapping[str, str], plain: bool) -> None:
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
    show.print_table(console, columns, rows, spare=("features", "words a caption"))
    console.print(
        f"\n{show.count(done.summary.vocabulary)} words; captions of at most {length} tokens"
    )
    if done.kept_variance is not None:
        console.print(f"the PCA keeps {100 * done.kept_variance:.1f} % of the variance")
    if done.map is not None:
        console.print(f"the features are {done.map.described()}")
    for warning in _warnings(done):
        show.warn(warning)
    if left_out:
        show.warn(
            f"{len(left_out):,} images have captions but no photo that can be read, and were left out: "
            f"{out / 'left_out.txt'} lists them"
        )
    if done.matched.by not in (None, "id"):
        console.print(f"rows of features were matched with images by {done.matched.by}")
    console.print(f"wrote {out}")


def _warnings(done: Prepared) -> Iterator[str]:
    from rnnkit.errors import listed

    found = done.matched
    for names, what in (
        (found.uncaptioned, "images have no caption and were left out"),
        (found.featureless, "images have captions but no features and were left out"),
        (
            found.merged,
            "images have the file name and the features of another and were merged with it",
        ),
    ):
        if names:
            yield f"{len(names):,} {what}: {listed(dict.fromkeys(names), 3)}"
    if found.unlisted:
        yield f"{found.unlisted:,} rows of features belong to no image and were left out"
    if done.numbers_as_text:
        yield (
            f"{done.numbers_as_text:,} captions have an image_id of another type than the id of the image, "
            'such as "7" and 7; they were matched by their text'
        )
    if done.unlisted:
        yield (
            f"{len(done.unlisted):,} images are in none of the lists of splits and were left out: "
            f"{listed(done.unlisted, 3)}"
        )
    yield from done.notes
    for doubt in done.doubts:
        yield doubt.text


def _share_or_file(val: str | None) -> float | Path | None:
    if val is None:
        return None
    try:
        return float(val)
    except ValueError:
        return Path(val)
