"""The captioning network of the assignment, over rnnkit's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from rnnkit.compat.ie590.rnn_layers import vanilla
from rnnkit.data.vocabulary import END, NULL, START, Vocabulary
from rnnkit.kinds import Array, Ints
from rnnkit.network.builder import assemble
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes
from rnnkit.spec import ModelTable, RnnTable, Spec
from rnnkit_builtin.cells.lstm import LSTM
from rnnkit_builtin.layers.affine import Affine
from rnnkit_builtin.layers.embedding import Embedding

__all__ = ["CaptioningRNN"]

NAMES: Final = {
    "W_embed": "words.0.W",
    "W_proj": "image.0.W",
    "b_proj": "image.0.b",
    "Wx": "rnn.0.Wx",
    "Wh": "rnn.0.Wh",
    "b": "rnn.0.b",
    "W_vocab": "head.0.W",
    "b_vocab": "head.0.b",
}
"""The assignment's names of parameters, in the order in which they are drawn, and rnnkit's."""

LENGTH: Final = 17
"""Tokens of a caption in the assignment's data; the network takes others as well."""


class CaptioningRNN:
    """Image features -> h0; words -> embedding -> recurrent cell -> scores -> masked softmax loss.

    Attributes:
        params: the parameters by the assignment's names. What is in here is what `loss` and `sample` compute with,
            so entries may be replaced, or changed in place.
        word_to_idx, idx_to_word: tokens of words, and words of tokens.
        cell_type: rnn or lstm.
        dtype: of the parameters when they are made.
        use_tanh: whether the activation of cell type rnn is tanh, rather than sigmoid.
    """

    def __init__(
        self,
        word_to_idx: Mapping[str, int],
        input_dim: int = 512,
        wordvec_dim: int = 128,
        hidden_dim: int = 128,
        cell_type: str = "rnn",
        dtype: npt.DTypeLike = np.float32,
        use_tanh: bool = True,
    ) -> None:
        """Draw parameters from NumPy's global generator.

        Args:
            word_to_idx: tokens by word, `<NULL>` among them; V is their number.
            input_dim: D, width of the image features.
            wordvec_dim: W, width of the word vectors.
            hidden_dim: H.
            cell_type: "rnn" or "lstm".
            dtype: of the parameters, which are drawn in float64 whatever it is.
            use_tanh: see the class.

        Raises:
            ValueError: another cell type.
        """
        if cell_type not in ("rnn", "lstm"):
            raise ValueError(f'Invalid cell_type "{cell_type}"; it must be "rnn" or "lstm"')
        self.cell_type, self.dtype, self.use_tanh = cell_type, dtype, use_tanh
        self.word_to_idx = word_to_idx
        self.idx_to_word = {token: word for word, token in word_to_idx.items()}
        self._null = word_to_idx[NULL]
        self._start, self._end = word_to_idx.get(START), word_to_idx.get(END)
        cell = vanilla(use_tanh) if cell_type == "rnn" else LSTM()
        table = ModelTable(
            rnn=(RnnTable(hidden_dim, cell),),
            image=(Affine(),),
            words=(Embedding(wordvec_dim),),
            head=(Affine(),),
        )
        self._network = assemble(Spec(table), Sizes(input_dim, self._vocabulary(), LENGTH))
        shapes = {ours: self._network.parameters[name].shape for ours, name in NAMES.items()}
        self.params: dict[str, Array] = {
            name: _draw(name, shape).astype(dtype) for name, shape in shapes.items()
        }

    def loss(self, features: Array, captions: Ints) -> tuple[float, dict[str, Array]]:
        """The loss of a batch and its gradients by the names of `params`.

        Args:
            features: (N, D).
            captions: (N, T); a position has a loss where the word after it is not `<NULL>`.

        Returns:
            (loss, gradients): the sum over all positions divided by N.
        """
        loss, gradients = self._current().loss_and_gradients(features, captions)
        return loss, {ours: gradients[theirs] for ours, theirs in NAMES.items()}

    def sample(self, features: Array, max_length: int = 30) -> Ints:
        """The likeliest word after the likeliest word, for image features (N, D).

        Returns:
            (N, max_length), int32, without `<START>`. It goes on after `<END>`, as the original does.

        Raises:
            ValueError: there is no word `<START>` to begin with.
        """
        if self._start is None:
            raise ValueError(f"word_to_idx has no {START}, which every caption begins with")
        network = self._current()
        memory = network.begin(features)
        words = np.full(len(features), self._start)
        captions = np.full((len(features), max_length), self._null, np.int32)
        for t in range(max_length):
            log_probs, memory = network.step(words, memory)
            words = log_probs.argmax(axis=1)
            captions[:, t] = words
        return captions

    def _current(self) -> Captioner:
        """The network that computes with the arrays that are in `params` now, in the widest of their types."""
        arrays = {theirs: self.params[ours] for ours, theirs in NAMES.items()}
        dtype = np.result_type(*arrays.values())
        values = {name: w.astype(dtype, copy=False) for name, w in arrays.items()}
        network = self._network.with_parameters(values)
        table = attrs.evolve(
            network.spec.model,
            dtype=dtype.name,  # type: ignore[arg-type]  # complex128 too, for a complex step
        )
        return attrs.evolve(network, spec=attrs.evolve(network.spec, model=table))

    def _vocabulary(self) -> Vocabulary:
        """V words. Tokens of V and more have no place in it: no network of V words can read or write them."""
        words = tuple(self.idx_to_word.get(token, "") for token in range(len(self.word_to_idx)))
        return Vocabulary(words, self._null, self._start or 0, self._end or 0, unknown=None)


def _draw(name: str, shape: tuple[int, ...]) -> Array:
    """Biases of 0, word vectors of standard deviation 1/100, other weights of 1/sqrt(fan-in)."""
    if len(shape) == 1:
        return np.zeros(shape)
    return np.random.randn(*shape) / (100 if name == "W_embed" else np.sqrt(shape[0]))
