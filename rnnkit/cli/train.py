"""`rnnkit train`."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnkit.cli.completing import runs
from rnnkit.cli.options import DataFolder, Overrides
from rnnkit.parallel import Ranks, job
from rnnkit.system.process import held_back, settle
from rnnkit.system.terminal import warn

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
            autocompletion=runs,
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Begin with the parameters of this model (a file, or a run), wherever the network of SPEC has the same.",
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
    """Train the network of a spec. Ctrl-C saves a checkpoint and stops, and so do SIGTERM and SIGHUP.

    Under mpiexec -n R, R processes share the work.
    """
    if (spec is None) == (resume is None):
        raise typer.BadParameter("give either a SPEC, or --resume RUN")
    if resume is not None and out is not None:
        raise typer.BadParameter("--resume RUN continues in RUN; leave out --out")
    if resume is not None and start_from is not None:
        raise typer.BadParameter("--resume RUN goes on with RUN; --from MODEL is for a SPEC")
    with job() as ranks:
        code = _train(spec, data, out, resume, start_from, override or (), tensorboard, ranks)
    if code:
        raise typer.Exit(code)


def _train(
    spec: Path | None,
    data: Path | None,
    out: Path | None,
    resume: Path | None,
    start_from: Path | None,
    override: Sequence[str],
    tensorboard: bool | None,
    ranks: Ranks,
) -> int:
    """The exit code, which the first rank has for all."""
    settle(ranks.sharing)
    if ranks.rank == 0 and (variables := held_back(os.environ)):
        warn(
            f"{' and '.join(variables)} may hold matrix products back; rnnkit doctor measures what that costs"
        )
    import rnnkit.training
    from rnnkit.cli import show

    # A launcher may put a terminal of its own making before its own output, whatever that is.
    console = show.console(plain=ranks.size > 1)
    events: EventWriter | None = None
    ended = ""

    def on_start(trainer: Trainer, folder: Path) -> None:
        nonlocal events, ended
        if trainer.finished:
            ended = _ended(trainer)
            return
        from rnnkit.training.tensorboard import FOLDER, EventWriter

        has_some = resume is not None and (folder / FOLDER).is_dir()
        if has_some if tensorboard is None else tensorboard:
            events = cleanup.enter_context(closing(EventWriter(folder, trainer)))

    def on_step(step: Step) -> None:
        if events is not None:
            events.on_step(step)

    def on_record(record: Record) -> None:
        if events is not None:
            events.on_record(record)

    with ExitStack() as cleanup:
        run = rnnkit.training.train(
            spec,
            data,
            out,
            override,
            resume=resume,
            start_from=start_from,
            on_start=on_start,
            on_step=on_step,
            on_record=on_record,
            progress=True,
            ranks=ranks,
        )
    if ranks.rank:
        return 0
    if not run.finished:
        console.print(
            f"interrupted; go on with: rnnkit train --resume {run.folder}",
            soft_wrap=True,
        )
        return 128 + (run.asked or signal.SIGINT)
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
        console.print("no evaluation shows anything learnt, so that there is no best.h5")
    console.print(f"wrote {run.folder / 'last.h5'}", soft_wrap=True)
    return 0


def _ended(trainer: Trainer) -> str:
    """The limit that has ended a run, raised."""
    table = trainer.model.spec.train
    if trainer.step < trainer.steps and table.patience is not None:
        return f"train.patience={2 * table.patience}"
    return f"train.epochs={2 * max(table.epochs, trainer.step // trainer.epoch_steps)}"
