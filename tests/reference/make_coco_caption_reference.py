"""Records what coco-caption makes of captions, for tests to compare with: writes coco_caption.json.gz beside this
file. Needs Java.

    pip install pycocoevalcap==1.2
    python tests/reference/make_coco_caption_reference.py

    texts          [text, tokens]: what Stanford's PTBTokenizer, with the options and the list of punctuation of
                   coco-caption, makes of captions that are hard to tokenize
    captions       1,000 captions to judge, raw: sentences of the scenes' grammar with words changed
    references     1 to 5 for each, raw: the same, with punctuation, capitals and hard words between theirs
    tokens         those of captions, then of all references
    overall, each  Bleu_1 .. Bleu_4, ROUGE_L, CIDEr, METEOR of the tokens above, by pycocoevalcap
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from rnnkit.data.scenes.grammar import choose_captions
from rnnkit.data.scenes.world import random_scenes, split_combinations

IMAGES = 1000
HERE = Path(__file__).parent


def java_tokens(texts: Sequence[str]) -> list[str]:
    """The tokens of each text, with blanks between them."""
    # A line of its own before every text: the Java program looks ahead, over the end of the line.
    spaced = {i: [{"caption": "."}, {"caption": text}] for i, text in enumerate(texts)}
    found = PTBTokenizer().tokenize({**spaced, len(texts): [{"caption": "."}]})
    return [found[i][1] for i in range(len(texts))]


def noisy(caption: str, hard: Sequence[str], rng: np.random.Generator) -> str:
    """What somebody else might have typed."""
    words = caption.split()
    for _ in range(rng.integers(0, 3)):
        words.insert(rng.integers(len(words) + 1), str(rng.choice(hard)))
    for i in range(len(words)):
        if rng.random() < 0.05:
            words[i] += str(rng.choice([",", ";", ":", "'s", "!", "-", "..."]))
        if rng.random() < 0.03:
            words[i] = words[i].capitalize()
    text = " ".join(words)
    if rng.random() < 0.6:
        text = text[0].upper() + text[1:]
    return text + str(rng.choice([".", ".", ".", "", " .", "!", "?", "...", ".  "]))


def changed(caption: str, rng: np.random.Generator) -> str:
    """The caption with some words left out, said twice, or in another place."""
    words = caption.split()
    for _ in range(rng.integers(0, 4)):
        i, j = rng.integers(len(words), size=2)
        match rng.integers(3):
            case 0 if len(words) > 1:
                del words[i]
            case 1:
                words.insert(j, words[i])
            case _:
                words[i], words[j] = words[j], words[i]
    return " ".join(words)


def judged(captions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
    res = {image: [text] for image, text in enumerate(captions)}
    gts = {image: list(texts) for image, texts in enumerate(references)}
    overall: dict[str, float] = {}
    each: dict[str, list[float]] = {}
    values, of_images = Bleu(4).compute_score(gts, res, verbose=0)
    for n in range(4):
        overall[f"bleu{n + 1}"], each[f"bleu{n + 1}"] = values[n], of_images[n]
    for name, scorer in (("rouge_l", Rouge()), ("cider", Cider()), ("meteor", Meteor())):
        value, of_image = scorer.compute_score(gts, res)
        overall[name], each[name] = float(value), [float(v) for v in of_image]
    return {"overall": overall, "each": each}


def main() -> None:
    hard = (HERE / "hard_captions.txt").read_text(encoding="utf-8").splitlines()
    rng = np.random.default_rng(231)
    combinations, _ = split_combinations(rng, 0.1)
    captions, references = [], []
    for scene in random_scenes(IMAGES, combinations, 0.08, rng):
        said = choose_captions(scene, rng)
        captions.append(changed(str(rng.choice(said)), rng))
        references.append([noisy(text, hard, rng) for text in said[: rng.integers(1, 6)]])
    captions[:3] = ["", "There's a small, red circle...", "?!"]
    flat = [text for texts in references for text in texts]
    tokens = java_tokens([*captions, *flat])
    left = iter(tokens[IMAGES:])
    record = {
        "texts": [*zip(hard, java_tokens(hard), strict=True)],
        "captions": captions,
        "references": references,
        "tokens": tokens,
        **judged(tokens[:IMAGES], [[next(left) for _ in texts] for texts in references]),
    }
    text = json.dumps(record, ensure_ascii=False).encode()
    (HERE / "coco_caption.json.gz").write_bytes(gzip.compress(text, 9, mtime=0))


if __name__ == "__main__":
    main()
