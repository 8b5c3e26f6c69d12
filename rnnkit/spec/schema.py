"""The tables of a spec. Every key is a field here; a field typed as a plugin kind takes a plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import attrs
from attrs.validators import ge, gt, in_, le, lt, max_len, min_len, optional

from rnnkit.errors import SpecError, quoted
from rnnkit.kinds import (
    Activation,
    Decoder,
    Initializer,
    Layer,
    Loss,
    Optimizer,
    Plugin,
    RecurrentCell,
    Reward,
    Schedule,
)
from rnnkit.registry import load
from rnnkit.spec.origin import Origin
from rnnkit.system.limits import LONGEST, MOST, MOST_FEATURES, WIDEST
from rnnkit.system.unicode import lone_surrogate

Chain: TypeAlias = tuple[Layer[Any, Any, Any] | Activation, ...]
"""Layers and activations, first to last; each width follows from the one before."""

K = TypeVar("K", bound=Plugin)


def builtin(kind: type[K], name: str, **options: object) -> K:
    """A plugin of rnnkit's own, for the defaults below: by name, since the core knows only kinds."""
    return load(kind, f"rnnkit:{name}")(**options)


def builtin_layer(name: str, **options: object) -> Callable[[], Chain]:
    """A chain of one built-in layer, made when it is needed."""
    return lambda: (builtin(Layer, name, **options),)


Injection: TypeAlias = Literal["init", "pre", "par", "merge"]
"""Where the image enters the network: see `ModelTable`."""


@attrs.frozen
class DataTable:
    """`[data]`: what to learn from. Sizes may stand here instead of data, to build without any.

    Attributes:
        path: a data folder, or one in the assignment's layout.
        raw: use the raw image features instead of the reduced ones.
        tokens: what the network reads and writes one after the other: words, or their characters.
        features: F, the width of the image features, if there is no data to tell.
        vocabulary: V, the number of different tokens, if there is no data to tell.
        length: T, tokens of the longest caption with its start and end, if there is no data to tell.
    """

    path: str | None = None
    raw: bool = False
    tokens: Literal["word", "char"] = "word"
    features: int | None = attrs.field(default=None, validator=optional([ge(1), le(MOST_FEATURES)]))
    vocabulary: int | None = attrs.field(default=None, validator=optional([ge(1), le(WIDEST)]))
    length: int | None = attrs.field(default=None, validator=optional([ge(2), le(LONGEST)]))


@attrs.frozen
class RnnTable:
    """`[[model.rnn]]`: one recurrent layer; the first is the bottom one.

    Attributes:
        hidden: H, the width of its state.
        cell: the recurrent cell.
        input: a chain that its inputs pass through first (dropout between layers, say).
        input_weights: initial Wx of a gated cell, gate by gate; normal with std 1/sqrt(D) if left open.
        recurrent_weights: the same for Wh.
    """

    hidden: int = attrs.field(validator=[ge(1), le(WIDEST)])
    cell: RecurrentCell[Any, Any, Any]
    input: Chain = ()
    input_weights: Initializer | None = None
    recurrent_weights: Initializer | None = None


@attrs.frozen
class ModelTable:
    """`[model]`: the network.

    Attributes:
        rnn: the recurrent layers, bottom to top.
        dtype: of parameters and of all arithmetic.
        seed: of initial values, of dropout, and of the order of training.
        image: image features (N, F) -> what enters the network for the image.
        inject: where that enters (Tanti, Gatt & Camilleri 2018): as the initial states of all recurrent
            layers, side by side (init); as an input before the first word (pre); beside every word (par); or
            beside every output of the top recurrent layer, before the head (merge).
        words: tokens -> inputs of the bottom recurrent layer.
        head: outputs of the top recurrent layer -> vocabulary scores.
    """

    rnn: tuple[RnnTable, ...] = attrs.field(validator=[min_len(1), max_len(100)])
    dtype: Literal["float32", "float64"] = "float32"
    seed: int = attrs.field(default=231, validator=ge(0))
    image: Chain = attrs.field(factory=builtin_layer("affine"))
    inject: Injection = "init"
    words: Chain = attrs.field(factory=builtin_layer("embedding", dim=256))
    head: Chain = attrs.field(factory=builtin_layer("affine"))


@attrs.frozen
class GroupTable:
    """`[[train.group]]`: parts of the network that learn in another way than the rest.

    A part that several groups name has each key from the last of them that gives it, in the epochs in which that holds.

    Attributes:
        parts: a pattern, or several, for the names of parameters as `rnnkit build` shows them: `words.*`, `rnn.0.*`,
            `head.1.W`.
        frozen: whether they stay as they are. Then no gradient of them is computed, so that none is in the norm that
            `clip` limits, and the optimizer remembers nothing of them.
        learning_rate: a factor on the optimizer's.
        weight_decay: what they have instead of the optimizer's.
        since: the first epoch in which the group holds; the first one if left open.
        until: the last epoch in which it does; the last one if left open.
    """

    parts: str | tuple[str, ...]
    frozen: bool | None = None
    learning_rate: float | None = attrs.field(default=None, validator=optional(ge(0.0)))
    weight_decay: float | None = attrs.field(default=None, validator=optional(ge(0.0)))
    since: int | None = attrs.field(default=None, validator=optional([ge(1), le(MOST)]))
    until: int | None = attrs.field(default=None, validator=optional([ge(1), le(MOST)]))


@attrs.frozen
class RewardTable:
    """`[train.reward]`: learn from what captions are worth. The network draws captions, and the better ones become likelier.

        gradient = -1/(N K) sum over images and their K samples of (r_k - mean of the other r) dlog p(sample_k)
                   + cross_entropy * the usual one

    Self-critical sequence training (Rennie, Marcheret, Mroueh, Ross & Goel, "Self-critical sequence training for image
    captioning", 2017), the other samples being the baseline (Luo, "A better variant of self-critical sequence training",
    2020). It begins where training by the loss has come to: in a model (`--from`), or `after` so many epochs of the run.

    Attributes:
        reward: what a caption is worth.
        after: epochs of training by the loss before.
        samples: K, captions that are drawn for each image.
        temperature: at which they are drawn. At 1 the gradient is that of the expected reward; below, that of the network
            with sharper probabilities, whose captions are nearer to those of a search.
        batch: N, images an update, each with one of its captions by people; `train.batch` if left open.
        cross_entropy: how much of the usual gradient, of the training loss, is added.
        drop: whether dropout and its like are at work in the gradient. They never are where captions are drawn: without
            them the gradient is that of what draws.
        learning_rate: instead of the optimizer's.
        schedule: the factor on it over the updates that learn from the reward, instead of `train.schedule`.
    """

    reward: Reward = attrs.field(factory=lambda: builtin(Reward, "cider-d"))
    after: int = attrs.field(default=0, validator=[ge(0), le(MOST)])
    samples: int = attrs.field(default=5, validator=[ge(2), le(1000)])
    temperature: float = attrs.field(default=1.0, validator=gt(0.0))
    batch: int | None = attrs.field(default=None, validator=optional([ge(1), le(MOST)]))
    cross_entropy: float = attrs.field(default=0.2, validator=ge(0.0))
    drop: bool = False
    learning_rate: float | None = attrs.field(default=None, validator=optional(gt(0.0)))
    schedule: Schedule = attrs.field(factory=lambda: builtin(Schedule, "constant"))


@attrs.frozen
class TrainTable:
    """`[train]`: how to learn.

    Attributes:
        epochs: passes over all training captions.
        batch: N, captions an update.
        shuffle: images whose captions are shuffled together, in runs of neighbours; if left open, all where their
            features are held in memory, and what 64 MiB of them are where they are read from files.
        loss: what to make small.
        optimizer: the update rule.
        schedule: the factor on the optimizer's learning rate over time.
        clip: the largest norm of the gradient of all parameters together; a larger one is scaled down to it
            (Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", 2013,
            section 3.2). Not clipped if left open.
        evaluate: updates between evaluations, each with a checkpoint; those of an epoch if left open.
        metric: what the best model is chosen by on the val split: nats per token, or a score of its captions.
        patience: evaluations without a better value after which training ends; never if left open.
        average: how much of the moving average of the parameters stays from update to update, when it has warmed up:
            a' = d a + (1 - d) w with d = min(average, (1 + t) / (10 + t)) at update t. Evaluations and `best.h5` are of
            the averages then (Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", 1992). Not
            averaged if left open.
        lazy: whether an update is of those rows of the embedding alone that the batch has: the optimizer then neither moves
            nor decays the others, nor what it remembers of them, as `torch.optim.SparseAdam` does it. That is fast with
            large vocabularies, and not quite the same.
        group: parts of the network that learn in another way.
        reward: learn from what captions are worth; only by the loss if left open.
    """

    epochs: int = attrs.field(default=20, validator=[ge(1), le(MOST)])
    batch: int = attrs.field(default=50, validator=[ge(1), le(MOST)])
    shuffle: int | None = attrs.field(default=None, validator=optional([ge(1), le(MOST)]))
    loss: Loss = attrs.field(factory=lambda: builtin(Loss, "softmax-cross-entropy"))
    optimizer: Optimizer[Any] = attrs.field(factory=lambda: builtin(Optimizer, "adam"))
    schedule: Schedule = attrs.field(factory=lambda: builtin(Schedule, "constant"))
    clip: float | None = attrs.field(default=None, validator=optional(gt(0.0)))
    evaluate: int | None = attrs.field(default=None, validator=optional([ge(1), le(MOST)]))
    metric: Literal["nats", "bleu4", "rouge_l", "cider"] = "nats"
    patience: int | None = attrs.field(default=None, validator=optional([ge(1), le(MOST)]))
    average: float | None = attrs.field(default=None, validator=optional([gt(0.0), lt(1.0)]))
    lazy: bool = attrs.field(default=False)
    group: tuple[GroupTable, ...] = ()
    reward: RewardTable | None = attrs.field(default=None)

    @lazy.validator
    def _can_leave_rows_out(self, _: object, lazy: bool) -> None:
        if lazy and not self.optimizer.elementwise:
            raise ValueError("the optimizer must see whole arrays, and cannot leave rows out")

    @reward.validator
    def _has_its_epochs_and_a_metric(self, _: object, reward: RewardTable | None) -> None:
        if reward is None:
            return
        if reward.after >= self.epochs:
            raise ValueError(
                f"it begins after {reward.after} epochs, and train.epochs = {self.epochs} leaves none for it"
            )
        if self.metric == "nats":
            raise ValueError(
                "nats get worse while captions get better: choose the best model by the captions, "
                'with train.metric = "cider", "bleu4" or "rouge_l"'
            )


@attrs.frozen
class CaptionTable:
    """`[caption]`: how to write captions.

    Attributes:
        decoder: how to choose words.
        length: the most tokens of a caption, its end included; that of the data if left open.
        unknown: whether the word for unknown words may appear.
    """

    decoder: Decoder = attrs.field(factory=lambda: builtin(Decoder, "greedy"))
    length: int | None = attrs.field(default=None, validator=optional([ge(1), le(LONGEST)]))
    unknown: bool = False


@attrs.frozen
class Spec:
    """A whole spec: data, network, training and captioning.

    Attributes:
        format: the version of the form of specs; there is only 1.
    """

    model: ModelTable
    format: int = attrs.field(default=1, validator=in_((1,)))
    data: DataTable = attrs.field(factory=DataTable)
    train: TrainTable = attrs.field(factory=TrainTable)
    caption: CaptionTable = attrs.field(factory=CaptionTable)
    origin: Origin = attrs.field(
        factory=Origin, eq=False, repr=False, kw_only=True, metadata={"option": False}
    )

    def with_data(self, folder: str | Path) -> Spec:
        """The same with another `data.path`.

        Raises:
            SpecError: the path is no UTF-8, so that no spec in a file could name it.
        """
        path = str(folder)
        if lone_surrogate(path):
            raise SpecError(
                f"the data folder {quoted(path)} has a name that is not UTF-8, which no spec can hold; rename the "
                "folder that has it, or give a path without it, from within that folder"
            )
        return attrs.evolve(self, data=attrs.evolve(self.data, path=path))
