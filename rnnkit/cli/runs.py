"""`rnnkit runs`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnkit.cli.options import AsJson
from rnnkit.system.terminal import say

if TYPE_CHECKING:
    from rnnkit.cli.show import Cell
    from rnnkit.training.folders import Found


class Sort(StrEnum):
    """What runs are sorted by."""

    FOLDER = "folder"
    SPEC = "spec"
    CELL = "cell"
    UPDATES = "updates"
    BEST = "best"
    WHEN = "when"


def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where the runs are.", show_default=False)
    ] = Path("runs"),
    sort: Annotated[
        Sort,
        typer.Option(
            "--sort",
            help="The order: most updates, best value and newest first.",
            show_default=True,
        ),
    ] = Sort.FOLDER,
    as_json: AsJson = False,
) -> None:
    """List the runs in a folder: spec, cell, updates, best value so far, and whether they are finished."""
    from rnnkit.cli import show
    from rnnkit.training.folders import find_runs

    found = sorted(find_runs(folder), key=lambda run: _order(run, sort))
    if as_json:
        show.print_json([_json(run) for run in found])
        return
    if not found:
        say(f"there are no runs in {folder}; rnnkit train SPEC makes one in the folder runs")
        return
    columns = ["run", "spec", "cell", ">updates", "metric", ">best", "when", "state"]
    console = show.console()
    show.print_table(
        console,
        columns,
        map(_row, found),
        folding=("run", "spec", "cell", "state"),
        spare=("when", "metric", "cell"),
    )
    for run in found:
        if run.problem is not None:
            console.print(f"\n{run.problem}", style="red")


def _order(run: Found, sort: Sort) -> tuple[object, ...]:
    """The key to sort by; what is not known comes last."""
    if sort is Sort.BEST:
        value = run.best if run.metric == "nats" or run.best is None else -run.best
        key: tuple[object, ...] = (run.best is None, run.metric, value or 0.0)
    elif sort is Sort.WHEN:
        key = (run.when is None, -run.when.timestamp() if run.when else 0.0)
    else:
        key = {
            Sort.SPEC: (run.spec is None, run.spec or ""),
            Sort.CELL: (not run.cells, run.cells),
            Sort.UPDATES: (-run.updates,),
        }.get(sort, ())
    return (*key, run.folder)


def _row(run: Found) -> tuple[str | Cell, ...]:
    from rnnkit.cli import show

    state = "finished" if run.finished else "not finished"
    updates = f"{show.count(run.updates)} of {show.count(run.of)}"
    return (
        str(run.folder),
        run.spec or "-",
        " + ".join(run.cells) or "-",
        "-" if run.problem else updates,
        run.metric or "-",
        "-" if run.best is None else f"{run.best:.4f}",
        f"{run.when:%Y-%m-%d %H:%M}" if run.when else "-",
        state if run.problem is None else show.Cell("cannot be read", "red"),
    )


def _json(run: Found) -> dict[str, object]:
    return {
        "folder": str(run.folder),
        "spec": run.spec,
        "cells": list(run.cells),
        "updates": run.updates,
        "of": run.of,
        "metric": run.metric or None,
        "best": run.best,
        "when": run.when and run.when.isoformat(timespec="seconds"),
        "finished": run.finished,
        "problem": run.problem,
    }
