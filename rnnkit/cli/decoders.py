"""The option `--decoder`, and the decoder that its text stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from rnnkit.kinds import Decoder
    from rnnkit.network.writer import Writer

DecoderText: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--decoder",
        metavar="DECODER",
        help="The decoder to use instead of the spec's: beam, or '{ use = \"beam\", width = 5 }'.",
    ),
]


def decoder_of(writer: Writer[Any], text: str | None) -> Decoder:
    """The decoder that a text like `beam` stands for, read as `caption.decoder` of the model's spec."""
    if text is None:
        return writer.spec.caption.decoder
    from rnnkit.spec import parse_spec, write_spec

    source = write_spec(writer.spec)
    return parse_spec(source, "spec", [f"caption.decoder={text}"]).caption.decoder
