"""`rnnkit data show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnkit.cli.options import Force
from rnnkit.system.terminal import say


def show(
    folder: Annotated[Path, typer.Argument(help="A data folder.", metavar="DIR")],
    split: Annotated[str, typer.Option("--split", help="Which split.")] = "train",
    n: Annotated[int, typer.Option("--n", min=1, help="How many pictures.")] = 6,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.png", help="The figure; DIR-SPLIT.png if not given."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            help="Choose pictures at random, by this seed; the first ones if not given.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Draw pictures with their captions: from files, else from the web."""
    from rnnkit.data import open_data
    from rnnkit.data.looking.figure import choose_pictures, save_figure
    from rnnkit.system.outputs import FIGURE, check_output

    file = out or Path(f"{folder.resolve().name}-{split}.png")
    check_output(file, FIGURE, force=force)
    with open_data(folder) as dataset:
        shown = choose_pictures(dataset, split, n, seed)
    save_figure(file, shown)
    missing = sum(isinstance(one.picture, str) for one in shown)
    if missing:
        say(f"warning: {missing} pictures could not be loaded; the figure says why", err=True)
    say(f"wrote {file}")
