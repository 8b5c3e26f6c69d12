"""`rnnkit caption`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnkit.cli.completing import runs
from rnnkit.cli.options import AsJson, DecoderText, Force, ModelData, SplitName
from rnnkit.system.process import settle
from rnnkit.system.terminal import results, say
from rnnkit.system.terminal import shown as visible

if TYPE_CHECKING:
    from rnnkit.captioning.images import Captioned


def caption(
    places: Annotated[
        list[str],
        typer.Argument(
            help="A model file or a run's folder, several for an ensemble; then the photos to caption, if any: files, "
            "folders, or patterns such as 'photos/*.jpg'.",
            metavar="MODEL.. [PHOTO]..",
            autocompletion=runs,
        ),
    ],
    data: ModelData = None,
    split: SplitName = "val",
    features: Annotated[
        Path | None,
        typer.Option(
            "--features",
            metavar="FILE",
            help="Caption images by their features: an HDF5 file with the dataset features, or a .npy file.",
        ),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n", min=1, help="How many images, from the first; 8 of a data folder, else all."
        ),
    ] = None,
    n_best: Annotated[
        int,
        typer.Option(
            "--n-best",
            metavar="K",
            min=1,
            help="How many captions of each image: the K best that the decoder finds.",
        ),
    ] = 1,
    decoder: DecoderText = None,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV: image, caption, log_prob.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page with the pictures and their captions."
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Caption photos, or the images of a data folder beside what people wrote about them."""
    settle()
    import attrs

    from rnnkit.captioning.decoders import decoder_of
    from rnnkit.captioning.ensemble import load_writer
    from rnnkit.captioning.images import caption_split
    from rnnkit.captioning.own_data import opened_for
    from rnnkit.captioning.photos import caption_features, caption_photos, find_photos, pipeline_of
    from rnnkit.errors import SpecError
    from rnnkit.registry.labels import label
    from rnnkit.system.outputs import PAGE, check_output

    note = partial(say, err=True)
    models, given = _models_and_photos(places)
    if html is not None:
        check_output(html, PAGE, (*models, *map(Path, given), features), force=force)
    if given and features:
        raise SpecError("give photos, or features with --features, but not both")
    writer = load_writer(models)
    chosen = decoder_of(writer, decoder)
    folder = None
    if given:
        photos = find_photos(given)[:n]
        found = list(caption_photos(writer, pipeline_of(writer, data, note), photos, chosen, note))
    elif features:
        found = list(caption_features(writer, features, chosen))[:n]
    else:
        with opened_for(writer, data, note) as dataset:
            folder = dataset.folder
            found = caption_split(writer, dataset, split, n or 8, chosen)
    most = max((1 + len(item.others) for item in found), default=n_best)
    if most < n_best:
        raise SpecError(
            f"{label(chosen)} finds {most} of the {n_best} captions that --n-best asks for; use a decoder that "
            f"finds more, such as --decoder '{{ use = \"beam\", width = {n_best} }}'"
        )
    shown = [attrs.evolve(item, others=item.others[: n_best - 1]) for item in found]
    if html is not None:
        from rnnkit.describing.report.photos import write_page

        title = " + ".join(str(model) for model in models)
        write_page(html, title, writer, chosen, shown, folder)
    if as_json:
        _print_json(shown)
    elif as_csv:
        _print_csv(shown)
    else:
        _print(shown)
    if html is not None:
        note(f"wrote {html}")


def _models_and_photos(places: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The first is a model, or should be one; of the others, those that are, or are called as model files are."""
    from rnnkit.network.checkpoint import is_model

    first, *others = places
    models = [p for p in others if Path(p).suffix == ".h5" or is_model(Path(p))]
    return [Path(p) for p in (first, *models)], [p for p in others if p not in models]


def _name(item: Captioned) -> str:
    return item.picture or f"image {item.image}"


def _print(shown: Sequence[Captioned]) -> None:
    from rnnkit.cli import show

    console = show.console()
    for item in shown:
        console.print(_name(item), style="bold")
        console.print(f"  {item.caption}  [{item.log_prob:.2f}]", style="green")
        for text, log_prob in item.others:
            console.print(f"  {text}  [{log_prob:.2f}]", style="cyan")
        for text in item.truth:
            console.print(f"    {text}", style="dim")


def _print_json(shown: Sequence[Captioned]) -> None:
    import attrs

    from rnnkit.cli import show

    show.print_json([attrs.asdict(item) for item in shown])


def _print_csv(shown: Sequence[Captioned]) -> None:
    import csv

    def rows() -> Iterator[tuple[str, str, float]]:
        for item in shown:
            for text, log_prob in ((item.caption, item.log_prob), *item.others):
                yield visible(_name(item)), visible(text), log_prob

    writer = csv.writer(results(), lineterminator="\n")
    writer.writerow(("image", "caption", "log_prob"))
    writer.writerows(rows())
