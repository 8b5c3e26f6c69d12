"""Built-in rewards are what the published scorers make of the same captions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnnkit
from rnnkit.data.references import read_references
from rnnkit.kinds import Array, Reward, Words
from rnnkit.metrics import installed, judge, tokenize
from rnnkit_builtin.rewards.bleu import Bleu
from rnnkit_builtin.rewards.cider_d import CiderD
from rnnkit_builtin.rewards.rouge_l import RougeL, common
from rnnkit_builtin.rewards.sum import Sum

SHARED = Path(__file__).parents[2] / "shared" / "data"

PUBLISHED: list[tuple[Reward, str]] = [
    (CiderD(), "cider"),
    (RougeL(), "rouge_l"),
    *((Bleu(order=n), f"bleu{n}") for n in range(1, 5)),
]


def worth(reward: Reward, captions: list[Words], references: list[list[Words]]) -> Array:
    return reward.judge(references)(captions, np.arange(len(captions)))


@pytest.mark.parametrize(("reward", "metric"), PUBLISHED, ids=[name for _, name in PUBLISHED])
def test_rewards_are_what_coco_caption_recorded(reward: Reward, metric: str) -> None:
    file = Path(__file__).parent / "reference" / "coco_caption.json.gz"
    record: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))

    def words(text: str) -> Words:
        # The published scorers cut texts at blanks, but for ROUGE-L also within a token: "1 1/2" has one of its own.
        tokens = tokenize(text)
        return tokens if metric == "rouge_l" else " ".join(tokens).split()

    captions: list[Words] = [words(text) for text in record["captions"]]
    references: list[list[Words]] = [[*map(words, of)] for of in record["references"]]
    found = worth(reward, captions, references)
    np.testing.assert_allclose(found, record["each"][metric], rtol=0, atol=1e-9)


@pytest.mark.skipif(not installed(), reason='needs pip install "rnnkit[eval]"')
@pytest.mark.parametrize(
    "name", [pytest.param("flickr8k", marks=pytest.mark.heavy), "coco_mini_cs231n"]
)
def test_rewards_of_what_people_wrote_are_what_pycocoevalcap_makes_of_it(name: str) -> None:
    """Each caption of val beside the others of its image."""
    if not (SHARED / name).exists():
        pytest.skip(f"there is no {SHARED / name}")
    with rnnkit.open_data(SHARED / name) as data:
        written = read_references(data, "val").captions
    texts: list[list[Words]] = [[*map(tokenize, of_image)] for of_image in written]
    for k in range(min(map(len, texts))):
        captions = [of_image[k] for of_image in texts]
        others = [[*of_image[:k], *of_image[k + 1 :]] for of_image in texts]
        each = judge(dict(enumerate(captions)), dict(enumerate(others))).each
        for reward, metric in PUBLISHED:
            wanted = [each[i][metric] for i in range(len(captions))]
            found = worth(reward, captions, others)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-8, err_msg=metric)


def test_how_rare_words_are_is_counted_over_all_images_and_not_over_those_judged() -> None:
    references: list[list[Words]] = [[["red", "cat"]], [["blue", "dog"]], [["red", "dog"]]]
    judged = CiderD().judge(references)
    alone = judged([["red", "cat"]], np.array([0]))
    assert alone == judged([["dog"], ["red", "cat"]], np.array([1, 0]))[1:]
    # The cosines of both words and of the pair are 1; there are no longer n-grams.
    assert alone == pytest.approx(10 * 2 / 4)
    weights = np.log(3 / np.array([2, 1]))  # of red, which two images have, and of cat
    likeness = weights[0] ** 2 / (np.linalg.norm(weights) * weights[0])
    shorter = np.exp(-1 / (2 * 6**2))
    assert judged([["red"]], np.array([0])) == pytest.approx(10 * likeness * shorter / 4)


def test_a_caption_without_words_or_with_new_ones_is_worth_next_to_nothing() -> None:
    references: list[list[Words]] = [[["a", "red", "cat"], ["a", "cat"]], [["a", "dog"]]]
    for reward, _ in PUBLISHED:
        assert worth(reward, [[], ["zebra"] * 3], references) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("a", "b", "length"),
    [("a b c", "a x b y c", 3), ("a b", "b a", 1), ("", "a", 0), ("a a b a", "b a a", 2)],
)
def test_common_subsequences(a: str, b: str, length: int) -> None:
    assert common(a.split(), b.split()) == common(b.split(), a.split()) == length


def test_a_sum_weighs_its_rewards() -> None:
    references: list[list[Words]] = [[["a", "red", "cat"], ["a", "cat"]], [["a", "dog"]]]
    captions: list[Words] = [["a", "cat"], ["red", "dog"]]
    both = Sum((CiderD(), RougeL()), (0.5, -2.0))
    parts = [worth(reward, captions, references) for reward in both.of]
    np.testing.assert_allclose(
        worth(both, captions, references), 0.5 * parts[0] - 2.0 * parts[1], rtol=1e-15
    )
    np.testing.assert_allclose(
        worth(Sum(both.of), captions, references), parts[0] + parts[1], rtol=1e-15
    )
    with pytest.raises(ValueError, match="there are 1 weights for 2 rewards"):
        Sum((CiderD(), RougeL()), (1.0,))
