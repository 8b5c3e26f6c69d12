"""`rnnkit report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnkit.cli.completing import runs
from rnnkit.cli.options import Force
from rnnkit.system.process import settle
from rnnkit.system.terminal import say


def report(
    run: Annotated[
        Path, typer.Argument(help="A run's folder.", metavar="RUN", autocompletion=runs)
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="A data folder; the run's own if not given."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The page; RUN/report.html if not given."),
    ] = None,
    n: Annotated[
        int, typer.Option("--n", min=1, help="How many images to caption at most, from the first.")
    ] = 1000,
    force: Force = False,
) -> None:
    """Write one HTML page that shows a run: numbers, curves, captions beside pictures, the network."""
    settle()
    from rnnkit.cli import show
    from rnnkit.describing.report import write_report
    from rnnkit.describing.report.writing import NAME
    from rnnkit.system.outputs import PAGE, check_output

    check_output(out or run / NAME, PAGE, force=force)

    with show.working("captioning"):
        written = write_report(run, data, out, n)
    say(f"wrote {written}")
