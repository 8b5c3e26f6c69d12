"""Which encoder made features: kept beside them, so that those of two encoders are never mixed in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Self

import attrs

from rnnkit.errors import DataError, RegistryError, quoted
from rnnkit.kinds import Encoder
from rnnkit.registry import entry_of
from rnnkit.registry.blame import wrong_return
from rnnkit.registry.returned import whole
from rnnkit.spec.overrides import read_override
from rnnkit.spec.reader import read_plugin
from rnnkit.spec.writer import inline, plain
from rnnkit.system.json_text import json_value

FILE: Final = "file"
"""The option of an encoder that says where its weights are. Which weights they are, its digest says."""


@attrs.frozen
class EncoderIdentity:
    """An encoder, told so that it can be found again, and told from others.

    Attributes:
        encoder: its name and options in TOML, as `{ use = "rnnkit:efficientnet-lite0", regions = true }`.
        package: that it is from.
        version: of the package.
        digest: SHA-256 of its weights; empty if it reads none.
        shape: of the features of one picture.
    """

    encoder: str
    package: str
    version: str
    digest: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.encoder} ({self.package} {self.version})"

    def load(self) -> Encoder:
        """The encoder, which gives the same features.

        Raises:
            RegistryError: it is not installed, or does not load; or what is installed gives other features.
            DataError: its weights cannot be read.
        """
        try:
            encoder = read_plugin(Encoder, self.encoder)
        except RegistryError as e:
            place = "; its file may also lie beside the file that names it" * (
                FILE in self._table()
            )
            raise RegistryError(
                f"the features are of the encoder {self}, which cannot be had here: {e}{place}"
            ) from e
        difference = self.difference(identity_of(encoder))
        if difference:
            raise RegistryError(
                f"the features are of the encoder {self}, and the one that is installed here {difference}; "
                "install that one again, or encode the photos anew"
            )
        return encoder

    def difference(self, other: EncoderIdentity) -> str | None:
        """Why features of the two must not be mixed, said of the other; None if they may.

        That its package has another version is no reason, or that its weights lie elsewhere.
        """
        if other._what() != self._what():
            return f"is {other.encoder}, not {self.encoder}"
        if other.digest != self.digest:
            return f"has other weights: SHA-256 {other.digest or 'of none'}, not {self.digest or 'of none'}"
        if other.shape != self.shape:
            return f"gives features of shape {other.shape}, not {self.shape}"
        return None

    def _table(self) -> dict[str, Any]:
        """Its name and options; empty for one without options."""
        table = read_override(f"encoder={self.encoder}").value
        return table if isinstance(table, dict) else {}

    def _what(self) -> object:
        """What it computes, apart from its weights."""
        table = self._table()
        if not self.digest or FILE not in table:
            return self.encoder
        return {key: value for key, value in table.items() if key != FILE}

    def found_from(self, folder: Path) -> Self:
        """The same; if its weights are not where they were, but are in a folder, with that place."""
        file = self._table().get(FILE)
        if not isinstance(file, str) or Path(file).exists():
            return self
        near = folder.absolute() / Path(file).name
        if not near.exists():
            return self
        return attrs.evolve(self, encoder=inline({**self._table(), FILE: str(near)}))

    def to_json(self) -> str:
        """The text that `from_json` reads."""
        return json.dumps(attrs.asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str) -> Self:
        """Read what `to_json` wrote.

        Args:
            text: to be read.
            name: what errors call it.

        Raises:
            DataError: it is something else.
        """
        try:
            found = json_value(text)
            texts = {key: found[key] for key in ("encoder", "package", "version", "digest")}
            shape = found["shape"]
        except (ValueError, KeyError, TypeError) as e:
            raise DataError(f"{name} does not say which encoder made the features: {e!r}") from e
        if not all(isinstance(text, str) for text in texts.values()):
            raise DataError(f"{name}: encoder, package, version and digest are texts")
        if not (isinstance(shape, list) and shape and all(type(n) is int and n > 0 for n in shape)):
            raise DataError(
                f"{name}: shape is an array of whole numbers above 0, not {quoted(shape)}"
            )
        return cls(shape=tuple(shape), **texts)


def identity_of(encoder: Encoder) -> EncoderIdentity:
    """The identity of an encoder.

    Raises:
        SpecError: no installed package declares it, so that nobody could find it again.
        DataError: its weights cannot be read.
    """
    named = inline(plain(encoder, qualified=True))
    entry = entry_of(encoder)
    assert entry is not None  # else it has no name
    shape, digest = encoder.shape, encoder.digest()  # which may read all weights
    if not isinstance(shape, tuple):
        raise wrong_return(encoder, "shape", shape, "a tuple of whole numbers")
    for n in shape:
        whole(encoder, "shape", n)
    if not isinstance(digest, str):
        raise wrong_return(encoder, "digest", digest, "a text")
    return EncoderIdentity(named, entry.package, entry.version, digest, shape)
