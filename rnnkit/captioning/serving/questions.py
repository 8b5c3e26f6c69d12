"""What a request asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs
from starlette.exceptions import HTTPException
from starlette.requests import Request

from rnnkit.captioning.decoders import decoder_of
from rnnkit.captioning.serving.bodies import Body
from rnnkit.captioning.serving.limits import MOST_OF_AN_OPTION
from rnnkit.captioning.serving.models import Served
from rnnkit.errors import RnnkitError, closest, quoted
from rnnkit.kinds import Decoder
from rnnkit.registry.options import option_types
from rnnkit.spec.writer import inline

FORM: Final = "multipart/form-data"
RAW: Final = "application/octet-stream"

FIELDS: Final = ("model", "decoder", "n_best", "sample")

MOST_TEXT: Final = 1000
"""Characters of a decoder."""

Fields: TypeAlias = Sequence[tuple[str, str]]


@attrs.frozen(eq=False)
class Question:
    """A photo to be captioned, and how.

    Attributes:
        photo: the bytes of a file, or the path of a sample.
        name: what errors call it.
        models: each with its decoder.
        n_best: captions of each at most.
    """

    photo: bytes | Path
    name: str
    models: tuple[tuple[Served, Decoder], ...]
    n_best: int


async def read_question(request: Request, body: Body, models: Mapping[str, Served]) -> Question:
    """Take a request apart.

    Raises:
        HTTPException: it asks for nothing that there is.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    fields, photo = request.query_params.multi_items(), b""
    if kind == FORM:
        form = await body.form()
        fields, photo = [*fields, *form.fields], form.photo
    elif kind.startswith("image/") or kind == RAW:
        photo = await body.whole()
    elif kind or await body.whole():
        raise HTTPException(
            415,
            f"a photo comes as {FORM}, in the field photo, or as it is, as image/jpeg or the like or "
            f"{RAW}; this is {quoted(kind) if kind else 'of no type'}",
        )
    return question_of(photo, fields, models)


def question_of(photo: bytes, fields: Fields, models: Mapping[str, Served]) -> Question:
    """The question that fields and the bytes of a photo make.

    Args:
        photo: empty if there is none.
        fields: `model`, any number of times; `decoder`, with options of its own as `beam.width`; `n_best`; `sample`.
        models: that there are.

    Raises:
        HTTPException: 400.
    """
    for name, _ in fields:
        if name not in FIELDS and "." not in name:
            raise HTTPException(400, f"no field is called {name!r}; {closest(name, FIELDS)}")
    one = {name: value for name, value in fields if value}
    named = [value for name, value in fields if name == "model" and value] or list(models)
    for name in named:
        if name not in models:
            raise HTTPException(400, f"no model is called {name!r}; {closest(name, models)}")
    served = [models[name] for name in dict.fromkeys(named)]
    text = _decoder_text(one)
    n_best = _number("n_best", one.get("n_best", "1"), 1, MOST_OF_AN_OPTION)
    place, name = _photo_or_sample(photo, one.get("sample"), served[0])
    decoders = [(each, _decoder(each, text)) for each in served]
    return Question(place, name, tuple(decoders), n_best)


def _photo_or_sample(photo: bytes, sample: str | None, served: Served) -> tuple[bytes | Path, str]:
    if photo and sample is None:
        return photo, "the photo"
    if photo or sample is None:
        raise HTTPException(
            400, "there is no photo: send one, or the number of a sample, and not both"
        )
    if not served.samples:
        raise HTTPException(400, f"{served.name} has no samples: its data folder has no pictures")
    number = _number("sample", sample, 0, len(served.samples) - 1)
    return served.samples[number], f"sample {number}"


def _number(name: str, text: str, least: int, most: int) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most:
        return int(text)
    raise HTTPException(
        400, f"{name} is a whole number from {least} to {most:,}, not {quoted(text)}"
    )


def _decoder_text(one: Mapping[str, str]) -> str | None:
    """A decoder as `rnnkit caption --decoder` has it; a table may be JSON, and options may be fields of a form."""
    text = one.get("decoder")
    if text is None:
        return None
    if len(text) > MOST_TEXT:
        raise HTTPException(400, f"decoder has more than {MOST_TEXT:,} characters")
    if text.startswith("{"):
        try:
            table = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return inline({key: value for key, value in table.items() if value is not None})
    options = {k.partition(".")[2]: v for k, v in one.items() if k.startswith(f"{text}.")}
    if not options:
        return text
    return (
        f"{{ use = {inline(text)}, {', '.join(f'{inline(k)} = {v}' for k, v in options.items())} }}"
    )


def _decoder(served: Served, text: str | None) -> Decoder:
    try:
        decoder = decoder_of(served.model, text)
    except RecursionError as error:
        raise HTTPException(
            400, "decoder has more tables in each other than can be read"
        ) from error
    except RnnkitError as error:
        raise HTTPException(400, str(error)) from error
    if decoder != served.model.spec.caption.decoder:
        for name in option_types(type(decoder)):
            value = getattr(decoder, name)
            if isinstance(value, int) and value > MOST_OF_AN_OPTION:
                raise HTTPException(
                    400,
                    f"decoder.{name} is {value:,}, and {MOST_OF_AN_OPTION} is the most here",
                )
    return decoder
