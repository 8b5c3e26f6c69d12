"""Decoders on scripted networks, whose every caption can be counted out."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import attrs
import numpy as np
import pytest

from rnnkit.data import Vocabulary
from rnnkit.kinds import Array, Decoded, Decoder, Ints, Memory, block_repeats
from rnnkit.network.builder import assemble
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes
from rnnkit.spec import parse_spec
from rnnkit.testing.contracts import contracts_of
from rnnkit.testing.example import seeded
from rnnkit_builtin.decoders.beam import Beam
from rnnkit_builtin.decoders.greedy import Greedy
from rnnkit_builtin.decoders.sample import Sample

START, END = 0, 1
DECODERS = [
    *(Greedy(), Sample(), Sample(0.5, top_k=2), Sample(top_p=0.8)),
    *(Beam(1), Beam(3), Beam(3, length_penalty=1.0), Beam(40)),
    *(Greedy(no_repeat=1), Sample(no_repeat=2), Beam(3, no_repeat=2)),
    Sample(draws=4),
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


def repeats(words: Words, size: int) -> bool:
    """Whether so many words in a row come twice."""
    runs = Counter(words[i : i + size] for i in range(len(words) - size + 1))
    return max(runs.values(), default=0) > 1


def naive_beam(
    network: Network,
    width: int,
    penalty: float,
    limit: int,
    image: int = 0,
    no_repeat: int | None = None,
) -> list[tuple[Words, float]]:
    """Beam search as it is told, and always to the limit; with a width that nothing exceeds, an enumeration
    of all captions.
    """
    live: list[tuple[Words, float]] = [((), 0.0)]
    found: list[tuple[Words, float]] = []
    for t in range(limit):
        grown = [longer for words, p in live for longer in network.grow(image, words, p)]
        if no_repeat:
            grown = [longer for longer in grown if not repeats(longer[0], no_repeat)]
        best = sorted(grown, key=lambda c: -c[1])[:width]
        done = [c[0][-1] == END or t == limit - 1 for c in best]
        found += [c for c, ends in zip(best, done, strict=True) if ends]
        live = [c for c, ends in zip(best, done, strict=True) if not ends]
    return sorted(found, key=lambda c: -c[1] / len(c[0]) ** penalty)[:width]


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


def test_a_finished_caption_is_not_lost_to_others_that_get_worse() -> None:
    """(2, END) has probability 0.23; both captions that go on beside it stand at 0.28, but end at 0.14."""
    after: dict[Words, dict[int, float]] = {
        (): {2: 0.4, 3: 0.6},
        (2,): {END: 0.58, 4: 0.42},
        (3,): {2: 0.95, 3: 0.05},
        (3, 2): {2: 0.5, 3: 0.5},
    }

    def log_probs(prefix: Words) -> Array:
        scores = np.full(5, -np.inf)
        for v, p in after.get(prefix[2:], {END: 0.48, 2: 0.26, 3: 0.26}).items():
            scores[v] = math.log(p)
        return scores

    found = captions(Network(log_probs).decode(Beam(2), limit=6))
    same(found[:1], [((2, END), math.log(0.4) + math.log(0.58))])


def test_the_search_ends_when_nothing_can_become_one_of_the_best() -> None:
    with np.errstate(divide="ignore"):
        log_probs = np.log([0.0, 0.9, 0.06, 0.04])
    network = Network(lambda prefix: log_probs)
    found = captions(network.decode(Beam(2), limit=50))
    same(found, [((END,), math.log(0.9)), ((2, END), math.log(0.06) + math.log(0.9))])
    assert sorted(network.stepped) == [(0, START), (0, START, 2)]


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
    alike = (
        decoder.draws if isinstance(decoder, Sample) else 1
    )  # draws may begin with the same words
    assert max(Counter(network.stepped).values()) <= alike
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
    nothing, width = ((END,), -math.inf), decoded.tokens.shape[1]
    once = decoder.draws if isinstance(decoder, Sample) else 1
    assert captions(decoded, 0) == [((2, END), 0.0)] * once + [nothing] * (width - once)
    assert captions(decoded, 1) == [nothing] * width
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


def test_captions_drawn_of_one_image_are_independent_and_the_likeliest_come_first() -> None:
    """Against the probabilities of all unordered triples."""
    with np.errstate(divide="ignore"):
        log_probs = np.log(PROBABILITIES)
    decoded = Network(lambda prefix: log_probs).decode(Sample(draws=3), limit=1, images=20000)
    assert decoded.tokens.shape == (20000, 3, 1)
    np.testing.assert_array_equal(decoded.log_probs, log_probs[decoded.tokens[:, :, 0]])
    assert np.all(np.diff(decoded.log_probs, axis=1) <= 0.0)
    wanted: dict[Words, float] = defaultdict(float)
    for triple in np.ndindex(5, 5, 5):
        ranked = tuple(sorted(triple, key=lambda w: -PROBABILITIES[w]))
        wanted[ranked] += PROBABILITIES[list(triple)].prod()
    drawn = Counter(map(tuple, decoded.tokens[:, :, 0].tolist()))
    drawn_as_told(drawn, {words: p for words, p in wanted.items() if p > 0})


def drawn_as_told(drawn: Counter[Words], probabilities: dict[Words, float]) -> None:
    """A chi-square test at five standard deviations, of what was drawn against all that can be."""
    assert sum(probabilities.values()) == pytest.approx(1.0)
    assert set(drawn) <= set(probabilities)
    wanted = drawn.total() * np.array(list(probabilities.values()))
    got = np.array([drawn[words] for words in probabilities])
    assert wanted.min() > 5
    freedom = len(wanted) - 1
    assert ((got - wanted) ** 2 / wanted).sum() < freedom + 5 * math.sqrt(2 * freedom)


# Words that come again


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_token_is_blocked_where_it_would_end_a_run_of_tokens_that_is_there_already(
    size: int,
) -> None:
    rng = np.random.default_rng(size)
    for t in range(9):
        written = rng.integers(0, 3, (40, t))
        log_probs = rng.standard_normal((40, 4))
        blocked = log_probs.copy()
        block_repeats(blocked, written, size)
        for row, before, after in zip(written.tolist(), log_probs, blocked, strict=True):
            there = {tuple(row[i : i + size]) for i in range(t - size + 1)}
            for v in range(4):
                again = (*row, v)[-size:] in there if t >= size else False
                assert after[v] == (-np.inf if again else before[v])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_wide_beam_lists_every_caption_without_a_run_of_words_that_comes_twice(
    size: int,
) -> None:
    network = random_network(words=3)
    everything = naive_beam(network, 10**6, 0.0, limit=5)
    left = [(words, p) for words, p in everything if not repeats(words, size)]
    assert len(everything) == 1 + 3 + 9 + 27 + 81 + 243
    assert len(left) == {1: 16, 2: 223, 3: 340}[size]
    found = captions(network.decode(Beam(400, no_repeat=size), limit=5))
    same(found[: len(left)], left)
    assert all(p == -math.inf for _, p in found[len(left) :])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_decoder_goes_round_what_is_blocked(size: int) -> None:
    """Against a naive beam; the network likes to say a word again."""
    inner = random_network(words=3, seed=2)

    def log_probs(prefix: Words) -> Array:
        z = inner.log_probs(prefix)
        z[prefix[-1]] += 3.0
        z[END] -= 2.0
        normalized: Array = z - np.log(np.exp(z).sum())
        return normalized

    network = Network(log_probs)
    for width in (1, 2, 4):
        decoded = network.decode(Beam(width, 0.5, size), limit=9, images=20)
        for image in range(20):
            same(captions(decoded, image), naive_beam(network, width, 0.5, 9, image, size))
    want = network.decode(Beam(1, no_repeat=size), limit=9, images=20)
    for decoder in (Greedy(no_repeat=size), Sample(top_k=1, no_repeat=size)):
        got = network.decode(decoder, limit=9, images=20)
        np.testing.assert_array_equal(got.tokens, want.tokens)
        np.testing.assert_allclose(got.log_probs, want.log_probs, rtol=1e-12)
    free = network.decode(Greedy(), limit=9, images=20)
    assert any(repeats(captions(free, image)[0][0], size) for image in range(20))


@pytest.mark.parametrize(("size", "limit"), [(1, 4), (2, 3)])
def test_what_is_blocked_is_never_drawn_and_the_rest_in_proportion(size: int, limit: int) -> None:
    with np.errstate(divide="ignore"):
        log_probs = np.log(PROBABILITIES)
    network = Network(lambda prefix: log_probs)
    wanted: dict[Words, float] = {}

    def spread(words: Words, probability: float) -> None:
        if words[-1:] == (END,) or len(words) == limit:
            wanted[words] = probability
            return
        nexts = [v for v in range(1, 5) if not repeats((*words, v), size)]
        whole = PROBABILITIES[nexts].sum()
        for v in nexts:
            spread((*words, v), probability * PROBABILITIES[v] / whole)

    spread((), 1.0)
    decoded = network.decode(Sample(no_repeat=size), limit, images=20000)
    found = [captions(decoded, image)[0] for image in range(20000)]
    drawn_as_told(Counter(words for words, _ in found), wanted)
    for words, p in found[:200]:
        assert p == pytest.approx(log_probs[list(words)].sum(), rel=1e-12)


# On networks


F, V, T = 5, 12, 9
KINDS = [
    *(Greedy(), Greedy(no_repeat=2), Sample(0.7, top_p=0.9), Sample(draws=3, no_repeat=1)),
    *(Beam(3), Beam(5, length_penalty=0.8), Beam(4, no_repeat=2)),
]


def captioner(unknown: str = "false") -> Captioner:
    """A small network; its weights are large, so that it has something to say."""
    source = f"""
        [model]
        dtype = "float64"
        words = {{ use = "embedding", dim = 6 }}
        [[model.rnn]]
        hidden = 8
        cell = "lstm"
        [caption]
        unknown = {unknown}
    """
    model = assemble(parse_spec(source), Sizes(F, Vocabulary.standard(V), T))
    rng = np.random.default_rng(4)
    for w in model.parameters.values():
        w[...] = rng.standard_normal(w.shape)
    model.parameters["head.0.b"][model.vocabulary.end] += 2.0
    return model


@pytest.mark.parametrize("decoder", KINDS, ids=str)
def test_the_log_probability_of_a_caption_is_what_the_network_says_of_it(decoder: Decoder) -> None:
    model = captioner()
    features = np.random.default_rng(0).standard_normal((12, F))
    words = model.vocabulary
    decoded = model.decode(features, decoder)
    lengths = set()
    for feature, rows, log_probs in zip(features, decoded.tokens, decoded.log_probs, strict=True):
        for row, log_prob in zip(rows.tolist(), log_probs.tolist(), strict=True):
            length = row.index(words.end) + 1 if words.end in row else len(row)
            lengths.add(length)
            nats, count = model.nats(feature[None], np.array([[words.start, *row[:length]]]))
            assert count == length
            assert log_prob == pytest.approx(-nats, rel=1e-10)
    assert len(lengths) > 1


@pytest.mark.parametrize("decoder", KINDS, ids=str)
def test_batches_of_any_size_say_the_same_of_each_image(decoder: Decoder) -> None:
    model = captioner().frozen()
    features = np.random.default_rng(1).standard_normal((3000, F))
    nothing = model.decode(features[:0], decoder)
    assert nothing.tokens.shape[0] == nothing.log_probs.shape[0] == 0
    assert nothing.tokens.shape[1] == nothing.log_probs.shape[1]
    assert model.caption(features[:0], decoder) == []
    whole = model.decode(features, decoder)
    assert whole.tokens.shape[:2] == whole.log_probs.shape == (3000, nothing.tokens.shape[1])
    if isinstance(decoder, Sample):
        return  # what is drawn for an image depends on how many come before it
    for i in range(0, 3000, 100):
        alone = model.decode(features[i : i + 1], decoder)
        L = alone.tokens.shape[2]
        np.testing.assert_array_equal(whole.tokens[i : i + 1, :, :L], alone.tokens)
        assert set(whole.tokens[i, :, L:].ravel().tolist()) <= {model.vocabulary.end}
        np.testing.assert_allclose(whole.log_probs[i : i + 1], alone.log_probs, rtol=1e-10)


@pytest.mark.parametrize("unknown", ["false", "true"])
@pytest.mark.parametrize("decoder", KINDS, ids=str)
def test_words_that_mean_nothing_are_never_written_and_the_unknown_one_only_if_asked(
    decoder: Decoder, unknown: str
) -> None:
    model = captioner(unknown=unknown)
    words = model.vocabulary
    assert words.unknown is not None
    model.parameters["head.0.b"][[words.null, words.start, words.unknown]] += 20.0
    features = np.random.default_rng(2).standard_normal((30, F))
    written = set(model.decode(features, decoder).tokens.ravel().tolist())
    assert not written & {words.null, words.start}
    assert (words.unknown in written) == (unknown == "true")


@pytest.mark.parametrize("decoder", [*DECODERS, *KINDS], ids=str)
def test_every_way_to_decode_keeps_the_contracts_of_decoders(decoder: Decoder) -> None:
    for contract in contracts_of(decoder):
        contract.law(seeded(contract.id, 0))


@pytest.mark.parametrize("make", [Greedy, Sample, Beam])
def test_a_block_of_no_words_is_refused(make: Callable[..., Decoder]) -> None:
    with pytest.raises(ValueError, match="no_repeat"):
        make(no_repeat=0)
