"""Decoders on scripted networks, whose every caption can be counted out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator

import attrs
import numpy as np
import pytest

from rnnkit.kinds import Array, Decoded, Decoder, Ints, Memory
from rnnkit_builtin.decoders.beam import Beam
from rnnkit_builtin.decoders.greedy import Greedy
from rnnkit_builtin.decoders.sample import Sample

START, END = 0, 1
DECODERS = [
    *(Greedy(), Sample(), Sample(0.5, top_k=2), Sample(top_p=0.8)),
    *(Beam(1), Beam(3), Beam(3, length_penalty=1.0), Beam(40)),
]
Words = tuple[int, ...]


@attrs.frozen
class Prefixes(Memory):
    """A memory that keeps everything: of each row its image and the tokens so far, START among them."""

    rows: tuple[Words, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Ints) -> Prefixes:
        return Prefixes(tuple(self.rows[i] for i in rows))


@attrs.frozen
class Network:
    """A network given as a function: (image, START, word, word ...) -> log probabilities (V,).

    Attributes:
        stepped: every prefix that the last decoder asked about.
    """

    log_probs: Callable[[Words], Array]
    stepped: list[Words] = attrs.field(factory=list)

    def step(self, tokens: Ints, memory: Prefixes) -> tuple[Array, Prefixes]:
        assert len(tokens) == len(memory) > 0
        after = [(*row, int(t)) for row, t in zip(memory.rows, tokens, strict=True)]
        self.stepped.extend(after)
        return np.stack([self.log_probs(prefix) for prefix in after]), Prefixes(tuple(after))

    def decode(self, decoder: Decoder, limit: int, images: int = 1, seed: int = 0) -> Decoded:
        self.stepped.clear()
        memory = Prefixes(tuple((image,) for image in range(images)))
        rng = np.random.default_rng(seed)
        return decoder.decode(self.step, memory, START, END, limit, rng)

    def grow(self, image: int, words: Words, log_prob: float) -> Iterator[tuple[Words, float]]:
        """Every continuation of a caption by one word; of a finished one itself."""
        if words[-1:] == (END,):
            yield words, log_prob
            return
        for v, gain in enumerate(self.log_probs((image, START, *words)).tolist()):
            if gain > -math.inf:
                yield (*words, v), log_prob + gain


def random_network(words: int, seed: int = 0) -> Network:
    """A network of `words` words besides END; START never comes again."""

    def log_probs(prefix: Words) -> Array:
        z = np.random.default_rng((seed, *prefix)).standard_normal(words + 2)
        z[START] = -np.inf
        normalized: Array = z - np.log(np.exp(z).sum())
        return normalized

    return Network(log_probs)


def naive_beam(
    network: Network, width: int, penalty: float, limit: int, image: int = 0
) -> list[tuple[Words, float]]:
    """Beam search as it is told; with a width that nothing exceeds, an enumeration of all captions."""
    beam: list[tuple[Words, float]] = [((), 0.0)]
    for _ in range(limit):
        grown = [longer for words, p in beam for longer in network.grow(image, words, p)]
        beam = sorted(grown, key=lambda c: -c[1] / len(c[0]) ** penalty)[:width]
    return beam


def captions(decoded: Decoded, image: int = 0) -> list[tuple[Words, float]]:
    """The captions of an image up to their END, and their log probabilities."""
    found = []
    for row, p in zip(
        decoded.tokens[image].tolist(), decoded.log_probs[image].tolist(), strict=True
    ):
        length = row.index(END) + 1 if END in row else len(row)
        assert set(row[length:]) <= {END}
        found.append((tuple(row[:length]), p))
    return found


def same(found: list[tuple[Words, float]], wanted: list[tuple[Words, float]]) -> None:
    assert [words for words, _ in found] == [words for words, _ in wanted]
    assert [p for _, p in found] == pytest.approx([p for _, p in wanted], rel=1e-12)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0])
def test_a_wide_beam_lists_every_caption_best_first_and_then_nothing(penalty: float) -> None:
    network = random_network(words=2)
    everything = naive_beam(network, 10**6, penalty, limit=4)
    assert len(everything) == 1 + 2 + 4 + 8 + 16
    assert sum(math.exp(p) for _, p in everything) == pytest.approx(1.0)
    found = captions(network.decode(Beam(40, penalty), limit=4))
    same(found[:31], everything)
    assert found[31:] == [((END,), -math.inf)] * 9


@pytest.mark.parametrize("width", [1, 2, 3, 7])
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_beam_search_agrees_with_a_naive_one_image_by_image(width: int, penalty: float) -> None:
    network = random_network(words=5)
    decoded = network.decode(Beam(width, penalty), limit=6, images=20)
    for image in range(20):
        same(captions(decoded, image), naive_beam(network, width, penalty, 6, image))


def test_a_penalty_on_length_brings_longer_captions() -> None:
    network = random_network(words=5)

    def mean_length(penalty: float) -> float:
        decoded = network.decode(Beam(4, penalty), limit=8, images=40)
        return float(np.mean([len(captions(decoded, i)[0][0]) for i in range(40)]))

    assert mean_length(1.0) > mean_length(0.0)


def test_greedy_takes_the_likeliest_word_each_time() -> None:
    network = random_network(words=5)
    decoded = network.decode(Greedy(), limit=6, images=20)
    for image in range(20):
        words: Words = ()
        while words[-1:] != (END,) and len(words) < 6:
            words = (*words, int(network.log_probs((image, START, *words)).argmax()))
        assert captions(decoded, image)[0][0] == words


@pytest.mark.parametrize(
    "decoder",
    [Beam(1), Beam(1, length_penalty=1.0), Sample(top_k=1), Sample(top_p=1e-9), Sample(1e-6)],
    ids=str,
)
def test_without_a_choice_every_decoder_is_greedy(decoder: Decoder) -> None:
    network = random_network(words=6)
    greedy = network.decode(Greedy(), limit=7, images=30)
    other = network.decode(decoder, limit=7, images=30)
    np.testing.assert_array_equal(other.tokens, greedy.tokens)
    np.testing.assert_allclose(other.log_probs, greedy.log_probs, rtol=1e-12)


def test_equal_scores_go_to_the_first_word_everywhere() -> None:
    network = Network(lambda prefix: np.log([0.1, 0.2, 0.35, 0.35]))
    for decoder in (Greedy(), Beam(1), Sample(top_k=1)):
        assert captions(network.decode(decoder, limit=3))[0][0] == (2, 2, 2)


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_finished_captions_are_never_stepped_and_none_is_stepped_twice(decoder: Decoder) -> None:
    network = random_network(words=4)
    network.decode(decoder, limit=6, images=15)
    assert max(Counter(network.stepped).values()) == 1
    assert not any(END in prefix[1:] for prefix in network.stepped)
    assert max(len(prefix) for prefix in network.stepped) <= 1 + 6


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_captions_are_as_long_as_the_longest_and_come_with_their_probability(
    decoder: Decoder,
) -> None:
    network = random_network(words=4)
    for limit in (1, 3, 12):
        decoded = network.decode(decoder, limit, images=6)
        lengths = []
        for image in range(6):
            for words, log_prob in captions(decoded, image):
                lengths.append(len(words))
                if log_prob == -math.inf:
                    assert words == (END,)
                    continue
                gains = [
                    network.log_probs((image, START, *words[:t]))[w] for t, w in enumerate(words)
                ]
                assert START not in words
                assert log_prob == pytest.approx(sum(gains), rel=1e-12)
        assert decoded.tokens.shape[2] == max(lengths) <= limit


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_no_images_give_no_captions(decoder: Decoder) -> None:
    decoded = random_network(words=2).decode(decoder, limit=4, images=0)
    assert decoded.tokens.size == 0
    assert len(decoded.tokens) == len(decoded.log_probs) == 0


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_a_caption_that_cannot_go_on_is_none(decoder: Decoder) -> None:
    """Image 0 knows one caption, (2, END); image 1 gets stuck after the word 2."""

    def log_probs(prefix: Words) -> Array:
        scores = np.full(4, -np.inf)
        if len(prefix) == 2:
            scores[2] = 0.0
        elif prefix[0] == 0:
            scores[END] = 0.0
        return scores

    decoded = Network(log_probs).decode(decoder, limit=5, images=2)
    nothing = ((END,), -math.inf)
    others = [nothing] * (decoded.tokens.shape[1] - 1)
    assert captions(decoded, 0) == [((2, END), 0.0), *others]
    assert captions(decoded, 1) == [nothing, *others]
    assert decoded.tokens.shape[2] == 2


PROBABILITIES = np.array([0.0, 0.1, 0.4, 0.3, 0.2])


@pytest.mark.parametrize(
    ("decoder", "weights"),
    [
        (Sample(), PROBABILITIES),
        (Sample(temperature=0.5), PROBABILITIES**2),
        (Sample(temperature=2.0), PROBABILITIES**0.5),
        (Sample(top_k=3), [0, 0, 4, 3, 2]),
        (Sample(top_k=9), PROBABILITIES),
        (Sample(top_p=0.65), [0, 0, 4, 3, 0]),
        (Sample(top_p=0.75), [0, 0, 4, 3, 2]),
        (Sample(top_p=1.0), PROBABILITIES),
        # Within the first three 0.4 is 4/9, and enough.
        (Sample(top_k=3, top_p=0.42), [0, 0, 1, 0, 0]),
        # The squares are 16, 9 and 4 of 30: the first alone is enough.
        (Sample(temperature=0.5, top_p=0.5), [0, 0, 1, 0, 0]),
    ],
    ids=str,
)
def test_words_are_drawn_as_often_as_their_weights_say(
    decoder: Sample, weights: list[float] | Array
) -> None:
    with np.errstate(divide="ignore"):
        log_probs = np.log(PROBABILITIES)
    decoded = Network(lambda prefix: log_probs).decode(decoder, limit=1, images=20000)
    words = decoded.tokens[:, 0, 0]
    wanted = np.asarray(weights) / np.sum(weights)
    frequencies = np.bincount(words, minlength=5) / len(words)
    np.testing.assert_allclose(frequencies, wanted, rtol=0, atol=0.012)
    assert not np.any(frequencies[wanted == 0])
    np.testing.assert_array_equal(decoded.log_probs[:, 0], log_probs[words])


def test_the_same_seed_draws_the_same_captions() -> None:
    network = random_network(words=5)
    first, again, other = (network.decode(Sample(), 8, images=9, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first.tokens, again.tokens)
    assert not np.array_equal(first.tokens, other.tokens)
