"""The decoder that a text stands for."""

from __future__ import annotations

from typing import Any

from rnnkit.kinds import Decoder
from rnnkit.network.writer import Writer
from rnnkit.spec.reader import read_plugin


def decoder_of(writer: Writer[Any], text: str | None) -> Decoder:
    """The decoder that a text like `beam` stands for, read as `caption.decoder` of the model's spec.

    Raises:
        RegistryError: there is no such decoder, or it has no such options.
    """
    usual = writer.spec.caption.decoder
    return usual if text is None else read_plugin(Decoder, text, usual)
