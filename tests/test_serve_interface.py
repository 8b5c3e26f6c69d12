"""The interface of `rnnkit serve` for programs is as it is described, and tells what is asked wrongly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import jsonschema
import pytest
from openapi_spec_validator import validate

from tests.servers import Place, serving


@pytest.fixture(scope="module")
def place(small_run: Path) -> Iterator[Place]:
    with serving([small_run]) as found:
        yield found


@pytest.fixture(scope="module")
def photo(tiny_data: Path) -> bytes:
    return (tiny_data / "images" / "val" / "00000.png").read_bytes()


def test_the_description_is_openapi_and_answers_are_as_it_says(place: Place, photo: bytes) -> None:
    document = place.ask("/openapi.json").json
    validate(document)
    schemas = document["components"]["schemas"]
    answers = {
        "About": place.ask("/model"),
        "Health": place.ask("/health"),
        "Answer": place.ask("/caption?decoder=beam&n_best=3", photo),
        "Error": place.ask("/caption", b"x", "text/plain"),
    }
    for name, answer in answers.items():
        whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
        jsonschema.Draft202012Validator(whole).validate(answer.json)
    assert answers["Health"].json["status"] == "ok"
    paths = set(document["paths"]) - {"/samples/{model}/{number}"}
    assert paths == {"/caption", "/model", "/health"}


def test_decoders_are_told_with_their_options(place: Place) -> None:
    decoders = {d["name"]: d for d in place.ask("/model").json["decoders"]}
    assert {"beam", "greedy", "sample"} <= set(decoders)
    options = {o["name"]: o for o in decoders["beam"]["options"]}
    assert (options["width"]["type"], options["width"]["default"]) == ("integer", 3)
    assert (options["width"]["minimum"], options["width"]["maximum"]) == (1, 100)
    top_p = next(o for o in decoders["sample"]["options"] if o["name"] == "top_p")
    assert (top_p["minimum"], top_p["above"], top_p["maximum"]) == (0.0, True, 1.0)
    for decoder in decoders.values():
        for said_of in (decoder, *decoder["options"]):
            assert re.fullmatch(r"[A-Z].*\.", said_of["help"])


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("model=none", "no model is called 'none'"),
        ("decoder=bem", "did you mean 'beam'?"),
        ("decoder={use='beam',width=101}", "decoder.width is 101, and 100 is the most here"),
        ("n_best=0", "n_best is a whole number from 1 to 100"),
        ("nbest=2", "did you mean 'n_best'?"),
        ("sample=1", "and not both"),
        (
            urlencode({"decoder": "{ a = " + "[" * 900}),
            "more than 50 tables or arrays are in each other",
        ),
        (urlencode({"decoder": "x" * 1001}), "more than 1,000 characters"),
    ],
)
def test_what_is_asked_wrongly_is_answered_in_a_sentence(
    place: Place, photo: bytes, query: str, sentence: str
) -> None:
    answer = place.ask(f"/caption?{query}", photo)
    assert answer.status == 400
    assert sentence in answer.json["error"]
