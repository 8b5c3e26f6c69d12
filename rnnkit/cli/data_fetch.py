"""`rnnkit data fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    name: Annotated[str, typer.Argument(help="The data set: coco2014.", metavar="NAME")],
    folder: Annotated[Path, typer.Argument(help="The folder for its files.", metavar="DIR")],
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Download the archive from this http or https address."),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(
            metavar="HEX", help="The SHA-256 digest its archive must have, if you know it."
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the downloaded archive in DIR.")
    ] = False,
) -> None:
    """Download a public data set, about 1 GB; go on with a download that was interrupted.

    coco2014 is CS231n's captioning archive: captions of COCO 2014, and VGG-16 features. Without a network, put
    coco_captioning.zip into DIR: it is unpacked from there.
    """
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    import rnnkit.data.fetching.fetch
    from rnnkit.cli import show
    from rnnkit.system.memory import size

    console = show.console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    bars: dict[str, TaskID] = {}
    far = ""

    def on_progress(stage: str, done: int, total: int | None) -> None:
        nonlocal far
        far = f"{stage}: {size(done)}" + (f" of {size(total)}" if total else "")
        if stage not in bars:
            bars[stage] = progress.add_task(stage, total=total)
        progress.update(bars[stage], completed=done, total=total)

    def say(text: str) -> None:
        console.print(text)

    try:
        with show.bar(*columns, to=console, far=lambda: far) as progress:
            fetched = rnnkit.data.fetching.fetch.fetch(
                name,
                folder,
                url=url,
                sha256=sha256,
                keep=keep,
                on_progress=on_progress,
                say=say,
            )
    except KeyboardInterrupt:
        say("interrupted; run the same command again to continue")
        raise typer.Exit(130) from None
    if not fetched.new:
        say(f"{folder} has {name} already; nothing to do")
        return
    if fetched.archive:
        say(f"{fetched.archive} is kept; it is not needed any more")
    say(f"the archive's SHA-256 digest is {fetched.sha256}")
    say(f"wrote {name} into {folder}; rnnkit data info {folder} shows it")
