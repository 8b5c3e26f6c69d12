"""Answers as JSON."""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias

from rnnkit.captioning.serving.desk import Said
from rnnkit.captioning.serving.models import Served
from rnnkit.captioning.serving.words import Word
from rnnkit.kinds import Decoder, Plugin
from rnnkit.spec.writer import plain

Json: TypeAlias = dict[str, Any]


def of_caption(served: Served, decoder: Decoder, said: Said, n_best: int) -> Json:
    """What one model says."""
    return {
        "model": served.name,
        "caption": said.caption,
        "log_prob": finite(said.log_prob),
        "decoder": of_plugin(decoder),
        "words": [of_word(word) for word in said.words],
        "others": [
            {"caption": text, "log_prob": finite(log_prob)}
            for text, log_prob in said.others[: n_best - 1]
        ],
        "map": served.map,
        "seconds": round(said.seconds, 4),
    }


def of_word(word: Word) -> Json:
    """A word, and those that nearly were."""
    return {
        "word": word.word,
        "probability": word.probability,
        "instead": [{"word": w, "probability": p} for w, p in word.instead],
        "attention": word.attention,
    }


def of_plugin(plugin: Plugin) -> Json:
    """Its name and its options."""
    found = plain(plugin)
    return found if isinstance(found, dict) else {"use": found}


def picture(width: int, height: int) -> Json:
    """How large a picture is, upright, in pixels."""
    return {"picture": {"width": width, "height": height}}


def event(name: str, data: Json) -> bytes:
    """A server-sent event (WHATWG, "HTML", section 9.2)."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def finite(log_prob: float) -> float | None:
    """None where there is no caption: JSON has no infinity."""
    return log_prob if math.isfinite(log_prob) else None
