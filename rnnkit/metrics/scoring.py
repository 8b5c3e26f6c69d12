"""Metrics over captions and references, as they were written or cut into tokens already."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Hashable, Mapping, Sequence
from typing import Final, Generic, TypeAlias, TypeVar

import attrs

from rnnkit.errors import DataError, MissingPackage, RnnkitError
from rnnkit.metrics.scorers import SCORERS, missing_models
from rnnkit.metrics.tokenizer import tokenize
from rnnkit.registry import closest
from rnnkit.system.unicode import composed, lone_surrogate

K = TypeVar("K", bound=Hashable)

Caption: TypeAlias = str | Sequence[str]
"""A caption as it was written, or its tokens."""

METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(scorer.values) for name, scorer in SCORERS.items()
}
"""Metric -> the names of its values."""

DEFAULT: Final = ("bleu", "rouge_l", "cider")
"""The metrics that need no Java."""


@attrs.frozen
class Judged(Generic[K]):
    """Captions judged.

    Attributes:
        overall: name of a value -> over all captions together.
        each: the same for every image alone; but for BLEU and METEOR, `overall` is their mean.
    """

    overall: dict[str, float]
    each: dict[K, dict[str, float]]


def scores(
    captions: Mapping[K, Caption],
    references: Mapping[K, Sequence[Caption]],
    metrics: Sequence[str] = DEFAULT,
) -> dict[str, float]:
    """Metrics over all captions together.

    - bleu: bleu1 .. bleu4, corpus BLEU without smoothing. With p_n the share of n-grams that a reference has
      too, BLEU-N = min(1, e^(1 - r/c)) (p_1 .. p_N)^(1/N); c is the length of all captions, r that of the
      references closest to them (Papineni, Roukos, Ward & Zhu 2002).
    - rouge_l: mean F of the longest common subsequence, beta = 1.2, with the best precision and the best recall
      among the references (Lin 2004, section 3).
    - cider: CIDEr-D, 10 times the mean tf-idf cosine of 1- to 4-grams, clipped and with a penalty for other
      lengths; these references say which n-grams are rare (Vedantam, Zitnick & Parikh 2015).
    - meteor: version 1.5 (Denkowski & Lavie 2014). Needs Java.
    - spice: mean F of scene graphs (Anderson, Fernando, Johnson & Gould 2016). Needs Java and a download.

    Args:
        captions: image -> the caption to judge: a text, or a list of tokens.
        references: image -> what people wrote of it, one at least: texts with punctuation and all, or lists of
            tokens. Texts are cut into tokens by `tokenize`; tokens are compared as they are, so that all captions
            and references must be the one or the other.
        metrics: which.

    Returns:
        Name of the value -> value: 0 to 1, but for cider, which goes to 10.

    Raises:
        DataError: the images of both are not the same, there is none, or one has no reference with words; some
            captions are texts and others tokens, or a token is empty or has a blank in it.
        RnnkitError: there is no such metric, or Java, which it needs, is not there.
        MissingPackage: what computes it is not installed.
    """
    return judge(captions, references, metrics).overall


def scores_each(
    captions: Mapping[K, Caption],
    references: Mapping[K, Sequence[Caption]],
    metrics: Sequence[str] = DEFAULT,
) -> dict[K, dict[str, float]]:
    """The same for each image: image -> name of the value -> value.

    The CIDEr of an image depends on the others, whose references say how rare its words are.
    """
    return judge(captions, references, metrics).each


def judge(
    captions: Mapping[K, Caption],
    references: Mapping[K, Sequence[Caption]],
    metrics: Sequence[str] = DEFAULT,
) -> Judged[K]:
    """Both `scores` and `scores_each`."""
    check(metrics)
    judged: Judged[K] = Judged({}, {image: {} for image in captions})
    if not metrics:
        return judged
    _check_images(captions, references)
    _check_one_form(captions, references)
    # Scorers want a list for each image, and images of one kind, in one order.
    said = [_tokens(captions[image], image) for image in captions]
    wanted = [[_tokens(one, image) for one in references[image]] for image in captions]
    for image, texts in zip(captions, wanted, strict=True):
        if not any(texts):
            raise DataError(
                f"image {image!r} has no reference with words in it; write one, or leave the image out"
            )
    for metric in metrics:
        for name, (overall, each) in SCORERS[metric].score(said, wanted).items():
            judged.overall[name] = overall
            for values, value in zip(judged.each.values(), each, strict=True):
                values[name] = value
    return judged


def installed() -> bool:
    """Whether there is what computes metrics at all."""
    return importlib.util.find_spec("pycocoevalcap") is not None


def check(metrics: Sequence[str]) -> None:
    """Make sure that these metrics can be computed here, before any work goes into captions.

    Raises:
        RnnkitError: there is no such metric, or Java, which it needs, is not there.
        MissingPackage: what computes it is not installed.
    """
    if isinstance(metrics, str):
        raise RnnkitError(f"metrics are given in a list, such as [{metrics!r}], not as {metrics!r}")
    for metric in metrics:
        if metric not in SCORERS:
            raise RnnkitError(f"no metric is called {metric!r}; {closest(metric, SCORERS)}")
    if metrics and not installed():
        raise MissingPackage(
            'BLEU, ROUGE-L, CIDEr and the like need pycocoevalcap: pip install "rnnkit[eval]"'
        )
    for metric in metrics:
        title = SCORERS[metric].title
        if SCORERS[metric].java and shutil.which("java") is None:
            raise RnnkitError(
                f"{title} needs Java, and there is no program java; install Java, or leave {metric} out"
            )
    if "spice" in metrics and missing_models():
        raise RnnkitError(
            "SPICE needs Stanford CoreNLP 3.6.0, some 400 MB; get it once, over the network, with "
            "python -m pycocoevalcap.spice.get_stanford_models, or leave spice out"
        )


def _check_images(captions: Mapping[K, Caption], references: Mapping[K, Sequence[Caption]]) -> None:
    if not captions:
        raise DataError("there are no captions to score")
    for image in captions:
        if image not in references:
            raise DataError(
                f"image {image!r} has a caption, but no references; every caption needs them"
            )
        if isinstance(references[image], str):
            raise DataError(
                f"the references of image {image!r} are one text, but must be a list of them"
            )
        if not references[image]:
            raise DataError(
                f"the list of references of image {image!r} is empty; write one, or leave the image out"
            )
    for image in references:
        if image not in captions:
            raise DataError(
                f"image {image!r} has references, but no caption; write one (it may be empty), or leave "
                "the image out"
            )


def _check_one_form(
    captions: Mapping[K, Caption], references: Mapping[K, Sequence[Caption]]
) -> None:
    """Texts are put into lower case and lose their punctuation, tokens do not: the two cannot be compared."""
    first = next(iter(captions))
    texts = isinstance(captions[first], str)
    for image, caption in captions.items():
        for what, one in (("caption", caption), *(("reference", r) for r in references[image])):
            if isinstance(one, str) != texts:
                here, there = ("tokens", "a text") if texts else ("a text", "tokens")
                raise DataError(
                    f"a {what} of image {image!r} is {here}, and the caption of image {first!r} is {there}; "
                    "give all captions and references as texts, or all as lists of tokens"
                )


def _tokens(caption: Caption, image: Hashable) -> str:
    """The tokens of a caption with blanks between them, as the scorers want them."""
    tokens = tokenize(caption) if isinstance(caption, str) else caption
    for token in tokens:
        if half := lone_surrogate(token):
            raise DataError(
                f"image {image!r} has a text with the lone surrogate {half}, half of a character; write the "
                "whole character, or leave it out"
            )
        if not isinstance(caption, str) and token.split() != [token]:
            raise DataError(
                f"image {image!r} has the token {token!r}; a token is not empty and has no blanks in it"
            )
    return composed(" ".join(tokens))
