"""`rnnkit caption`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnkit.cli.options import AsJson
from rnnkit.process import settle

if TYPE_CHECKING:
    from rnnkit.kinds import Decoder
    from rnnkit.model import Captioner


def caption(
    model: Annotated[
        Path, typer.Argument(help="A model file, or a run's folder.", metavar="MODEL")
    ],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="A data folder.")],
    split: Annotated[str, typer.Option("--split", help="Which split.")] = "val",
    n: Annotated[int, typer.Option("--n", min=1, help="How many images, from the first.")] = 8,
    decoder: Annotated[
        str | None,
        typer.Option(
            "--decoder",
            metavar="DECODER",
            help="A decoder other than the spec's: beam, or '{ use = \"beam\", width = 5 }'.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Caption images, beside what people wrote of them."""
    settle()
    from rnnkit.captioning import caption_split
    from rnnkit.checkpoint import load_model
    from rnnkit.cli import show
    from rnnkit.data import open_data

    captioner = load_model(model).frozen()
    chosen = _decoder(captioner, decoder)
    with open_data(data, raw=captioner.spec.data.raw) as dataset:
        shown = caption_split(captioner, dataset, split, n, chosen)
    if as_json:
        import attrs

        show.print_json([attrs.asdict(item) for item in shown])
        return
    console = show.console()
    for item in shown:
        console.print(f"{item.picture or f'image {item.image}'}", style="bold", markup=False)
        console.print(f"  {item.caption}  [{item.log_prob:.2f}]", style="green", markup=False)
        for text in item.truth:
            console.print(f"    {text}", style="dim", markup=False)


def _decoder(captioner: Captioner, text: str | None) -> Decoder:
    """The decoder that a text like `beam` stands for, read as `caption.decoder` of the model's spec."""
    if text is None:
        return captioner.spec.caption.decoder
    from rnnkit.spec import parse_spec, write_spec

    source = write_spec(captioner.spec)
    return parse_spec(source, "spec", [f"caption.decoder={text}"]).caption.decoder
