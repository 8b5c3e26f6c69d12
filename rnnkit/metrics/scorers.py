"""pycocoevalcap's scorers, each behind one function that prints nothing and leaves nothing behind."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from rnnkit.errors import RnnkitError

Values: TypeAlias = tuple[float, list[float]]
"""Over all captions together, and for each alone."""

Score: TypeAlias = Callable[[Sequence[str], Sequence[Sequence[str]]], Mapping[str, Values]]
"""Captions and the references of each, tokens with blanks between them -> name of a value -> values."""

_ENGLISH: Final = ("-Duser.language=en", "-Duser.country=US")

_MODELS: Final = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")


@attrs.frozen
class Scorer:
    """A metric.

    Attributes:
        title: its name in tables.
        values: the names of what it computes -> what they are called in tables.
        score: computes them.
        java: whether it runs Java.
    """

    title: str
    values: Mapping[str, str]
    score: Score
    java: bool = False


def _bleu(captions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Values]:
    from pycocoevalcap.bleu.bleu import Bleu

    overall, each = Bleu(4).compute_score(*_images(captions, references), verbose=0)
    return {f"bleu{n}": _values(*of_n) for n, of_n in enumerate(zip(overall, each, strict=True), 1)}


def _rouge_l(captions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Values]:
    from pycocoevalcap.rouge.rouge import Rouge

    return {"rouge_l": _values(*Rouge().compute_score(*_images(captions, references)))}


def _cider(captions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Values]:
    from pycocoevalcap.cider.cider import Cider

    return {"cider": _values(*Cider().compute_score(*_images(captions, references)))}


def _meteor(captions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Values]:
    from pycocoevalcap.meteor.meteor import Meteor

    with _in_english():
        started = Meteor()
    with _ended(started) as scorer:
        try:
            return {"meteor": _values(*scorer.compute_score(*_images(captions, references)))}
        except (OSError, ValueError) as e:
            scorer.meteor_p.kill()
            said = scorer.meteor_p.stderr.read().decode(errors="replace")
            raise _failed("METEOR", said) from e


@contextlib.contextmanager
def _in_english() -> Iterator[None]:
    """Have Java that is started in the block write numbers as it does in English, with a point.

    Where the system speaks German, METEOR's jar would write 0,5, which nobody reads as a number.
    """
    name = "JAVA_TOOL_OPTIONS"
    before = os.environ.get(name)
    os.environ[name] = " ".join(filter(None, [before, *_ENGLISH]))
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextlib.contextmanager
def _ended(scorer: Any) -> Iterator[Any]:
    """A Meteor, its process ended and its pipes closed afterwards, which it leaves to the garbage collector.

    After an error it also keeps its lock, for which its own destructor would then wait for ever.
    """
    try:
        yield scorer
    finally:
        if scorer.lock.locked():
            scorer.lock.release()
        process = scorer.meteor_p
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()


def _spice(captions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Values]:
    # In a process of its own, since its jar prints on whatever standard output this one has.
    with tempfile.TemporaryDirectory() as folder, _in_english():
        result = Path(folder) / "scores.json"
        ran = subprocess.run(
            [sys.executable, "-m", "rnnkit.metrics.spice", str(result)],
            input=json.dumps([captions, references]),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if ran.returncode:
            raise _failed("SPICE", ran.stderr)
        return {"spice": _values(*json.loads(result.read_text()))}


def missing_models() -> bool:
    """Whether SPICE would download what it needs."""
    found = importlib.util.find_spec("pycocoevalcap.spice")
    places = found.submodule_search_locations if found else None
    lib = Path(places[0]) / "lib" if places else None
    return lib is None or not all((lib / name).exists() for name in _MODELS)


def _images(
    captions: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """References and captions in the scorers' form: image -> texts."""
    return (
        {image: list(texts) for image, texts in enumerate(references)},
        {image: [text] for image, text in enumerate(captions)},
    )


def _values(overall: float, each: Iterable[float]) -> Values:
    return float(overall), [float(value) for value in each]


def _failed(title: str, said: str) -> RnnkitError:
    """What a jar says, in a sentence."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Picked up JAVA_TOOL_OPTIONS")]
    # The first line with an exception's name tells more than what Python or Java say at the end.
    telling = [line for line in lines if "Exception" in line or "Error" in line]
    reason = (telling or lines or ["it ended without a message"])[0]
    return RnnkitError(f"{title} could not be computed ({reason}); leave it out, or check its Java")


SCORERS: Final[Mapping[str, Scorer]] = {
    "bleu": Scorer("BLEU", {f"bleu{n}": f"BLEU-{n}" for n in range(1, 5)}, _bleu),
    "rouge_l": Scorer("ROUGE-L", {"rouge_l": "ROUGE-L"}, _rouge_l),
    "cider": Scorer("CIDEr", {"cider": "CIDEr"}, _cider),
    "meteor": Scorer("METEOR", {"meteor": "METEOR"}, _meteor, java=True),
    "spice": Scorer("SPICE", {"spice": "SPICE"}, _spice, java=True),
}

TITLES: Final[Mapping[str, str]] = {
    name: title for scorer in SCORERS.values() for name, title in scorer.values.items()
}
"""Name of a value -> what it is called in tables."""
