"""`rnnkit compare`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rnnkit.cli.options import AsJson, DataFolder, Overrides
from rnnkit.parallel import Ranks, job
from rnnkit.system.process import settle
from rnnkit.system.terminal import say, shown

if TYPE_CHECKING:
    from rnnkit.training import Estimate, Result, Row, Step, Trainer

PLOT: Final = "loss.png"


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no loss that could be reached")
    return value


def compare(
    specs: Annotated[list[Path], typer.Argument(help="Specs, in TOML.", metavar="SPEC")],
    data: DataFolder = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="A new folder for the runs, their results and curves; runs/compare, or the next that is free, if "
            "not given.",
        ),
    ] = None,
    until_loss: Annotated[
        float | None,
        typer.Option(
            "--until-loss",
            metavar="X",
            callback=_finite,
            help="End a run when its mean loss per caption is X or less, over the last 50 updates (or one "
            "epoch, if that is shorter).",
        ),
    ] = None,
    override: Overrides = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="The seed of all runs; the first spec's if not given."),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds",
            metavar="N",
            min=1,
            help="Run each with N seeds; the table has mean and spread.",
        ),
    ] = 1,
    equal_parameters: Annotated[
        bool,
        typer.Option(
            "--equal-parameters",
            help="Give each spec the hidden sizes at which it has about as many parameters as the first.",
        ),
    ] = False,
    parameters: Annotated[
        int | None,
        typer.Option(
            "--parameters",
            metavar="N",
            min=1,
            help="The same, with about N parameters.",
            show_default=False,
        ),
    ] = None,
    metrics: Annotated[
        str,
        typer.Option(
            "--metrics",
            metavar="NAMES",
            help="Score each network's captions on val: any of bleu, rouge_l, cider, meteor and spice, "
            "separated by commas.",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Train specs on the same captions in the same order, and show side by side how they learn.

    --set with an array, as in train.optimizer.learning_rate=[1e-3,3e-4], makes a run for each value; several
    such arrays make a run for each combination. For a field that takes an array, such as model.head, give an array
    of arrays.

    Under mpiexec -n R, R processes share the runs. A run that fails is shown in its row, with the reason, and the
    others go on. Exit code 1 if a run failed, 2 if all failed and the specs or options are the reason.

    Each run is a folder in DIR, as rnnkit train makes it. Ctrl-C shows the runs that have ended; the one under way can
    be resumed.
    """
    with job() as ranks:
        code = _compare(
            specs,
            data,
            out,
            until_loss,
            override or (),
            seed,
            seeds,
            equal_parameters if parameters is None else parameters,
            metrics.replace(",", " ").split(),
            as_json,
            ranks,
        )
    if code:
        raise typer.Exit(code)


def _compare(
    specs: Sequence[Path],
    data: Path | None,
    out: Path | None,
    until_loss: float | None,
    override: Sequence[str],
    seed: int | None,
    seeds: int,
    equal_parameters: bool | int,
    metrics: Sequence[str],
    as_json: bool,
    ranks: Ranks,
) -> int:
    """The exit code, which the first rank has for all."""
    settle(ranks.sharing)
    from rnnkit.training import compare as train_each

    told = _Told(as_json, until_loss, several=seeds > 1, equal=bool(equal_parameters))
    try:
        with _progress(told, alone=ranks.size == 1) as (on_start, on_step, on_result):
            train_each(
                specs,
                data,
                out=out,
                until_loss=until_loss,
                overrides=override,
                seed=seed,
                seeds=seeds,
                equal_parameters=equal_parameters,
                metrics=metrics,
                on_plan=told.on_plan,
                on_start=on_start,
                on_step=on_step,
                on_result=on_result,
                on_warning=told.on_warning,
                ranks=ranks,
            )
    except KeyboardInterrupt:
        if ranks.rank == 0 and told.folder is not None:
            told.tell(plain=ranks.size > 1)
            say("interrupted; only the runs shown had ended", err=True)
            for folder in told.under_way():
                say(f"go on with: rnnkit train --resume {folder}", err=True)
        raise
    code = ranks.first(partial(told.tell, plain=ranks.size > 1))
    return 0 if ranks.rank else code


class _Told:
    """What the comparison has told so far, on the first rank, and what is to be told of it."""

    def __init__(
        self, as_json: bool, until_loss: float | None, *, several: bool, equal: bool
    ) -> None:
        self.folder: Path | None = None
        self.runs = 0
        self.results: list[Result] = []
        self._warned: set[str] = set()
        self._as_json = as_json
        self._until_loss = until_loss
        self._several = several
        self._equal = equal

    def on_plan(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.runs = folder, len(names)

    def on_warning(self, name: str, text: str) -> None:
        """Each sentence once: what is wrong with the data is so for all runs."""
        from rnnkit.cli import show

        if text not in self._warned:
            self._warned.add(text)
            show.warn(f"{name}: {text}")

    def under_way(self) -> list[Path]:
        """The folders of runs that have begun, but not ended."""
        assert self.folder is not None
        ended = {result.folder for result in self.results}
        return [
            run.parent for run in sorted(self.folder.glob("*/last.h5")) if run.parent not in ended
        ]

    def tell(self, *, plain: bool) -> int:
        """Print the results and draw the curves; the exit code."""
        from rnnkit.cli import show
        from rnnkit.training import Failed, rows_of
        from rnnkit.training.results import as_json

        self.results.sort(key=lambda result: result.number)
        if self._as_json:
            show.print_json([as_json(result) for result in self.results])
        else:
            targeted = self._until_loss is not None
            _print(
                rows_of(self.results),
                targeted=targeted,
                several=self._several,
                equal=self._equal,
                plain=plain,
            )
        failed = [result for result in self.results if isinstance(result, Failed)]
        if len(failed) < len(self.results):
            self._draw()
        if not failed:
            return 0
        hopeless = len(failed) == len(self.results) and all(result.mistake for result in failed)
        return 2 if hopeless else 1

    def _draw(self) -> None:
        from importlib.util import find_spec

        from rnnkit.training import draw_curves
        from rnnkit.training.comparing import CURVES, RESULTS

        assert self.folder is not None
        files = [RESULTS, CURVES]
        if find_spec("matplotlib"):
            draw_curves(self.results, self.folder / PLOT, self._until_loss)
            files.append(PLOT)
        else:
            say('no plot without matplotlib: pip install "rnnkit[plots]"', err=True)
        if not self._as_json:
            say(f"\nwrote {', '.join(files)} and the folder of each run into {self.folder}")


def _line(result: Result) -> str:
    """A result in a line, while others are still to come."""
    from rnnkit.training import Failed

    if isinstance(result, Failed):
        return f"{result.name}: failed: {result.reason.splitlines()[0]}"
    return f"{result.name}: loss {result.loss:.3f} after {result.seconds:.1f} s, in {result.folder}"


@contextmanager
def _progress(
    told: _Told, *, alone: bool
) -> Iterator[
    tuple[Callable[[str, Trainer], None], Callable[[Step], None], Callable[[Result], None]]
]:
    """A bar for all runs, in a terminal; else a line for each that has ended.

    Yields what to call at the start of a run, at each update, and with each result.
    """
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    from rnnkit.cli import show

    # Standard error, so that standard output is the table or the JSON alone.
    console = show.console(stderr=True)
    now: tuple[str, Step | None] = ("", None)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )

    def on_start(name: str, trainer: Trainer) -> None:
        nonlocal now
        now = f"{len(told.results) + 1} of {told.runs}: {name}", None
        described = shown(now[0], console.encoding)
        progress.update(bar, description=described, total=told.runs, said="")

    def on_step(step: Step) -> None:
        nonlocal now
        now = now[0], step
        done = len(told.results) + step.number / step.steps
        progress.update(bar, completed=done, said=f"loss {step.loss:.3f}")

    def on_result(result: Result) -> None:
        told.results.append(result)
        progress.update(bar, completed=len(told.results))
        if progress.disable:
            say(f"{len(told.results)} of {told.runs}: {_line(result)}", err=True)

    def far() -> str:
        name, step = now
        return name and (
            f"{name}: update {step.number:,} of {step.steps:,}, loss {step.loss:.3f}"
            if step
            else f"{name}: no update yet"
        )

    with show.bar(*columns, to=console, far=far, wanted=alone) as progress:
        bar = progress.add_task("", total=None, said="")
        yield on_start, on_step, on_result


def _print(rows: Sequence[Row], *, targeted: bool, several: bool, equal: bool, plain: bool) -> None:
    from rnnkit.cli import show
    from rnnkit.metrics import TITLES
    from rnnkit.training import level_with_best

    columns = ["spec", "cell", *([">hidden"] if equal else []), ">params"]
    if several:
        columns.append(">seeds")
    if targeted:
        columns += [">updates to target", ">seconds to target"]
    names = list(dict.fromkeys(name for row in rows for run in row.learnt for name in run.scores))
    columns += [">updates", ">loss", ">val nats", *(f">{TITLES[n]}" for n in names), ">seconds"]
    troubled = any(row.failed for row in rows)
    if troubled:
        columns.append("failed because")
    values = ("loss", "val_nats", *names)
    level = {name: level_with_best(rows, name) if several else set() for name in values}
    lines = [
        (
            row.name,
            *(
                _numbers(row, level, targeted=targeted, several=several, equal=equal)
                if row.learnt
                else ["-"] * (len(columns) - 2)
            ),
            *([_reasons(row)] if troubled else []),
        )
        for row in rows
    ]
    console = show.console(plain)
    show.print_table(
        console,
        columns,
        lines,
        folding=("spec", "cell", "failed because"),
        spare=("params", "seconds", "updates", "cell"),
    )
    windows = sorted({run.window for row in rows for run in row.learnt})
    if windows:
        over = " or ".join(str(window) for window in windows)
        console.print(f"\nLoss: mean per caption over the last {over} updates. Nats are per token.")
    if several and windows:
        console.print(
            "Values: mean ± spread over the seeds, the sample standard deviation.\n"
            "~ differs from the best of its column by no more than their two spreads together."
        )


def _numbers(
    row: Row, level: Mapping[str, set[str]], *, targeted: bool, several: bool, equal: bool
) -> Iterator[str]:
    """The cells of a row behind its name; `level` has the rows to be marked for each value."""
    from statistics import fmean

    from rnnkit.cli import show

    runs, first = row.learnt, row.learnt[0]
    yield first.cell
    if equal:
        yield " + ".join(map(str, first.hidden))
    yield show.count(first.parameters)
    if several:
        yield f"{len(runs)} of {len(runs) + len(row.failed)}" if row.failed else str(len(runs))
    updates, seconds = (
        f"{fmean(r.updates for r in runs):,.0f}",
        f"{fmean(r.seconds for r in runs):.1f}",
    )
    if targeted:
        there = [run for run in runs if run.reached]
        if len(there) == len(runs):
            yield from (updates, seconds)
        else:
            yield from (f"{len(there)} of {len(runs)} reached it" if there else "not reached", "-")
    yield updates
    for name, among in level.items():
        found = row.values.get(name)
        yield "-" if found is None else f"{'~' if row.name in among else ''}{_text(found)}"
    yield seconds


def _text(found: Estimate) -> str:
    spread = "" if found.spread is None else f" ± {found.spread:.3f}"
    return f"{found.mean:.3f}{spread}"


def _reasons(row: Row) -> str:
    """Why runs of the row failed, each reason once."""
    return "\n".join(dict.fromkeys(run.reason for run in row.failed))
