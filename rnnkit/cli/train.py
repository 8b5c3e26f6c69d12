"""`rnnkit train`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from rnnkit.cli.completing import runs
from rnnkit.cli.options import DataFolder, Overrides
from rnnkit.parallel import Ranks, job
from rnnkit.system.process import settle
from rnnkit.system.terminal import say

if TYPE_CHECKING:
    from rich.console import Console

    from rnnkit.training import Record, Step, Trainer
    from rnnkit.training.tensorboard import EventWriter


def train(
    spec: Annotated[
        Path | None, typer.Argument(help="A spec, in TOML.", metavar="SPEC", show_default=False)
    ] = None,
    data: DataFolder = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="RUN", help="The run's folder; runs/NAME if not given."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Continue this run from its last checkpoint, instead of starting a SPEC.",
            autocompletion=runs,
        ),
    ] = None,
    override: Overrides = None,
    tensorboard: Annotated[
        bool | None,
        typer.Option(
            "--tensorboard/--no-tensorboard",
            help="Write TensorBoard event files into RUN/tensorboard; a run that has some goes on with them.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train the network of a spec. Ctrl-C saves a checkpoint and stops.

    Under mpiexec -n R, R processes share the work.
    """
    if (spec is None) == (resume is None):
        raise typer.BadParameter("give either a SPEC, or --resume RUN")
    if resume is not None and out is not None:
        raise typer.BadParameter("--resume RUN continues in RUN; leave out --out")
    with job() as ranks:
        code = _train(spec, data, out, resume, override or (), tensorboard, ranks)
    if code:
        raise typer.Exit(code)


def _train(
    spec: Path | None,
    data: Path | None,
    out: Path | None,
    resume: Path | None,
    override: Sequence[str],
    tensorboard: bool | None,
    ranks: Ranks,
) -> int:
    """The exit code, which the first rank has for all."""
    settle(ranks.sharing)
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    import rnnkit.training
    from rnnkit.cli import show

    # A launcher may put a terminal of its own making before its own output, whatever that is.
    console = show.console(plain=ranks.size > 1)
    progress = Progress(
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(max(4, min(40, console.width - 58))),
        TaskProgressColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    bar = progress.add_task("train", total=None, epoch=1, said="")
    smooth = _Smooth()
    events: EventWriter | None = None
    columns: list[_Column] = []
    epoch_steps = 1
    ended = ""

    def on_start(trainer: Trainer, folder: Path) -> None:
        nonlocal events, columns, epoch_steps, ended
        parameters = sum(w.size for w in trainer.model.parameters.values())
        metric, epoch_steps = trainer.model.spec.train.metric, trainer.epoch_steps
        console.print(
            f"{spec or resume}: {parameters:,} parameters, {trainer.steps:,} updates of "
            f"{trainer.model.spec.train.batch} captions, "
            + (
                f"into {folder}"
                if resume is None
                else f"{trainer.step:,} of them done already"
                + (": there is nothing to do" if trainer.finished else "")
            ),
        )
        if trainer.finished:
            ended = _ended(trainer)
            return
        columns = _columns(metric, console.width)
        _line(console, [title.rjust(width) for title, width, _ in columns], style="bold")
        progress.update(bar, total=trainer.steps, completed=trainer.step)
        from rnnkit.training.tensorboard import FOLDER, EventWriter

        has_some = resume is not None and (folder / FOLDER).is_dir()
        if has_some if tensorboard is None else tensorboard:
            events = cleanup.enter_context(closing(EventWriter(folder, trainer)))

    def on_step(step: Step) -> None:
        smooth.take(step)
        epoch = (step.number - 1) // epoch_steps + 1
        progress.update(bar, completed=step.number, epoch=epoch, said=str(smooth))
        if events is not None:
            events.on_step(step)

    def on_record(record: Record) -> None:
        cells = [cell(record).rjust(width) for _, width, cell in columns]
        _line(console, [*cells, *(["best"] if record.best else [])])
        if events is not None:
            events.on_record(record)

    def far() -> str:
        return smooth.at and f"{smooth.at}  {smooth}"

    # What a bar shows, in lines, where there is none and an evaluation may be hours away.
    lines = show.reminding(far, wanted=ranks.rank == 0 and not console.is_terminal)
    with ExitStack() as cleanup, progress, lines:
        run = rnnkit.training.train(
            spec,
            data,
            out,
            override,
            resume=resume,
            on_start=on_start,
            on_step=on_step,
            on_record=on_record,
            on_damage=partial(say, err=True),
            on_warning=show.warn,
            on_edit=partial(say, err=True),
            ranks=ranks,
        )
    if ranks.rank:
        return 0
    if not run.finished:
        console.print(
            f"interrupted; go on with: rnnkit train --resume {run.folder}",
            soft_wrap=True,
        )
        return 130
    if ended:
        console.print(
            "the run is finished; to train on, raise a limit: "
            f"rnnkit train --resume {run.folder} --set {ended}",
            soft_wrap=True,
        )
        return 0
    records = run.history.records
    best = [record for record in records if record.best]
    if best:
        console.print(
            f"best at update {best[-1].step:,}: {run.folder / 'best.h5'}",
            soft_wrap=True,
        )
    elif records and records[-1].val_nats is not None:
        metric = run.model.spec.train.metric
        best_file = run.folder / "best.h5"
        better = "better than guessing" if metric == "nats" else f"one with {metric} above 0"
        console.print(
            f"no evaluation was {better}: {best_file} "
            + ("only stands in for a best model" if best_file.exists() else "is not written"),
            soft_wrap=True,
        )
    console.print(f"wrote {run.folder / 'last.h5'}", soft_wrap=True)
    return 0


def _ended(trainer: Trainer) -> str:
    """The limit that has ended a run, raised."""
    table = trainer.model.spec.train
    if trainer.step < trainer.steps and table.patience is not None:
        return f"train.patience={2 * table.patience}"
    return f"train.epochs={2 * max(table.epochs, trainer.step // trainer.epoch_steps)}"


_Column: TypeAlias = "tuple[str, int, Callable[[Record], str]]"
"""A title, how wide the column is, and what it has of an evaluation."""

_SPARE: Final = ("tokens/s", "train perplexity", "loss", "seconds", "update", "train nats")
"""The columns that a narrow terminal goes without, the first ones first."""


def _columns(metric: str, width: int) -> list[_Column]:
    """The columns there is room for, and for the word `best` behind them."""
    columns: list[_Column] = [
        ("epoch", 5, lambda r: f"{r.epoch}"),
        ("update", 7, lambda r: f"{r.step}"),
        ("loss", 9, lambda r: f"{r.train_loss:.3f}"),
        ("train nats", 10, lambda r: f"{r.train_nats:.3f}"),
        ("train perplexity", 16, lambda r: f"{r.train_perplexity:.2f}"),
        ("val nats", 8, lambda r: _number(r.val_nats, 3)),
        ("val perplexity", 14, lambda r: _number(r.val_perplexity, 2)),
        *([] if metric == "nats" else [(metric, 8, lambda r: _number(r.val_metric, 4))]),
        ("tokens/s", 8, lambda r: f"{r.tokens_per_second:,.0f}"),
        ("seconds", 8, lambda r: f"{r.seconds:.1f}"),
    ]
    for spare in _SPARE:
        if sum(2 + wide for _, wide, _ in columns) + len("best") <= width:
            break
        columns = [column for column in columns if column[0] != spare]
    return columns


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _line(console: Console, cells: Sequence[str], style: str | None = None) -> None:
    console.print("  ".join(cells), style=style, soft_wrap=True)


class _Smooth:
    """Loss and speed over the last updates, so that they can be read; as a text, nothing before the first."""

    def __init__(self) -> None:
        self.at = ""
        self.loss = 0.0
        self.speed = 0.0

    def take(self, step: Step) -> None:
        weight = 0.05 if self.at else 1.0
        speed = step.tokens / max(step.seconds, 1e-9)
        self.loss += weight * (step.loss - self.loss)
        self.speed += weight * (speed - self.speed)
        self.at = f"update {step.number:,} of {step.steps:,}"

    def __str__(self) -> str:
        return f"loss {self.loss:.3f}  {self.speed:,.0f} tokens/s" if self.at else ""
