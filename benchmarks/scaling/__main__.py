"""`python -m benchmarks.scaling`, which is what `make scaling` runs."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import options
from benchmarks.machine import this_machine
from benchmarks.scaling import page
from benchmarks.scaling.measures import MEASURES, Measuring
from benchmarks.scaling.results import Results, Settings
from benchmarks.turns import ROOT


def main(
    data: Annotated[
        Path | None,
        options.folder("Train on this data folder, whole epochs."),
    ] = None,
    json_file: options.JsonFile = None,
    docs: Annotated[
        bool, typer.Option("--docs", help="Write docs/scaling.md and its plot.")
    ] = False,
    two_hosts: Annotated[
        bool,
        typer.Option(
            "--two-hosts",
            help="Measure two hosts with a slow link, too: as root on Linux, with ip, tc and MPICH. It makes two "
            "network namespaces, and removes them.",
        ),
    ] = False,
    ranks: Annotated[int, typer.Option(min=2, help="Ranks, each with a core.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Epochs of each contender.")] = 3,
    quick: options.Quick = False,
) -> None:
    """Measure training in more than one process, and project it to many."""
    pause = 0.0 if quick else 1.0
    settings = Settings(
        command=_command(),
        rounds=1 if quick else rounds,
        pause=pause,
        ranks=ranks,
        data=None if data is None else data.resolve().name,
    )
    results = Results(settings=settings, machine=this_machine(), not_measured={})
    with tempfile.TemporaryDirectory(prefix="rnnkit-scaling-") as folder:
        measuring = Measuring(
            folder=Path(folder),
            data=data,
            ranks=ranks,
            rounds=settings["rounds"],
            pause=pause,
            hosts=two_hosts,
            quick=quick,
            say=typer.echo,
        )
        for measure in MEASURES.values():
            measure(measuring, results)
            if json_file:
                json_file.write_text(json.dumps(results) + "\n", encoding="utf-8")
    for name, reason in results["not_measured"].items():
        typer.echo(f"{name} not measured: {reason}")
    if docs:
        page.write(results, ROOT / "docs")
        typer.echo(f"wrote {page.PAGE} and {page.PLOT} to docs/")


def _command() -> str:
    """How this was called, without where the data is."""
    words = sys.argv[1:]
    for option, name in (("--data", "DIR"), ("--json", "FILE")):
        if option in words[:-1]:
            words[words.index(option) + 1] = name
    return shlex.join(["python", "-m", "benchmarks.scaling", *words])


if __name__ == "__main__":
    typer.run(main)
