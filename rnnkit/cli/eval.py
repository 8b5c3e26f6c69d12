"""`rnnkit eval`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rnnkit.cli.options import AsJson, DecoderText, Force, ModelData, ModelFiles, SplitName
from rnnkit.parallel import Ranks, job
from rnnkit.system.process import settle
from rnnkit.system.terminal import say

if TYPE_CHECKING:
    from rnnkit.captioning.evaluation import Evaluation

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
            help="Any of bleu, rouge_l, cider, meteor and spice, separated by commas; the last two need Java.",
        ),
    ] = METRICS,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results", metavar="FILE", help="Write the captions in COCO's results format."
        ),
    ] = None,
    as_json: AsJson = False,
    force: Force = False,
) -> None:
    """Judge a model on a split: perplexity, and BLEU, ROUGE-L and CIDEr of its captions.

    Under mpiexec -n R, R processes share the images.
    """
    with job() as ranks:
        settle(ranks.sharing)
        from rnnkit.errors import RnnkitError
        from rnnkit.metrics import check
        from rnnkit.system.outputs import RESULTS, check_output

        if results is not None:
            ranks.first(partial(check_output, results, RESULTS, models, force=force))

        wanted = metrics.replace(",", " ").split()
        missing = None
        try:
            ranks.first(partial(check, wanted))
        except RnnkitError as e:
            if metrics != METRICS:
                raise
            wanted, missing = [], str(e)
        found, folder = _evaluate(models, data, split, n, decoder, wanted, ranks)
        plain = ranks.size > 1
        ranks.first(partial(_tell, found, models, folder, results, missing, as_json, plain=plain))


def _evaluate(
    models: list[Path],
    data: Path | None,
    split: str,
    n: int | None,
    decoder: str | None,
    metrics: list[str],
    ranks: Ranks,
) -> tuple[Evaluation, str | Path]:
    """What came of it, and the data folder."""
    import rnnkit.captioning.evaluation
    from rnnkit.captioning.decoders import decoder_of
    from rnnkit.captioning.ensemble import load_writer
    from rnnkit.captioning.own_data import data_of, opened_for
    from rnnkit.cli import show

    writer = load_writer(models)
    chosen = decoder_of(writer, decoder)
    folder = data_of(writer, data)

    def note(text: str) -> None:
        if ranks.rank == 0:
            say(text, err=True)

    with (
        show.working("captioning", wanted=ranks.rank == 0, plain=ranks.size > 1),
        opened_for(writer, data, note) as dataset,
    ):
        return rnnkit.captioning.evaluation.evaluate(
            writer, dataset, split, chosen, metrics, n, ranks
        ), folder


def _tell(
    found: Evaluation,
    models: list[Path],
    folder: str | Path,
    results: Path | None,
    missing: str | None,
    as_json: bool,
    *,
    plain: bool,
) -> None:
    """Print it, and write the captions."""

    from rnnkit.cli import show
    from rnnkit.system.files import write_text_whole
    from rnnkit.system.json_text import json_text

    if results:
        write_text_whole(results, json_text(found.results(), ascii_only=False))
    if as_json:
        show.print_json({"models": [*map(str, models)], "data": str(folder), **_json(found)})
    else:
        _print(found, models, folder, plain=plain)
    if found.monotony:
        show.warn(found.monotony)
    if missing:
        say(missing, err=True)
    if results and not as_json:
        say(f"\nwrote {results}")


def _print(found: Evaluation, models: list[Path], folder: str | Path, *, plain: bool) -> None:
    from rnnkit.cli import show
    from rnnkit.metrics import TITLES

    token = "character" if found.by_character else "token"
    rows = [
        ("perplexity", f"{found.perplexity:.2f}"),
        (f"nats per {token}", f"{found.nats:.3f}"),
        *((TITLES[name], f"{value:.3f}") for name, value in found.scores.items()),
    ]
    console = show.console(plain)
    together = ", an ensemble" if len(models) > 1 else ""
    console.print(f"{' + '.join(map(str, models))}{together}", style="bold")
    console.print(
        f"{folder}, {found.split}: {show.count(found.images)} images, "
        f"{show.count(found.references)} captions by people"
        + (
            "" if found.source else f" (only their tokens: no captions_{found.split}.json is there)"
        ),
    )
    console.print(f"decoder {found.decoder}\n")
    show.print_table(console, ["metric", ">value"], rows)


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
        "monotony": found.monotony,
    }
