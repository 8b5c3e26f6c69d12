"""`rnnkit data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnkit.cli.data_describe import describe
from rnnkit.cli.data_fetch import fetch
from rnnkit.cli.data_prepare import prepare
from rnnkit.cli.data_show import show as show_pictures
from rnnkit.cli.options import AsJson
from rnnkit.system.limits import MOST_PICTURES
from rnnkit.system.memory import size

app = typer.Typer(
    add_completion=False,
    help="Make data folders, check them and look at them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command()(fetch)
app.command()(describe)
app.command()(prepare)
app.command("show")(show_pictures)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="The folder to make.", metavar="DIR")],
    train: Annotated[int, typer.Option(min=1, max=MOST_PICTURES, help="Training pictures.")] = 4000,
    val: Annotated[int, typer.Option(min=1, max=MOST_PICTURES, help="Validation pictures.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="The seed that the pictures follow from.")] = 231,
) -> None:
    """Make scenes: generated pictures of coloured shapes, with captions and features."""
    from rnnkit.cli import show
    from rnnkit.data.scenes import write_scenes

    console = show.console()
    with show.bar(
        to=console, far=lambda: f"scenes: {progress.tasks[0].percentage:.0f} %"
    ) as progress:
        bar = progress.add_task("scenes", total=1.0)
        write_scenes(
            folder,
            train=train,
            val=val,
            seed=seed,
            progress=lambda done: progress.update(bar, completed=done),
        )
    console.print(f"wrote {train:,} training and {val:,} validation pictures into {folder}")


@app.command()
def info(
    folder: Annotated[Path, typer.Argument(help="A data folder.", metavar="DIR")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Use the features from before the PCA.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check every value of a data folder, and show what is in it."""
    from rnnkit.cli import show
    from rnnkit.data import doubts, open_data
    from rnnkit.data.checksums import check_checksums
    from rnnkit.data.summary import describe as summarize

    console = show.console()
    with (
        open_data(folder, raw=raw) as dataset,
        show.bar(
            to=console,
            far=lambda: f"looking at features: {progress.tasks[0].percentage:.0f} %",
            barred=not as_json,
        ) as progress,
    ):
        images = sum(split.images for split in dataset.splits.values())
        bar = progress.add_task("looking at features", total=images)
        found = doubts(dataset, whole=True, progress=lambda rows: progress.advance(bar, rows))
        summary = summarize(dataset)
    check_checksums(folder)
    if as_json:
        import attrs

        show.print_json(
            {**attrs.asdict(summary), "doubts": [attrs.asdict(doubt) for doubt in found]}
        )
        return
    columns = [
        "split",
        ">images",
        ">captions",
        ">words a caption",
        ">unknown",
        ">features",
        "type",
        ">size",
        ">files",
        "kept",
    ]
    rows = [
        (
            s.split,
            show.count(s.images),
            show.count(s.captions),
            f"{s.mean_words:.2f}",
            "-" if s.unknown_percent is None else f"{s.unknown_percent:.2f} %",
            show.count(s.feature_width),
            s.feature_type,
            size(s.feature_bytes),
            show.count(s.feature_files),
            "in memory" if s.held else "on disk, read by rows",
        )
        for s in summary.splits
    ]
    show.print_table(
        console,
        columns,
        rows,
        spare=("files", "kept", "type", "size", "features", "words a caption"),
    )
    console.print(
        f"\n{show.count(summary.vocabulary)} words; captions of at most {summary.length} tokens, "
        "start and end included"
    )
    if summary.map is not None:
        console.print(f"the features are {summary.map.described()}")
    for doubt in found:
        show.warn(doubt.text)
