"""`rnnkit caption`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from rnnkit.cli.decoders import DecoderText, decoder_of
from rnnkit.cli.options import AsJson, ModelData, ModelFiles, SplitName
from rnnkit.system.process import settle
from rnnkit.system.terminal import say


def caption(
    models: ModelFiles,
    data: ModelData = None,
    split: SplitName = "val",
    n: Annotated[int, typer.Option("--n", min=1, help="How many images, from the first.")] = 8,
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
) -> None:
    """Caption images, and show what people wrote about them."""
    settle()
    import attrs

    from rnnkit.captioning.ensemble import load_writer
    from rnnkit.captioning.images import caption_split
    from rnnkit.captioning.own_data import opened_for
    from rnnkit.cli import show
    from rnnkit.errors import SpecError
    from rnnkit.registry.labels import label

    writer = load_writer(models)
    chosen = decoder_of(writer, decoder)
    with opened_for(writer, data, partial(say, err=True)) as dataset:
        found = caption_split(writer, dataset, split, n, chosen)
    most = max((1 + len(item.others) for item in found), default=n_best)
    if most < n_best:
        raise SpecError(
            f"{label(chosen)} finds {most} of the {n_best} captions that --n-best asks for; use a decoder that "
            f"finds more, such as --decoder '{{ use = \"beam\", width = {n_best} }}'"
        )
    shown = [attrs.evolve(item, others=item.others[: n_best - 1]) for item in found]
    if as_json:
        show.print_json([attrs.asdict(item) for item in shown])
        return
    console = show.console()
    for item in shown:
        console.print(f"{item.picture or f'image {item.image}'}", style="bold")
        console.print(f"  {item.caption}  [{item.log_prob:.2f}]", style="green")
        for text, log_prob in item.others:
            console.print(f"  {text}  [{log_prob:.2f}]", style="cyan")
        for text in item.truth:
            console.print(f"    {text}", style="dim")
