"""`rnnkit train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnkit.cli.options import DataFolder, Overrides, SpecFile
from rnnkit.process import settle

if TYPE_CHECKING:
    from rnnkit.training import Epoch, Step, Trainer


def train(
    spec: SpecFile,
    data: DataFolder = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="RUN", help="The run's folder; runs/NAME if not given."),
    ] = None,
    override: Overrides = None,
) -> None:
    """Train the network of a spec. Ctrl-C ends it with the model saved."""
    settle()
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    import rnnkit.training
    from rnnkit.cli import show

    console = show.console()
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

    def on_start(trainer: Trainer, folder: Path) -> None:
        parameters = sum(w.size for w in trainer.model.parameters.values())
        console.print(
            f"{spec}: {parameters:,} parameters, {trainer.steps:,} updates of "
            f"{trainer.model.spec.train.batch} captions, into {folder}"
        )
        console.print(_HEADINGS, style="bold", no_wrap=True, crop=False)
        progress.update(bar, total=trainer.steps)

    def on_step(step: Step) -> None:
        smooth.take(step)
        progress.update(bar, completed=step.number, loss=smooth.loss, speed=smooth.speed)

    def on_epoch(epoch: Epoch) -> None:
        console.print(_row(epoch), no_wrap=True, crop=False)
        progress.update(bar, epoch=epoch.epoch + 1)

    with progress:
        run = rnnkit.training.train(
            spec, data, out, override or (), on_start=on_start, on_step=on_step, on_epoch=on_epoch
        )
    if run.interrupted:
        console.print(f"interrupted; the model as it was learnt so far is {run.folder / 'last.h5'}")
        raise typer.Exit(130)
    console.print(f"wrote {run.folder / 'last.h5'}")


_HEADINGS = "epoch      loss   train nats  perplexity   val nats  perplexity   tokens/s  seconds"


def _row(e: Epoch) -> str:
    val = "-" if e.val_nats is None else f"{e.val_nats:.3f}"
    val_perplexity = "-" if e.val_perplexity is None else f"{e.val_perplexity:.2f}"
    return (
        f"{e.epoch:5d} {e.train_loss:9.3f} {e.train_nats:12.3f} {e.train_perplexity:11.2f} "
        f"{val:>10} {val_perplexity:>11} {e.tokens_per_second:10,.0f} {e.seconds:8.1f}"
    )


class _Smooth:
    """Loss and speed over the last updates, so that the bar can be read."""

    def __init__(self) -> None:
        self.loss = float("nan")
        self.speed = 0.0

    def take(self, step: Step) -> None:
        weight = 1.0 if step.number == 1 else 0.05
        speed = step.tokens / max(step.seconds, 1e-9)
        self.loss = step.loss if weight == 1.0 else self.loss + weight * (step.loss - self.loss)
        self.speed += weight * (speed - self.speed)
