"""A captioner as one file of ONNX, or two, which ONNX Runtime has been seen to run as rnnkit does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from rnnkit.captioning.exporting.search import Search, search_of
from rnnkit.errors import MissingPackage, RegistryError
from rnnkit.kinds import Array, InOnnx
from rnnkit.network.model import Captioner
from rnnkit.registry.labels import label
from rnnkit.system.files import write_whole


@attrs.frozen
class Exported:
    """What came of an export.

    Attributes:
        files: that were written.
        takes: what the image comes as, such as "features (N, 512)".
        search: how words are searched for; None for parts.
        images: how many were compared.
        difference: the largest between ONNX Runtime and rnnkit, of a log probability or of what is remembered.
    """

    files: tuple[Path, ...]
    takes: str
    search: Search | None
    images: int
    difference: float

    def __str__(self) -> str:
        names = " and ".join(map(str, self.files))
        gives = f" -> captions, by {label(self.search.decoder)}" if self.search else ""
        return (
            f"wrote {names}: {self.takes}{gives}\n"
            f"compared with ONNX Runtime on {self.images} images: largest difference {self.difference:.1e}"
        )


def export_onnx(
    model: Captioner,
    out: Path,
    *,
    beam: int | None = None,
    length_penalty: float | None = None,
    encoder: bool = True,
    parts: bool = False,
    features: Array | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write a captioner as a file of ONNX: images (N, ..) -> captions, the search for words in it.

    All plugins are traced, third parties' too. All arithmetic is float32. The file is written when ONNX Runtime has
    computed the same as rnnkit: for random images, and those whose features are given.

    Args:
        model: the network.
        out: the file; with `parts`, a folder for `begin.onnx` and `step.onnx`.
        beam: the width of a beam; greedy if left open.
        length_penalty: of the beam; that of the spec's beam if left open.
        encoder: whether to put the model's encoder into the file, where it is a network in ONNX.
        parts: what comes before the first word, and one step, for a search of your own.
        features: (n, F) of images to compare, too.
        note: called with a sentence if the encoder is left out that was wanted, or the spec searches otherwise.

    Raises:
        TraceError: a plugin cannot be traced; with its line, and what to write instead.
        DataError: options do not fit each other, the encoder cannot be put into the file, or ONNX Runtime does not
            compute the same; with the place.
        RegistryError: the model's encoder is not installed here.
        CheckpointError: the file cannot be written.
        MissingPackage: onnx or ONNX Runtime is not installed.
    """
    search = search_of(model.spec, beam, length_penalty)
    try:
        from rnnkit.captioning.exporting.onnx.making import make
    except ImportError as e:
        raise MissingPackage(f'{out} needs onnx: pip install "rnnkit[onnx]"') from e
    chosen = None if parts else search
    if chosen is not None:
        _tell_of_another(model, chosen, note)
    made = make(model, chosen, _encoder(model, note) if encoder else None, features)
    names = (out / "begin.onnx", out / "step.onnx") if parts else (out,)
    for name, file in zip(names, made.files, strict=True):
        _write(name, file.SerializeToString())
    return Exported(names, made.takes, chosen, made.images, made.difference)


def _encoder(model: Captioner, note: Callable[[str], None]) -> InOnnx | None:
    """The model's encoder, if it is a network in ONNX."""
    pipeline = model.pipeline
    if pipeline is None:
        return None
    try:
        found = pipeline.encoder.in_onnx()
    except RegistryError as e:
        raise RegistryError(f"{e}; or export without it: --no-encoder") from e
    if found is None:
        note(
            f"the encoder {pipeline.identity} is no network in ONNX: the file takes features, which another program "
            "must make"
        )
    return found


def _tell_of_another(model: Captioner, search: Search, note: Callable[[str], None]) -> None:
    own, chosen = label(model.spec.caption.decoder), label(search.decoder)
    if own != chosen:
        width = getattr(model.spec.caption.decoder, "width", None)
        mend = f"; --beam {width} is for the spec's" if search.width is None and width else ""
        note(f"the spec captions by {own}, and the file by {chosen}{mend}")


def _write(name: Path, data: bytes) -> None:
    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_whole(name, write)
