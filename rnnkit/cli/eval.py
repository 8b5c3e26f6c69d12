"""`rnnkit eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rnnkit.cli.decoders import DecoderText, decoder_of
from rnnkit.cli.options import AsJson, ModelData, ModelFiles, SplitName
from rnnkit.process import settle

if TYPE_CHECKING:
    from rnnkit.evaluation import Evaluation

METRICS: Final = "bleu,rouge_l,cider"


def evaluate(
    models: ModelFiles,
    data: ModelData = None,
    split: SplitName = "val",
    n: Annotated[
        int | None,
        typer.Option("--n", min=1, help="How many images, from the first; all if not given."),
    ] = None,
    decoder: DecoderText = None,
    metrics: Annotated[
        str,
        typer.Option(
            "--metrics",
            metavar="NAMES",
            help="Of bleu, rouge_l, cider, meteor and spice, with commas; the last two need Java.",
        ),
    ] = METRICS,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results", metavar="FILE", help="Write the captions in COCO's results format."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model on a split: perplexity, and BLEU, ROUGE-L and CIDEr of its captions."""
    settle()
    import json

    from rich.console import Console

    import rnnkit.evaluation
    from rnnkit.cli import show
    from rnnkit.data import open_data
    from rnnkit.ensemble import load_writer
    from rnnkit.errors import DataError, RnnkitError
    from rnnkit.files import write_text_whole
    from rnnkit.metrics import check

    wanted = metrics.replace(",", " ").split()
    missing = None
    try:
        check(wanted)
    except RnnkitError as e:
        if metrics != METRICS:
            raise
        wanted, missing = [], str(e)
    writer = load_writer(models)
    chosen = decoder_of(writer, decoder)
    folder = data or writer.spec.data.path
    if folder is None:
        raise DataError("evaluation wants data: name a folder with --data")
    with (
        Console(stderr=True).status("captioning"),
        open_data(folder, raw=writer.spec.data.raw) as dataset,
    ):
        found = rnnkit.evaluation.evaluate(writer, dataset, split, chosen, wanted, n)
    if results:
        write_text_whole(results, json.dumps(found.results(), ensure_ascii=False))
    if as_json:
        show.print_json({"models": [*map(str, models)], "data": str(folder), **_json(found)})
    else:
        _print(found, models, folder)
    if missing:
        typer.echo(missing, err=True)
    if results and not as_json:
        typer.echo(f"\nwrote {results}")


def _print(found: Evaluation, models: list[Path], folder: str | Path) -> None:
    from rnnkit.cli import show
    from rnnkit.metrics.scorers import TITLES

    token = "character" if found.by_character else "token"
    rows = [
        ("perplexity", f"{found.perplexity:.2f}"),
        (f"nats per {token}", f"{found.nats:.3f}"),
        *((TITLES[name], f"{value:.3f}") for name, value in found.scores.items()),
    ]
    console = show.console()
    together = ", an ensemble" if len(models) > 1 else ""
    console.print(f"{' + '.join(map(str, models))}{together}", style="bold", markup=False)
    console.print(
        f"{folder}, {found.split}: {show.count(found.images)} images, "
        f"{show.count(found.references)} captions by people"
        + (
            "" if found.source else f" (only their tokens: no captions_{found.split}.json is there)"
        ),
        markup=False,
    )
    console.print(f"decoder {found.decoder}\n", markup=False)
    console.print(show.table(["metric", ">value"], rows))


def _json(found: Evaluation) -> dict[str, object]:
    return {
        "split": found.split,
        "images": found.images,
        "references": found.references,
        "annotations": str(found.source) if found.source else None,
        "decoder": found.decoder,
        "tokens": "char" if found.by_character else "word",
        "nats_per_token": found.nats,
        "perplexity": found.perplexity,
        "scores": dict(found.scores),
    }
