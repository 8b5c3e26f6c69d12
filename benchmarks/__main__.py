"""`python -m benchmarks`, which is what `make bench` runs."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, cast

import typer

from benchmarks import options, page
from benchmarks.bench import Bench, NotMeasured
from benchmarks.load import BUSY, Load
from benchmarks.machine import this_machine
from benchmarks.measures import EVERY, MEASURES, QUICK
from benchmarks.measures.quick import apart
from benchmarks.measures.train_step import averages
from benchmarks.results import Results, Settings
from benchmarks.table import line, number
from benchmarks.turns import ROOT
from rnnkit.system.machine import taken


def main(
    only: Annotated[
        str, typer.Option(metavar="NAME,NAME", help=f"Some of {', '.join(MEASURES)}.")
    ] = "",
    data: Annotated[
        Path | None,
        options.folder("Take captions and features from this data folder."),
    ] = None,
    json_file: options.JsonFile = None,
    docs: Annotated[
        bool | None,
        typer.Option(help="Write docs/performance.md and its plot; by default if all is measured."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contender.")] = 7,
    steps: Annotated[int, typer.Option(min=1, help="Runs in a turn.")] = 4,
    threads: Annotated[int, typer.Option(min=1, help="Cores for each contender.")] = 2,
    quick: options.Short = False,
) -> None:
    """Measure rnnkit beside PyTorch, JAX, plain NumPy and the bare matrix products."""
    short = quick and not only
    names = [QUICK] if short else chosen(only)
    writes_docs = (not only and not quick) if docs is None else docs
    with tempfile.TemporaryDirectory(prefix="rnnkit-bench-") as folder:
        if quick and only:
            bench = Bench(
                Path(folder), data, rounds=1, steps=1, pause=0.0, threads=threads, quick=True
            )
        else:
            bench = Bench(Path(folder), data, rounds, steps, threads=threads)
        results = begin(bench)
        typer.echo(f"other programs keep {results['load']['before']:.2f} cores busy")
        for name in names:
            measure(name, bench, results)
            if json_file:
                json_file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    busy = {name: cores for name, cores in results["load"].items() if cores > BUSY}
    if busy:
        told = ", ".join(f"{cores:.1f} cores ({name})" for name, cores in busy.items())
        typer.echo(
            f"\nother programs kept busy: {told}; these times are not to be trusted, and docs/ is as it was"
        )
        raise typer.Exit(0 if quick and only else 1)
    if short:
        judge(results)
    elif writes_docs:
        page.write(results, ROOT / "docs")
        typer.echo(f"\nwrote {page.PAGE} and {page.PLOT} to docs/")
    else:
        typer.echo("\ndocs/ is as it was: it is written if everything is measured, or with --docs")


def chosen(only: str) -> list[str]:
    """The names of an --only option, in the order in which they are measured; all for none."""
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    for name in wanted:
        if name not in MEASURES:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(MEASURES)}")
    return [name for name in MEASURES if name in wanted or not wanted]


def begin(bench: Bench) -> Results:
    """Results without any measurement."""
    settings = Settings(
        rounds=bench.rounds,
        steps=bench.steps,
        pause=bench.pause,
        threads=bench.threads,
        data=None if bench.data is None else bench.data.resolve().name,
    )
    return Results(
        settings=settings,
        machine=this_machine(),
        not_measured={},
        load={"before": taken(1.0) or 0.0},
        kernels={},
    )


def measure(name: str, bench: Bench, results: Results) -> None:
    """Make one measurement, print its table line by line, and put it into the results."""
    m = EVERY[name]
    typer.echo(f"\n{m.title}\n\n{line(m.headings, m.headings, m.label_width)}")
    found, load = [], Load()
    try:
        for entry in m.entries(bench):
            found.append(entry)
            typer.echo(line(m.row(entry), m.headings, m.label_width))
    except NotMeasured as e:
        results["not_measured"][name] = str(e)
        typer.echo(f"not measured: {e}")
    cast(dict[str, object], results)[name] = found
    results["load"][name] = load.cores()
    if results["load"][name] > BUSY:
        typer.echo(f"other programs kept {results['load'][name]:.1f} cores busy meanwhile")
    for entry in found:
        results["kernels"].update(entry.get("kernels", {}))
    if name in ("train_step", QUICK):
        results["geometric_mean"] = averages(found)
        means = ", ".join(f"{k} {number(v)}" for k, v in results["geometric_mean"].items())
        typer.echo(f"\ngeometric means over the vanilla network and the LSTM: {means}")


def judge(results: Results) -> None:
    """Say what the quick table was measured on, and whether it can be trusted; end with 1 if not."""
    typer.echo(f"\n{page.machine(results['machine'])}\n{page.kernels(results['kernels'])}")
    doubtful = apart(results["quick"])
    if doubtful:
        told = "; ".join(doubtful)
        typer.echo(f"\nrounds do not agree on these ratios, so measure again: {told}")
        raise typer.Exit(1)
    typer.echo("\nno other program was busy, and the rounds agree: these ratios can be trusted")


if __name__ == "__main__":
    typer.run(main)
