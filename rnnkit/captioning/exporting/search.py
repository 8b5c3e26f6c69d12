"""How an exported captioner searches for words."""

from __future__ import annotations

import attrs

from rnnkit.errors import DataError
from rnnkit.kinds import Decoder
from rnnkit.registry.labels import name_of
from rnnkit.spec import Spec, load_plugin


@attrs.frozen
class Search:
    """Greedy, or with a beam; the options are those of the decoders `greedy` and `beam`.

    Attributes:
        width: of the beam; None for greedy.
        length_penalty: power of the length that a beam divides log probabilities by.
        no_repeat: so many words in a row never come twice in a caption.
    """

    width: int | None = None
    length_penalty: float = 0.0
    no_repeat: int | None = None

    @property
    def decoder(self) -> Decoder:
        """The decoder that does the same."""
        if self.width is None:
            return load_plugin(Decoder, "rnnkit:greedy", no_repeat=self.no_repeat)
        return load_plugin(
            Decoder,
            "rnnkit:beam",
            width=self.width,
            length_penalty=self.length_penalty,
            no_repeat=self.no_repeat,
        )


def search_of(spec: Spec, width: int | None, length_penalty: float | None = None) -> Search:
    """The search that is wanted, with the other options as the spec's own decoder has them.

    Args:
        spec: of the model.
        width: of the beam; None for greedy.
        length_penalty: of the beam; that of the spec's beam if left open.

    Raises:
        DataError: the width is no number above 0, or a penalty is given without a beam.
    """
    if width is None and length_penalty is not None:
        raise DataError("a length penalty is for a beam: give its width, too")
    if width is not None and width < 1:
        raise DataError(f"a beam of width {width} keeps nothing; give 1 or more")
    own = spec.caption.decoder
    options = {"greedy": ("no_repeat",), "beam": ("no_repeat", "length_penalty")}
    known = {name: getattr(own, name) for name in options.get(name_of(own), ())}
    if length_penalty is not None:
        known["length_penalty"] = length_penalty
    if width is None:
        known.pop("length_penalty", None)
    return Search(width, **known)
