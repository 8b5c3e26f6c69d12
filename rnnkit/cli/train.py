"""`rnnkit train`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnkit.cli.options import DataFolder, Overrides
from rnnkit.parallel import Ranks, job
from rnnkit.system.process import settle

if TYPE_CHECKING:
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
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  {task.fields[speed]:,.0f} tokens/s"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    bar = progress.add_task("train", total=None, epoch=1, loss=float("nan"), speed=0.0)
    smooth = _Smooth()
    events: EventWriter | None = None
    metric = "nats"
    epoch_steps = 1

    def on_start(trainer: Trainer, folder: Path) -> None:
        nonlocal events, metric, epoch_steps
        parameters = sum(w.size for w in trainer.model.parameters.values())
        metric, epoch_steps = trainer.model.spec.train.metric, trainer.epoch_steps
        console.print(
            f"{spec or resume}: {parameters:,} parameters, {trainer.steps:,} updates of "
            f"{trainer.model.spec.train.batch} captions, "
            + (f"into {folder}" if resume is None else f"{trainer.step:,} of them done already"),
            markup=False,
        )
        console.print(_headings(metric), style="bold", no_wrap=True, crop=False)
        progress.update(bar, total=trainer.steps, completed=trainer.step)
        from rnnkit.training.tensorboard import FOLDER, EventWriter

        has_some = resume is not None and (folder / FOLDER).is_dir()
        if has_some if tensorboard is None else tensorboard:
            events = cleanup.enter_context(closing(EventWriter(folder, trainer)))

    def on_step(step: Step) -> None:
        smooth.take(step)
        epoch = (step.number - 1) // epoch_steps + 1
        progress.update(
            bar, completed=step.number, epoch=epoch, loss=smooth.loss, speed=smooth.speed
        )
        if events is not None:
            events.on_step(step)

    def on_record(record: Record) -> None:
        console.print(_row(record, metric), no_wrap=True, crop=False)
        if events is not None:
            events.on_record(record)

    with ExitStack() as cleanup, progress:
        run = rnnkit.training.train(
            spec,
            data,
            out,
            override,
            resume=resume,
            on_start=on_start,
            on_step=on_step,
            on_record=on_record,
            on_damage=lambda text: typer.echo(text, err=True),
            ranks=ranks,
        )
    if ranks.rank:
        return 0
    if not run.finished:
        console.print(
            f"interrupted; go on with: rnnkit train --resume {run.folder}",
            markup=False,
            soft_wrap=True,
        )
        return 130
    records = run.history.records
    best = [record for record in records if record.best]
    if best:
        console.print(
            f"best at update {best[-1].step:,}: {run.folder / 'best.h5'}",
            markup=False,
            soft_wrap=True,
        )
    console.print(f"wrote {run.folder / 'last.h5'}", markup=False, soft_wrap=True)
    return 0


def _headings(metric: str) -> str:
    extra = "" if metric == "nats" else f" {metric:>8}"
    return (
        "epoch  update      loss   train nats  perplexity   val nats  perplexity"
        f"{extra}   tokens/s  seconds"
    )


def _row(r: Record, metric: str) -> str:
    val = "-" if r.val_nats is None else f"{r.val_nats:.3f}"
    val_perplexity = "-" if r.val_perplexity is None else f"{r.val_perplexity:.2f}"
    score = "-" if r.val_metric is None else f"{r.val_metric:.4f}"
    return (
        f"{r.epoch:5d} {r.step:7d} {r.train_loss:9.3f} {r.train_nats:12.3f} {r.train_perplexity:11.2f} "
        f"{val:>10} {val_perplexity:>11}{'' if metric == 'nats' else f' {score:>8}'} "
        f"{r.tokens_per_second:10,.0f} {r.seconds:8.1f}{'  best' if r.best else ''}"
    )


class _Smooth:
    """Loss and speed over the last updates, so that the bar can be read."""

    def __init__(self) -> None:
        self.loss = float("nan")
        self.speed = 0.0

    def take(self, step: Step) -> None:
        first = self.speed == 0.0
        weight = 1.0 if first else 0.05
        speed = step.tokens / max(step.seconds, 1e-9)
        self.loss = step.loss if first else self.loss + weight * (step.loss - self.loss)
        self.speed += weight * (speed - self.speed)
