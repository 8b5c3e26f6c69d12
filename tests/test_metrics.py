"""Metrics of captions: by hand, and beside what coco-caption itself made of the same captions."""

from __future__ import annotations

import gzip
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rnnkit.errors import DataError, RnnkitError
from rnnkit.metrics import DEFAULT, METRICS, check, installed, judge, scores, scores_each, tokenize
from rnnkit.metrics.scorers import SCORERS
from rnnkit.metrics.tokenizer import join

needs_scorers = pytest.mark.skipif(
    not installed(), reason='the scorers are not installed: pip install "rnnkit[eval]"'
)


@cache
def recorded() -> dict[str, Any]:
    """What coco-caption computed; reference/make_coco_caption_reference.py recorded it, and has the keys."""
    file = Path(__file__).parent / "reference" / "coco_caption.json.gz"
    found: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return found


def of(caption: str, *references: str, metrics: Sequence[str] = DEFAULT) -> dict[str, float]:
    return scores({0: caption}, {0: references}, metrics)


@needs_scorers
def test_bleu_by_hand() -> None:
    # Papineni et al., section 2.1: "the" counts as often as in one reference, here twice among 7 words.
    the = of("the the the the the the the", "The cat is on the mat.", "There is a cat on the mat.")
    assert the["bleu1"] == pytest.approx(2 / 7)
    assert the["bleu2"] == pytest.approx(0, abs=1e-6)
    # Every n-gram is right, but the caption is 3 words long and not 5.
    short = of("a dog runs", "A dog runs fast today.")
    for n in (1, 2, 3):
        assert short[f"bleu{n}"] == pytest.approx(math.exp(1 - 5 / 3))
    # 5 of 6 words and 3 of 5 pairs are right, and the closest reference is as long.
    close = of("a red dog runs so fast", "A big dog runs so fast.", "A red car, parked.")
    assert close["bleu1"] == pytest.approx(6 / 6)
    assert close["bleu2"] == pytest.approx(math.sqrt(6 / 6 * 4 / 5))


@needs_scorers
def test_bleu_counts_over_all_captions_together() -> None:
    both = scores({"x": "a b c d", "y": "a b"}, {"x": ["a b x x"], "y": ["a b"]})
    assert both["bleu1"] == pytest.approx(4 / 6)
    assert both["bleu2"] == pytest.approx(math.sqrt(4 / 6 * 2 / 4))
    each = scores_each({"x": "a b c d", "y": "a b"}, {"x": ["a b x x"], "y": ["a b"]})
    assert each["x"]["bleu1"] == pytest.approx(2 / 4)
    assert each["y"]["bleu2"] == pytest.approx(1)


@needs_scorers
def test_rouge_l_by_hand() -> None:
    def f(precision: float, recall: float) -> float:
        return (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)

    assert of("a dog", "A big dog ran.")["rouge_l"] == pytest.approx(f(2 / 2, 2 / 4))
    # The best precision and the best recall may be of two references.
    two = of("a dog ran", "A dog.", "A very big dog just ran off.")
    assert two["rouge_l"] == pytest.approx(f(3 / 3, 2 / 2))
    assert of("dog a", "A dog.")["rouge_l"] == pytest.approx(f(1 / 2, 1 / 2))


@needs_scorers
def test_cider_by_hand() -> None:
    def cider(caption: str, reference: str) -> float:
        captions = {1: caption, 2: "blue dog"}
        return scores_each(captions, {1: [reference], 2: ["A blue dog."]}, ["cider"])[1]["cider"]

    # Cosines of 1, 1, 0 and 0 for 1- to 4-grams; every word is in one of two images.
    assert cider("red cat", "Red cat.") == pytest.approx(10 * 2 / 4)
    assert cider("red dog", "Red cat.") == pytest.approx(10 * (1 / 2) / 4)
    # A word too few: cosines of 2 of 3 words and 1 of 2 pairs, and a penalty for the length.
    shorter = 10 * (math.sqrt(2 / 3) + math.sqrt(1 / 2)) / 4 * math.exp(-1 / (2 * 6**2))
    assert cider("red cat", "Red cat sat.") == pytest.approx(shorter)
    # One image says nothing about which words are rare.
    assert of("red cat", "Red cat.")["cider"] == 0


@needs_scorers
def test_captions_are_judged_as_coco_caption_does() -> None:
    record = recorded()
    captions = dict(enumerate(record["captions"]))
    assert len(captions) == 1000
    found = judge(captions, dict(enumerate(record["references"])))
    assert found.overall == pytest.approx(
        {name: record["overall"][name] for name in found.overall}, abs=1e-9
    )
    assert list(found.overall) == ["bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider"]
    for name in found.overall:
        each = [values[name] for values in found.each.values()]
        assert each == pytest.approx(record["each"][name], abs=1e-9)


def test_tokens_are_those_of_the_penn_treebank_tokenizer() -> None:
    record = recorded()
    for text, tokens in record["texts"]:
        assert " ".join(tokenize(text)) == tokens, text


def test_tokens_of_a_thousand_captions_are_those_of_the_penn_treebank_tokenizer() -> None:
    record = recorded()
    texts = [*record["captions"], *(text for texts in record["references"] for text in texts)]
    assert len(texts) > 3000
    for text, tokens in zip(texts, record["tokens"], strict=True):
        assert " ".join(tokenize(text)) == tokens, text


def test_what_cannot_be_seen_is_no_token() -> None:
    assert tokenize("u\u0308ber \u00dcBER") == ["\u00fcber", "\u00fcber"]
    assert tokenize("\ufeffa\u202a do\u00adg\u200f \x07\u2066") == ["a", "dog"]


@needs_scorers
def test_texts_in_both_spellings_of_unicode_score_the_same() -> None:
    said, wanted = {1: "u\u0308ber die Bru\u0308cke"}, {1: ["\u00fcber die Br\u00fccke"]}
    assert scores(said, wanted, ["bleu"])["bleu1"] == pytest.approx(1)
    cut = scores({1: said[1].split()}, {1: [wanted[1][0].split()]}, ["bleu"])
    assert cut["bleu1"] == pytest.approx(1)
    with pytest.raises(DataError, match=r"image 1 has a text with the lone surrogate \\ud83d"):
        scores({1: "a \ud83d"}, {1: ["a"]}, ["bleu"])


def test_tokens_are_joined_into_a_text_that_has_them() -> None:
    for text, _ in recorded()["texts"]:
        assert tokenize(join(tokenize(text))) == tokenize(text)
    assert join(["it", "does", "n't"]) == "it doesn't"
    assert join(["the", "dog", "'s", "-lrb-", "red", "-rrb-", "hat"]) == "the dog's (red) hat"
    assert join(["j'", "ai", "gon", "na"]) == "j'ai gonna"
    assert join(["'s", "n't"]) == "'s n't"


@needs_scorers
def test_tokens_are_scored_as_they_are() -> None:
    # All n-grams are in the reference, which is a third longer: BLEU-N = e^(1 - 4/3).
    bleu = scores({1: ["a", "Dog.", "ran"]}, {1: [["a", "Dog.", "ran", "off"]]}, ["bleu"])
    assert [bleu[f"bleu{n}"] for n in (1, 2, 3)] == pytest.approx([math.exp(-1 / 3)] * 3)
    assert scores({1: ["Dog."]}, {1: [["dog"]]}, ["rouge_l"])["rouge_l"] == 0.0
    assert scores({1: "Dog."}, {1: ["dog"]}, ["rouge_l"])["rouge_l"] == 1.0


def test_tokens_of_texts_score_as_the_texts() -> None:
    captions = {1: "A dog's running.", 2: "the red ball"}
    references = {1: ["The dog is running!", "a dog, running"], 2: ["a red ball", "balls"]}
    assert scores(
        {image: tokenize(text) for image, text in captions.items()},
        {image: [tokenize(text) for text in texts] for image, texts in references.items()},
    ) == scores(captions, references)


@pytest.mark.parametrize(
    ("captions", "references", "said"),
    [
        (
            {1: ["a", "dog"]},
            {1: ["a dog"]},
            "a reference of image 1 is a text, and the caption of image 1 is tokens; give all captions and "
            "references as texts, or all as lists of tokens",
        ),
        (
            {1: "a dog", 2: ["a", "cat"]},
            {1: ["a dog"], 2: [["a", "cat"]]},
            "a caption of image 2 is tokens, and the caption of image 1 is a text; give all captions and "
            "references as texts, or all as lists of tokens",
        ),
        (
            {1: ["a dog"]},
            {1: [["a", "dog"]]},
            "image 1 has the token 'a dog'; a token is not empty and has no blanks in it",
        ),
    ],
)
def test_texts_and_tokens_are_not_compared(
    captions: Mapping[int, str | list[str]],
    references: Mapping[int, list[str | list[str]]],
    said: str,
) -> None:
    with pytest.raises(DataError) as error:
        scores(captions, references)
    assert str(error.value) == said


def test_an_empty_caption_is_worth_nothing() -> None:
    found = scores({1: "", 2: "a dog"}, {1: ["A cat."], 2: ["A dog."]})
    assert found["bleu1"] == pytest.approx(math.exp(1 - 4 / 2))
    each = scores_each({1: "...", 2: "a dog"}, {1: ["A cat."], 2: ["A dog."]})
    assert each[1] == pytest.approx(dict.fromkeys(each[1], 0), abs=1e-9)


@needs_scorers
def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    of("a dog", "A dog.")
    assert capfd.readouterr() == ("", "")


@needs_scorers
@pytest.mark.parametrize(
    ("captions", "references", "text"),
    [
        ({}, {}, "there are no captions to score"),
        ({"x": "a"}, {}, "image 'x' has a caption, but no references"),
        ({1: "a"}, {"1": ["a"]}, "image 1 has a caption, but no references"),
        ({}, {1: ["a"]}, "there are no captions to score"),
        ({1: "a"}, {1: ["a"], 2: ["b"]}, "image 2 has references, but no caption"),
        ({1: "a"}, {1: []}, "the list of references of image 1 is empty"),
        ({1: "a"}, {1: "a"}, "the references of image 1 are one text"),
        ({1: "a"}, {1: ["", ". - ..."]}, "image 1 has no reference with words in it"),
    ],
)
def test_images_that_do_not_match_are_told(
    captions: Mapping[int | str, str], references: Mapping[int | str, Sequence[str]], text: str
) -> None:
    with pytest.raises(DataError, match=text):
        scores(captions, references)


@needs_scorers
def test_metrics_are_what_is_asked_for() -> None:
    assert [*of("a", "a", metrics=["cider", "bleu"])] == ["cider", *METRICS["bleu"]]
    assert of("a", "a", metrics=[]) == {}
    with pytest.raises(RnnkitError, match=r"no metric is called 'cidre'; did you mean 'cider'\?"):
        of("a", "a", metrics=["cidre"])


def test_what_is_missing_is_told_with_a_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pycocoevalcap", None)
        with pytest.raises(RnnkitError, match=r'pip install "rnnkit\[eval\]"'):
            check(["bleu"])
        check([])
    monkeypatch.setattr("rnnkit.metrics.scoring.installed", lambda: True)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RnnkitError, match="METEOR needs Java, and there is no program java"):
        check(["bleu", "meteor"])
    monkeypatch.setattr(shutil, "which", lambda _: "java")
    monkeypatch.setattr("rnnkit.metrics.scoring.missing_models", lambda: True)
    with pytest.raises(RnnkitError, match=r"SPICE needs Stanford CoreNLP 3\.6\.0, some 400 MB"):
        check(["spice"])


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a program called java, in Python, before all others."""

    def put(program: str) -> Path:
        file = tmp_path / "java"
        file.write_text(f"#!{sys.executable}\n{program}")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return file

    return put


METEOR = """
import sys
for line in sys.stdin:
    command, *parts = line.rstrip("\\n").split(" ||| ")
    if command == "SCORE":
        print(len(parts) - 1, len(parts[-1].split()))
    else:
        for part in parts:
            print(int(part.split()[1]) / 10)
        print(len(parts))
    sys.stdout.flush()
"""


@needs_scorers
def test_meteor_is_what_its_jar_says(java: Callable[[str], Path]) -> None:
    java(METEOR)
    judged = judge({1: "a dog's", 2: ""}, {1: ["A dog.", "Dogs"], 2: ["A cat."]}, ["meteor"])
    assert judged.overall == {"meteor": 2.0}
    assert judged.each == {1: {"meteor": 0.3}, 2: {"meteor": 0.0}}


@needs_scorers
def test_meteor_writes_numbers_in_english_wherever_it_runs(
    java: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Duser.language=de -Xms64m")
    told = "-Duser.language=de -Xms64m -Duser.language=en -Duser.country=US"  # the last one holds
    java(f"import os; assert os.environ['JAVA_TOOL_OPTIONS'] == {told!r}\n{METEOR}")
    judged = judge({1: "a dog's", 2: ""}, {1: ["A dog.", "Dogs"], 2: ["A cat."]}, ["meteor"])
    assert judged.overall == {"meteor": 2.0}
    assert os.environ["JAVA_TOOL_OPTIONS"] == "-Duser.language=de -Xms64m"


@needs_scorers
def test_a_java_that_fails_is_one_sentence(java: Callable[[str], Path]) -> None:
    java("import sys; sys.exit('Error occurred during initialization of VM: no memory')")
    with pytest.raises(
        RnnkitError, match=r"METEOR could not be computed \(Error occurred .* memory\)"
    ):
        of("a dog", "A dog.", metrics=["meteor"])


SPICE = """
class Spice:
    def compute_score(self, references, captions):
        print("what SPICE's jar has to say")
        assert captions == {0: ["a dog 's"], 1: ["b"]} and references[0] == ["a dog runs", "a cat"]
        if FAILS:
            raise RuntimeError("java.lang.reflect.InaccessibleObjectException")
        return 0.25, [{"All": {"f": 0.5}}, {"All": {"f": 0.0}}]
"""


@pytest.mark.parametrize("fails", [False, True])
def test_spice_runs_apart(
    fails: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "pycocoevalcap" / "spice").mkdir(parents=True)
    stand_in = SPICE.replace("FAILS", str(fails))
    (tmp_path / "pycocoevalcap" / "spice" / "spice.py").write_text(stand_in)
    (tmp_path / "pycocoevalcap" / "spice" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    score = SCORERS["spice"].score
    images = ["a dog 's", "b"], [["a dog runs", "a cat"], ["b"]]
    if fails:
        with pytest.raises(RnnkitError, match=r"SPICE could not be computed .*Inaccessible"):
            score(*images)
    else:
        assert score(*images) == {"spice": (0.25, [0.5, 0.0])}
    assert capfd.readouterr() == ("", "")


@needs_scorers
def test_flickr8k_is_judged_as_coco_caption_does(real_data: Path) -> None:
    content = json.loads((real_data / "flickr8k" / "captions_val.json").read_text())
    texts: dict[int, list[str]] = {image["id"]: [] for image in content["images"]}
    for one in content["annotations"]:
        texts[one["image_id"]].append(one["caption"])
    # One human against the other four; by PTBTokenizer and the scorers of pycocoevalcap, as in the script.
    found = scores(
        {image: said[0] for image, said in texts.items()},
        {image: said[1:] for image, said in texts.items()},
    )
    assert len(texts) == 1000
    assert found == pytest.approx(
        {
            "bleu1": 0.6275129488191882,
            "bleu2": 0.44342979576264063,
            "bleu3": 0.30708129327795985,
            "bleu4": 0.21160098501492874,
            "rouge_l": 0.49173408652537204,
            "cider": 0.8036617887303764,
        },
        abs=1e-9,
    )
