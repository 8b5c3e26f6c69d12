"""The captioning network: CNN features -> h0; words -> recurrent layers -> vocabulary scores -> loss.

    v      = image(features)
    x      = words(captions[:, :-1])
    h      = rnn.k(input.k(... rnn.0(input.0(x), h0)))
    scores = head(h)
    loss   = 1/N * sum over unmasked positions of weight * loss(scores, captions[:, 1:])

where the weight is that of the caption, 1 unless it is given. The image enters at one of four places (Tanti, Gatt &
Camilleri, "Where to put the image in an image caption generator", 2018, section 3); h0 = 0 but for the first:

    init   h0 = v          (N, sum of all H), a share for each recurrent layer
    pre    x_0 = v         an input (N, D) that the recurrent layers read before the first word
    par    x = [x, v]      beside every word
    merge  h = [h, v]      beside every output of the top layer; the recurrent layers see words alone

A caption is `<START> w1 .. wk <END> <NULL> ..`; a position is masked where its target is `<NULL>`. A masked
position inside a caption is still stepped through, it only has no loss.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import attrs
import numpy as np

from rnnkit.data.photos.pipeline import ImagePipeline
from rnnkit.data.seen import Seen
from rnnkit.data.vocabulary import Vocabulary
from rnnkit.errors import DataError
from rnnkit.kinds import (
    Array,
    DType,
    Ints,
    Mask,
    Rng,
    Scalar,
    map_arrays,
)
from rnnkit.network.body import Body, Take
from rnnkit.network.chain import Chain
from rnnkit.network.head import Head
from rnnkit.network.lots import Lot, evaluate_lots, joined
from rnnkit.network.memory import Lexicon, Remembered
from rnnkit.network.packing import Packing
from rnnkit.network.parts import Parts, named_chain
from rnnkit.network.ties import Ties, ties_of
from rnnkit.network.writer import Writer, as_numbers
from rnnkit.registry.labels import label, name_of
from rnnkit.spec import Spec
from rnnkit.system.glance import AtAGlance, Glance


def _nothing(_: Mapping[str, Array]) -> None:
    pass


@attrs.frozen(eq=False, repr=False)
class Captioner(AtAGlance, Writer[Remembered]):
    """A captioning network with its parameters.

    Attributes:
        spec: what it was built from, with everything that was left open filled in.
        vocabulary: the words behind the tokens.
        feature_width: F.
        length: T, tokens of the longest caption it was built for, start and end included.
        body: what is before the head.
        head: from what the top recurrent layer puts out to scores.
        lexicon: of a frozen network, the words that it has met so far.
        map: (C, h, w) or (C, L), if it was built for features that are known to be maps, channels first.
        seen: what it was trained on, if that is known.
        pipeline: how the image features it was trained on come from photos, if that is known.
        notes: what is to be told of how its parameters began; no file keeps them.
    """

    spec: Spec
    vocabulary: Vocabulary
    feature_width: int
    length: int
    body: Body
    head: Head
    lexicon: Lexicon | None = None
    map: tuple[int, ...] | None = None
    seen: Seen | None = None
    pipeline: ImagePipeline | None = None
    notes: tuple[str, ...] = ()

    @property
    def dtype(self) -> DType:
        """Of the parameters and of all arithmetic."""
        return np.dtype(self.spec.model.dtype)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(w.size for w in self.parameters.values())

    @property
    def parameters(self) -> dict[str, Array]:
        """One flat view: dotted name -> the very array the network computes with; one that is tied is there once."""
        return {name: w for name, w in self._all() if name not in self.ties}

    @property
    def ties(self) -> Mapping[str, str]:
        """Parameters of the head that are the same arrays as others, by their names -> the names of those."""
        return ties_of(self.head.chain.links)

    def _all(self) -> Iterator[tuple[str, Array]]:
        """Every array of every part."""
        body = self.body
        parts = Parts(
            [link.params for link in body.image],
            [link.params for link in body.words],
            [[link.params for link in level.input] for level in body.levels],
            [level.rnn.params for level in body.levels],
            [link.params for link in self.head.chain],
        )
        return parts.named()

    def with_parameters(self, values: Mapping[str, Array]) -> Captioner:
        """The same network computing with other arrays, one for each name in `parameters`."""
        ties = self.ties
        names = iter([ties.get(name, name) for name, _ in self._all()])

        def other(_: Array) -> Array:
            return values[next(names)]

        def chain(links: Chain) -> Chain:
            moved = (attrs.evolve(k, params=map_arrays(other, k.params)) for k in links)
            return Chain(tuple(moved))

        image, words = chain(self.body.image), chain(self.body.words)
        levels = tuple(
            attrs.evolve(
                level,
                input=chain(level.input),
                rnn=level.rnn.with_params(map_arrays(other, level.rnn.params)),
            )
            for level in self.body.levels
        )
        return attrs.evolve(
            self,
            body=attrs.evolve(self.body, image=image, words=words, levels=levels),
            head=attrs.evolve(self.head, chain=chain(self.head.chain)),
            lexicon=None,
        )

    def frozen(self) -> Captioner:
        """This network with parameters, copies of its own, that cannot be changed any more.

        It captions image by image faster, for what it has computed of a word it keeps for good.
        """
        values = {name: w.copy() for name, w in self.parameters.items()}
        for w in values.values():
            w.flags.writeable = False
        model = self.with_parameters(values)
        return attrs.evolve(model, lexicon=model._new_lexicon())

    def afresh(self) -> Captioner:
        """This network without the words that it has met: rounding depends on those that came up together."""
        return attrs.evolve(self, lexicon=None)

    def loss(self, features: Array, captions: Ints) -> float:
        """The training loss, without dropout; see `loss_and_gradients`."""
        return float(self.evaluate(features, captions, backward=False)[0])

    def loss_and_gradients(
        self,
        features: Array,
        captions: Ints,
        rng: Rng | None = None,
        of: int | None = None,
        take: Take = _nothing,
        *,
        weights: Array | None = None,
        wrt: Collection[str] | None = None,
        wrt_features: bool = False,
    ) -> tuple[float, dict[str, Array]]:
        """The loss of a batch, and its gradient with respect to every parameter.

        Args:
            features: (N, F) image features.
            captions: (N, T) tokens, `<START> w1 .. wk <END> <NULL> ..`.
            rng: source of randomness for dropout and its like; None for none of it.
            of: what to divide by instead of N, for rows of a batch of so many.
            take: called with the gradients of a part of the network, by name, when they are there: the head's, then
                those of each recurrent layer from the top, then the rest.
            weights: (N,), what the loss of each caption is multiplied by, such as less for captions from a source that
                is trusted less; 1 if left open.
            wrt: names of the parameters of which gradients are wanted, all if left open. What is below the last of them
                is not gone through, and products of others are not made.
            wrt_features: whether gradients has the one with respect to the image features too.

        Returns:
            (loss, gradients): the sum over unmasked positions divided by N, and an array for each of those
            `parameters`, of the same shape; "features" (N, F), if asked for.

        Raises:
            DataError: shapes, or tokens outside the vocabulary.
        """
        loss, gradients = self.evaluate(
            features,
            captions,
            rng,
            of,
            take,
            weights=weights,
            wrt=wrt,
            wrt_features=wrt_features,
        )
        return float(loss), gradients

    def evaluate(
        self,
        features: Array,
        captions: Ints,
        rng: Rng | None = None,
        of: int | None = None,
        take: Take = _nothing,
        *,
        weights: Array | None = None,
        wrt: Collection[str] | None = None,
        wrt_features: bool = False,
        backward: bool = True,
    ) -> tuple[Scalar, dict[str, Array]]:
        """What `loss_and_gradients` is made of: the loss as a NumPy scalar of the parameters' own type, so
        that a complex step can pass through; without `backward`, no gradients.
        """
        features, captions = self._checked(features, captions)
        if weights is not None:
            weights = as_numbers(weights, "weights")
            if weights.shape != (len(captions),):
                raise DataError(
                    f"the weights have shape {weights.shape}, and {len(captions)} captions want one each"
                )
        n = of or len(captions)
        lot = Lot(features, captions, self.spec.train.loss, 1 / n, weights)
        (total,), gradients = self.evaluate_lots(
            [lot], rng, take, wrt=wrt, wrt_features=wrt_features, backward=backward
        )
        return total / n, gradients

    def evaluate_lots(
        self,
        lots: Sequence[Lot],
        rng: Rng | None = None,
        take: Take = _nothing,
        *,
        wrt: Collection[str] | None = None,
        wrt_features: bool = False,
        backward: bool = True,
    ) -> tuple[list[Scalar], dict[str, Array]]:
        """Captions of several losses, in one pass.

        Args:
            lots: of captions; their shapes and tokens are not checked.
            rng: as in `loss_and_gradients`.
            take: as there.
            wrt: as there.
            wrt_features: as there; those of all lots, one after the other.
            backward: whether there are gradients.

        Returns:
            (losses, gradients): of each lot the sum over its positions, and the gradient of the sum of scale times
            that.
        """
        features, captions = joined(lots, self.vocabulary.null)
        packing, targets, counts = _targets(captions, self.vocabulary.null)
        h, tapes = self.body.forward(features, captions, packing, rng)
        ties = Ties(self.ties)
        needs = self.body.needs(ties.wanted(wrt), wrt_features)
        totals, dh, head = evaluate_lots(
            self.head, lots, h, targets, counts, packing, rng, needs, backward=backward
        )
        if not backward:
            return totals, {}

        found: dict[str, Array] = {}

        def take_those(made: Mapping[str, Array]) -> None:
            gradients = ties.gather(needs.among(made.items()))
            found.update(gradients)
            take(gradients)

        take_those(dict(named_chain("head", head)))
        body = self.body.backward(dh, tapes, packing, take_those, needs)
        gradients = {name: found[name] for name in self.parameters if name in found}
        if wrt_features:
            gradients["features"] = body.features
        return totals, gradients

    def nats(self, features: Array, captions: Ints) -> tuple[float, int]:
        """The negative log likelihood of captions, whatever the training loss is.

        Returns:
            (nats, tokens): summed over all unmasked positions, and their number; perplexity is
            exp(nats / tokens).
        """
        features, captions = self._checked(features, captions)
        packing, targets, counts = _targets(captions, self.vocabulary.null)
        h, _ = self.body.forward(features, captions, packing, None)
        return self.head.nats(h, targets, counts), int(np.count_nonzero(counts))

    def scores(self, features: Array, captions: Ints) -> Array:
        """Vocabulary scores (N, T - 1, V) after each token but the last; zero beyond a caption's end."""
        features, captions = self._checked(features, captions)
        packing, _, _ = _targets(captions, self.vocabulary.null)
        h, _ = self.body.forward(features, captions, packing, None)
        return packing.unpack(self.head.scores(h), captions.shape[1] - 1)

    def begin(self, features: Array) -> Remembered:
        """What the network remembers before the first word, from image features (N, F).

        Parameters must not change between this and the last `step` from it.
        """
        states, v = self.body.begin(self.as_features(features))
        return Remembered(states, v, self.lexicon or self._new_lexicon())

    def step(self, tokens: Ints, memory: Remembered) -> tuple[Array, Remembered]:
        """One token (n,) for each row of a memory -> log probabilities of the next (n, V), next memory."""
        x = memory.lexicon.rows(tokens)
        states, h = self.body.step(x, memory.states, memory.image)
        return self.head.log_probs(h), Remembered(states, memory.image, memory.lexicon)

    def _glance(self) -> Glance:
        spec, tokens = self.spec, "characters" if self.vocabulary.by_character else "words"
        rows = [
            ("image", f"{self.feature_width:,} features{_widths(self.body.image)}"),
            *([] if self.pipeline is None else [("encoder", str(self.pipeline.identity))]),
            ("inject", self.body.inject),
            ("words", f"{len(self.vocabulary):,} {tokens}{_widths(self.body.words)}"),
        ]
        for i, level in enumerate(self.body.levels):
            below = f"{level.below}{_widths(level.input)}"
            cell = name_of(spec.model.rnn[i].cell)
            rows.append((f"rnn {i}", f"{below} -> {cell} -> {level.hidden}"))
        ahead = f"{self.body.levels[-1].hidden}" if self.body.levels else ""
        rows += [
            ("head", f"{ahead}{_widths(self.head.chain)}".removeprefix(" -> ")),
            (
                "captions",
                f"by {label(spec.caption.decoder)}, of at most {self.length - 1} {tokens}",
            ),
        ]
        return f"Captioner: {self.size:,} parameters, {spec.model.dtype}", rows

    def _new_lexicon(self) -> Lexicon:
        return Lexicon(self.body.project, len(self.vocabulary))

    def _checked(self, features: Array, captions: Ints) -> tuple[Array, Ints]:
        features = self.as_features(features)
        captions = as_numbers(captions, "captions")
        if captions.dtype.kind not in "iu":
            raise DataError(
                f"the captions are {captions.dtype}, and must be tokens, which are integers"
            )
        if captions.ndim != 2 or captions.shape[1] < 2 or len(captions) != len(features):
            raise DataError(
                f"the captions have shape {captions.shape}, and {len(features)} images want "
                f"({len(features)}, T) with T at least 2"
            )
        if captions.size and not 0 <= captions.min() <= captions.max() < len(self.vocabulary):
            raise DataError(
                f"the captions have tokens from {captions.min()} to {captions.max()}, and the vocabulary "
                f"goes from 0 to {len(self.vocabulary) - 1}"
            )
        return features, captions


def _widths(chain: Chain) -> str:
    """Each layer with the width behind it."""
    return "".join(f" -> {name_of(link.plugin)} -> {link.out_features:,}" for link in chain)


def _targets(captions: Ints, null: int) -> tuple[Packing, Ints, Mask]:
    """The packing of captions, and packed (M,): the targets, and whether each has a loss."""
    targets = captions[:, 1:]
    mask = targets != null
    packing = Packing.of_mask(mask)
    at = packing.rows, packing.steps
    return packing, targets[at], mask[at]
