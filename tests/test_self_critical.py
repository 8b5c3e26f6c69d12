"""Self-critical training: the gradient of the expected reward, where every caption can be counted, and how it is drawn."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from rnnkit.data import Vocabulary
from rnnkit.kinds import Array, Ints
from rnnkit.network.builder import assemble
from rnnkit.network.lots import Lot
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes
from rnnkit.spec import Spec, parse_spec
from rnnkit.spec.schema import RewardTable
from rnnkit.training.drawing import DrawingLoss
from rnnkit.training.self_critical import Batch, SelfCritical, speller

F = 3
TINY = """
[model]
dtype = "float64"
words = { use = "embedding", dim = 4 }
[[model.rnn]]
hidden = 5
cell = "gru"
[train]
metric = "cider"
[train.reward]
cross_entropy = 0.0
[caption]
length = 2
"""
"""A network whose captions have at most two words."""

WORDS = ("a", "b", "c")
VOCABULARY = Vocabulary.from_words(["<NULL>", "<START>", "<END>", "<UNK>", *WORDS])
CAPTIONS = [
    [2],
    *([w, 2] for w in (4, 5, 6)),
    *([v, w] for v, w in itertools.product((4, 5, 6), repeat=2)),
]
"""Every caption that there is: with nothing in it, with a word, and with two, after which the limit comes."""


@pytest.fixture(params=[1.0, 0.6], ids=["temperature 1", "temperature .6"])
def model(request: pytest.FixtureRequest) -> Captioner:
    """With parameters large enough to have favourites, and a temperature to draw at."""
    spec = parse_spec(TINY, overrides=[f"train.reward.temperature={request.param}"])
    made = assemble(spec, Sizes(F, VOCABULARY, 5))
    rng = np.random.default_rng(3)
    return made.with_parameters(
        {name: w + 0.8 * rng.standard_normal(w.shape) for name, w in made.parameters.items()}
    )


def table(spec: Spec) -> RewardTable:
    assert spec.train.reward is not None
    return spec.train.reward


def rewards() -> Array:
    """Of each of all captions."""
    return np.random.default_rng(4).standard_normal(len(CAPTIONS))


def rows(captions: list[list[int]]) -> Ints:
    return np.array([[1, *caption, *[0] * (2 - len(caption))] for caption in captions])


def log_probs(model: Any, features: Array) -> Any:
    """Of each of all captions: what they are drawn by, from the scores of the network alone."""
    given = rows(CAPTIONS)
    scores = model.scores(np.repeat(features, len(given), axis=0), given)
    left = scores[:, :, [2, 4, 5, 6]] / table(model.spec).temperature
    logs = left - np.log(np.exp(left).sum(axis=2, keepdims=True))
    place = {2: 0, 4: 1, 5: 2, 6: 3}
    return np.array(
        [
            sum(logs[i, t, place[w]] for t, w in enumerate(caption))
            for i, caption in enumerate(CAPTIONS)
        ]
    )


def exact(model: Captioner, features: Array) -> tuple[dict[str, Array], dict[str, float]]:
    """A direction for each parameter, and the slope of the expected reward along it, by complex steps."""
    rng = np.random.default_rng(5)
    directions: dict[str, Array] = {
        name: rng.standard_normal(w.shape) for name, w in model.parameters.items()
    }
    slopes: dict[str, float] = {}
    for name in directions:
        moved = {k: a.astype(complex) for k, a in model.parameters.items()}
        moved[name] += 1e-30j * directions[name]
        stepped: Any = model.with_parameters(moved)
        expected = sum(
            (np.exp(log_probs(stepped, features[[i]])) * rewards()).sum()
            for i in range(len(features))
        )
        slopes[name] = expected.imag / 1e-30 / len(features)
    return directions, slopes


def test_the_probabilities_of_all_captions_sum_up_to_1(model: Captioner) -> None:
    features = np.random.default_rng(1).standard_normal((1, F))
    probabilities = np.exp(log_probs(model, features))
    assert probabilities.sum() == pytest.approx(1, rel=1e-13)
    assert probabilities.max() > 2 * probabilities.min()


def test_all_captions_by_their_probability_give_the_exact_gradient(model: Captioner) -> None:
    features = np.random.default_rng(1).standard_normal((2, F))
    directions, slopes = exact(model, features)
    probabilities = np.concatenate([np.exp(log_probs(model, features[[i]])) for i in range(2)])
    baseline = 0.3  # any, as the probabilities of captions always sum up to 1
    lot = Lot(
        np.repeat(features, len(CAPTIONS), axis=0),
        rows(CAPTIONS * 2),
        DrawingLoss(tuple(model.banned), table(model.spec).temperature),
        1 / 2,
        probabilities * (np.tile(rewards(), 2) - baseline),
    )
    _, gradients = model.evaluate_lots([lot])
    for name, gradient in gradients.items():
        found = -np.sum(gradient * directions[name])
        assert found == pytest.approx(slopes[name], rel=1e-12, abs=1e-14), name


def test_drawn_captions_give_the_exact_gradient_within_the_standard_error(
    model: Captioner,
) -> None:
    """20,000 samples, five for each of 4,000 images that are alike."""
    images, features = 4_000, np.random.default_rng(1).standard_normal((1, F))
    directions, slopes = exact(model, features)
    of = {tuple(caption): r for caption, r in zip(CAPTIONS, rewards(), strict=True)}
    spelled = {word: token for token, word in enumerate(VOCABULARY.words)}
    critic = SelfCritical(
        table(model.spec),
        lambda captions, _: np.array([of[tuple(spelled[w] for w in c)] for c in captions]),
        speller(VOCABULARY),
    )
    batch = Batch(
        np.tile([[1, 4, 2]], (images, 1)),
        np.tile(features, (images, 1)),
        np.zeros(images, int),
        np.arange(images),
        images,
    )
    lots, judged = critic.lots(model, batch, 1)
    assert judged.captions == 20_000
    probabilities = np.exp(log_probs(model, features))
    spread = np.sqrt(probabilities @ rewards() ** 2 - (probabilities @ rewards()) ** 2)
    error = spread / np.sqrt(20_000)
    assert judged.reward / 20_000 == pytest.approx(probabilities @ rewards(), abs=3 * error)
    _, gradients = model.evaluate_lots(lots)
    drawn, advantage = lots[1].captions, lots[1].weights
    assert advantage is not None
    off, errors = dict[str, float](), dict[str, float]()
    for name, direction in directions.items():
        # What each image contributes: the mean over its samples of advantage times slope of log p.
        slope_of = {}
        for caption in CAPTIONS:
            lot = Lot(features, rows([caption]), lots[1].loss, -1.0)
            slope_of[tuple(caption)] = np.sum(model.evaluate_lots([lot])[1][name] * direction)
        each = [slope_of[tuple(row[row > 1].tolist())] for row in drawn]
        by_image = (advantage * np.array(each)).reshape(images, 5).mean(axis=1)
        found = -np.sum(gradients[name] * direction)
        assert found == pytest.approx(by_image.mean(), rel=1e-10, abs=1e-13)
        errors[name] = float(by_image.std() / np.sqrt(images))
        off[name] = (found - slopes[name]) / errors[name]
    assert max(map(abs, off.values())) < 3
    assert np.sqrt(np.mean(np.square([*off.values()]))) < 1.5
    # Errors are small enough for that to say something.
    assert max(abs(slopes[name] / errors[name]) for name in errors) > 10
