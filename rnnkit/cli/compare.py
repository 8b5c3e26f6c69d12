"""`rnnkit compare`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    from rnnkit.training import Step, Trainer
    from rnnkit.training.comparing import Learnt, Result

CURVES: Final = "curves.csv"
PLOT: Final = "loss.png"


def compare(
    specs: Annotated[list[Path], typer.Argument(help="Specs, in TOML.", metavar="SPEC")],
    data: DataFolder = None,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help=f"Folder for {PLOT} and {CURVES}."),
    ] = Path("runs/compare"),
    until_loss: Annotated[
        float | None,
        typer.Option(
            "--until-loss",
            metavar="X",
            help="End a run when its mean loss per caption is X or less, over the last 50 updates (or one "
            "epoch, if that is shorter).",
        ),
    ] = None,
    override: Overrides = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="The seed of all runs; the first spec's if not given."),
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
    others go on. Exit code 1 if a run failed, 2 if all failed and the specs or options are the reason. Ctrl-C shows
    the runs that have ended.
    """
    with job() as ranks:
        code = _compare(
            specs,
            data,
            out,
            until_loss,
            override or (),
            seed,
            metrics.replace(",", " ").split(),
            as_json,
            ranks,
        )
    if code:
        raise typer.Exit(code)


def _compare(
    specs: Sequence[Path],
    data: Path | None,
    out: Path,
    until_loss: float | None,
    override: Sequence[str],
    seed: int | None,
    metrics: Sequence[str],
    as_json: bool,
    ranks: Ranks,
) -> int:
    """The exit code, which the first rank has for all."""
    settle(ranks.sharing)
    from rnnkit.training.comparing import compare as train_each
    from rnnkit.training.curves import make_folder

    results: list[Result] = []

    def on_result(result: Result) -> None:
        results.append(result)
        if ranks.size > 1:  # instead of a bar
            say(_line(result), err=True)

    ranks.first(partial(make_folder, out))
    tell = partial(_tell, results, out, until_loss, as_json, plain=ranks.size > 1)
    try:
        with _progress(alone=ranks.size == 1) as (on_start, on_step):
            train_each(
                specs,
                data,
                until_loss=until_loss,
                overrides=override,
                seed=seed,
                metrics=metrics,
                on_start=on_start,
                on_step=on_step,
                on_result=on_result,
                ranks=ranks,
            )
    except KeyboardInterrupt:
        if ranks.rank == 0:
            tell()
            say("interrupted; only the runs shown had ended", err=True)
        raise
    code = ranks.first(tell)
    return 0 if ranks.rank else code


def _tell(
    results: list[Result], out: Path, until_loss: float | None, as_json: bool, *, plain: bool
) -> int:
    """Print the results and write the curves; the exit code."""
    from importlib.util import find_spec

    from rnnkit.cli import show
    from rnnkit.training.comparing import Failed
    from rnnkit.training.curves import draw_curves, write_curves

    results.sort(key=lambda result: result.number)
    if as_json:
        show.print_json([_json(result) for result in results])
    else:
        _print(results, targeted=until_loss is not None, plain=plain)
    failed = [result for result in results if isinstance(result, Failed)]
    if len(failed) < len(results):
        write_curves(results, out / CURVES)
        wrote = str(out / CURVES)
        if find_spec("matplotlib"):
            draw_curves(results, out / PLOT, until_loss)
            wrote = f"{out / PLOT} and {wrote}"
        else:
            say('no plot without matplotlib: pip install "rnnkit[plots]"', err=True)
        if not as_json:
            say(f"\nwrote {wrote}")
    if not failed:
        return 0
    hopeless = len(failed) == len(results) and all(result.mistake for result in failed)
    return 2 if hopeless else 1


def _line(result: Result) -> str:
    """A result in a line, while others are still to come."""
    from rnnkit.training.comparing import Failed

    if isinstance(result, Failed):
        return f"{result.name}: failed: {result.reason}"
    return f"{result.name}: loss {result.loss:.3f} after {result.seconds:.1f} s"


@contextmanager
def _progress(
    *, alone: bool
) -> Iterator[tuple[Callable[[str, Trainer], None], Callable[[Step], None]]]:
    """A bar for the spec under way, in a terminal: what to call at its start, and at each update."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    from rnnkit.cli import show

    # Standard error, so that standard output is the table or the JSON alone.
    console = show.console(stderr=True)
    barred = alone and console.is_terminal
    now: tuple[str, Step | None] = ("", None)
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[said]}"),
        console=console,
        disable=not barred,
        transient=True,
    )
    bar = progress.add_task("", total=None, said="")

    def on_start(name: str, trainer: Trainer) -> None:
        nonlocal now
        now = (name, None)
        described = shown(name, console.encoding)
        progress.reset(bar, description=described, total=trainer.steps, said="")

    def on_step(step: Step) -> None:
        nonlocal now
        now = (now[0], step)
        progress.update(bar, completed=step.number, said=f"loss {step.loss:.3f}")

    def far() -> str:
        name, step = now
        return name and (
            f"{name}: update {step.number:,} of {step.steps:,}, loss {step.loss:.3f}"
            if step
            else f"{name}: no update yet"
        )

    with progress, show.reminding(far, wanted=alone and not barred):
        yield on_start, on_step


def _print(results: Sequence[Result], *, targeted: bool, plain: bool) -> None:
    from rnnkit.cli import show
    from rnnkit.metrics import TITLES
    from rnnkit.training.comparing import Learnt

    columns = ["spec", "cell", ">params"]
    if targeted:
        columns += [">updates to target", ">seconds to target"]
    names = list(dict.fromkeys(name for r in results if isinstance(r, Learnt) for name in r.scores))
    columns += [">updates", ">loss", ">val nats", *(f">{TITLES[n]}" for n in names), ">seconds"]
    troubled = not all(isinstance(result, Learnt) for result in results)
    if troubled:
        columns.append("failed because")
    rows = [
        (
            result.name,
            *(
                _numbers(result, names, targeted=targeted)
                if isinstance(result, Learnt)
                else ["-"] * (len(columns) - 2)
            ),
            *([_reason(result)] if troubled else []),
        )
        for result in results
    ]
    console = show.console(plain)
    show.print_table(
        console,
        columns,
        rows,
        folding=("spec", "cell", "failed because"),
        spare=("params", "seconds", "updates", "cell"),
    )
    windows = sorted({result.window for result in results if isinstance(result, Learnt)})
    if windows:
        over = " or ".join(str(window) for window in windows)
        console.print(f"\nLoss: mean per caption over the last {over} updates. Nats are per token.")


def _numbers(result: Learnt, names: Sequence[str], *, targeted: bool) -> Iterator[str]:
    from rnnkit.cli import show

    updates, seconds = show.count(result.updates), f"{result.seconds:.1f}"
    yield result.cell
    yield show.count(result.parameters)
    if targeted:
        yield from (updates, seconds) if result.reached else ("not reached", "-")
    yield updates
    yield f"{result.loss:.3f}"
    yield "-" if result.val_nats is None else f"{result.val_nats:.3f}"
    yield from (f"{result.scores[name]:.3f}" if name in result.scores else "-" for name in names)
    yield seconds


def _reason(result: Result) -> str:
    from rnnkit.training.comparing import Failed

    return result.reason if isinstance(result, Failed) else ""


def _json(result: Result) -> dict[str, object]:
    from rnnkit.training.comparing import Failed

    if isinstance(result, Failed):
        return {"spec": result.name, "failed": result.reason, "mistake": result.mistake}
    return {
        "spec": result.name,
        "cell": result.cell,
        "parameters": result.parameters,
        "reached": result.reached,
        "updates": result.updates,
        "window": result.window,
        "loss": result.loss,
        "val_nats": result.val_nats,
        "scores": dict(result.scores),
        "seconds": result.seconds,
    }
