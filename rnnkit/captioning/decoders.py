"""The decoder that a text stands for."""

from __future__ import annotations

from typing import Any

from rnnkit.kinds import Decoder
from rnnkit.network.writer import Writer
from rnnkit.spec import parse_spec, write_spec


def decoder_of(writer: Writer[Any], text: str | None) -> Decoder:
    """The decoder that a text like `beam` stands for, read as `caption.decoder` of the model's spec.

    Raises:
        SpecError: there is no such decoder, or it has no such options.
    """
    if text is None:
        return writer.spec.caption.decoder
    source = write_spec(writer.spec)
    return parse_spec(source, "spec", [f"caption.decoder={text}"]).caption.decoder
