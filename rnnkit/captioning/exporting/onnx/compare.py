"""Whether ONNX Runtime computes what rnnkit does, and where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from onnx import ModelProto

from rnnkit.captioning.exporting.onnx.network import ATTENTION, Traced, named_states
from rnnkit.captioning.exporting.search import Search
from rnnkit.data.photos.networks import open_session
from rnnkit.errors import DataError
from rnnkit.kinds import Array, Ints, block_repeats
from rnnkit.network.memory import Remembered
from rnnkit.network.model import Captioner
from rnnkit.registry.labels import name_of

SAME: Final = 1e-4
"""The largest difference that is no difference: of numbers up to 1, and relative to larger ones."""

OTHER: Final = "what would be exported is another network"

WORDS: Final = 4
"""Words after which all that is remembered is compared."""


def compare_features(
    file: ModelProto, given: Mapping[str, Any], features: Array
) -> tuple[Array, float]:
    """Compare what an encoder gives for pictures.

    Args:
        file: pictures -> features.
        given: pictures, by the name that the file has for them.
        features: (N, F), as rnnkit has them.

    Returns:
        Those of ONNX Runtime, and the largest difference, relative to the largest feature of a picture.

    Raises:
        DataError: it is too large.
    """
    (found,) = _runner(file)(given).values()
    largest = np.abs(features).max(axis=1, keepdims=True)
    apart = np.abs(found - features) / np.maximum(1.0, largest)
    if not apart.max(initial=0.0) <= SAME:
        picture, k = np.unravel_index(apart.argmax(), apart.shape)
        raise DataError(
            f"the encoder is another one in ONNX Runtime: feature {k} of a picture is {found[picture, k]:.6f} there, and "
            f"{features[picture, k]:.6f} here"
        )
    return found, float(apart.max(initial=0.0))


def compare_parts(
    begin: ModelProto, step: ModelProto, network: Traced, given: Mapping[str, Any], features: Array
) -> float:
    """Compare the state before the first word, and what comes after each of a few words.

    Args:
        begin: what comes before the first word.
        step: what comes after each.
        network: what they were made of.
        given: images, by the name that `begin` has for them.
        features: (N, F), of these.

    Returns:
        The largest difference.

    Raises:
        DataError: it is too large; with its place.
    """
    model, rng = network.model, np.random.default_rng(0)
    memory: Remembered = model.begin(features)
    found = _runner(begin)(given)
    largest = _apart(found, _of(memory, network), model, "before the first word")
    inputs = {slot.name: found[slot.name] for slot in network.memory}
    run = _runner(step)
    for t in range(1, WORDS + 1):
        tokens = rng.integers(0, len(model.vocabulary), len(features))
        found = run({"tokens": tokens, **inputs})
        wanted = _attention(memory, network)
        log_probs, memory = model.writing_step(tokens, memory)
        wanted |= {f"next.{name}": a for name, a in _of(memory, network).items()}
        wanted["log_probs"] = log_probs
        largest = max(largest, _apart(found, wanted, model, f"after word {t}"))
        inputs = {slot.name: found[f"next.{slot.name}"] for slot in network.memory}
    return largest


def compare_whole(
    file: ModelProto, model: Captioner, search: Search, given: Mapping[str, Any], features: Array
) -> float:
    """Compare captions: each has the log probabilities that rnnkit gives it, and is the one that the search finds.

    Two words, or two captions, that are as likely but for rounding may be in each other's place.

    Args:
        file: the whole captioner.
        model: the network.
        search: how the file searches.
        given: images, by the name that the file has for them.
        features: (N, F), of these.

    Returns:
        The largest difference of the log probability of a word.

    Raises:
        DataError: they are not; with the image, and the word.
    """
    found = _runner(file)(given)
    N, L = len(features), found["tokens"].shape[-1]
    totals = found["log_probs"].reshape(N, -1)
    K, largest = totals.shape[1], 0.0
    image = np.repeat(np.arange(N), K)
    tokens, gains = (found[name].reshape(N * K, L) for name in ("tokens", "token_log_probs"))
    live = np.isfinite(totals).reshape(-1)
    for t, (chosen, best) in enumerate(_rescored(model, features[image], tokens, search)):
        apart = np.where(live, _difference(gains[:, t], chosen), 0.0)
        k = int(apart.argmax())
        if not apart[k] <= SAME:
            raise DataError(
                f"{OTHER}: word {t + 1} of a caption of image {image[k]} has log probability {gains[k, t]:.6f} in "
                f"ONNX Runtime, and {chosen[k]:.6f} here"
            )
        with np.errstate(invalid="ignore"):
            missed = np.where(live & (search.width is None), best - chosen, 0.0)
        if missed.max() > SAME:
            raise DataError(
                f"{OTHER}: word {t + 1} of the caption of image {image[missed.argmax()]} is not the likeliest one"
            )
        largest = max(largest, float(apart[k]))
        live &= tokens[:, t] != model.vocabulary.end
    if search.width is not None:
        _compare_ranks(tokens.reshape(N, K, L), totals, model, search, features)
    return largest


def _rescored(
    model: Captioner, features: Array, tokens: Ints, search: Search
) -> Iterator[tuple[Array, Array]]:
    """For each place of the captions (n, L): the log probability of its token, and the largest there, (n,)."""
    memory, everyone = model.begin(features), np.arange(len(tokens))
    last = np.full(len(tokens), model.vocabulary.start)
    for t in range(tokens.shape[1]):
        log_probs, memory = model.writing_step(last, memory)
        last = tokens[:, t]
        if search.no_repeat:
            block_repeats(log_probs, tokens[:, :t], search.no_repeat)
        yield log_probs[everyone, last], log_probs.max(axis=1)


def _compare_ranks(
    tokens: Ints, totals: Array, model: Captioner, search: Search, features: Array
) -> None:
    wanted = model.decode(features, search.decoder)
    ranks, theirs = (
        _ranks(t, p, model, search)
        for t, p in ((wanted.tokens, wanted.log_probs), (tokens, totals))
    )
    apart = np.where(np.isfinite(ranks), np.abs(np.nan_to_num(ranks - theirs, nan=np.inf)), 0.0)
    if apart.max(initial=0.0) > SAME:
        image, k = np.unravel_index(apart.argmax(), apart.shape)
        raise DataError(
            f"{OTHER}: caption {k + 1} of image {image} has rank {theirs[image, k]:.6f} in "
            f"ONNX Runtime, and {ranks[image, k]:.6f} here"
        )


def _ranks(tokens: Ints, totals: Array, model: Captioner, search: Search) -> Array:
    """What a beam ranks captions by: log p / length^penalty."""
    ended = tokens == model.vocabulary.end
    lengths = np.where(ended.any(axis=2), ended.argmax(axis=2) + 1, tokens.shape[2])
    ranks: Array = totals / lengths**search.length_penalty
    return ranks


def _runner(file: ModelProto) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Runs a file: all outputs by name, from its inputs by name."""
    session = open_session(file.SerializeToString(), "the exported file", "onnx")
    names = [port.name for port in session.get_outputs()]
    return lambda given: dict(zip(names, session.run(names, dict(given)), strict=True))


def _of(memory: Remembered, network: Traced) -> dict[str, Array]:
    """The arrays of a memory, by their names in the file."""
    known = {**named_states(memory.states), "image": memory.image}
    return {port.name: known[port.name] for port in network.memory}


def _attention(memory: Remembered, network: Traced) -> dict[str, Array]:
    cells = [row.cell for row in network.model.spec.model.rnn]
    weights = [cell.attention(s) for cell, s in zip(cells, memory.states, strict=True)]
    return {f"{ATTENTION}.{i}": w for i, w in enumerate(weights) if w is not None}


def _apart(
    found: Mapping[str, Any], wanted: Mapping[str, Array], model: Captioner, when: str
) -> float:
    """The largest difference of what is found and wanted."""
    largest = 0.0
    for name, want in wanted.items():
        got = found[name]
        finite = np.isfinite(want)
        if got.shape != want.shape or not np.array_equal(np.isfinite(got), finite):
            raise DataError(f"{OTHER}: {_said(name, model)} {when} has other places")
        apart = _difference(got[finite], want[finite])
        largest = max(largest, float(apart.max(initial=0.0)))
        if largest > SAME:
            raise DataError(f"{OTHER}: {_said(name, model)} differs by {largest:.1e} {when}")
    return largest


def _difference(got: Array, want: Array) -> Array:
    """How far numbers are apart, relative to those above 1."""
    finite = np.isfinite(want)
    with np.errstate(invalid="ignore"):
        apart: Array = np.abs(got - want) / np.where(finite, np.maximum(1.0, np.abs(want)), 1.0)
    return apart


def _said(name: str, model: Captioner) -> str:
    """What a user calls an output of the parts."""
    kind, *rest = name.removeprefix("next.").split(".")
    if kind not in ("state", ATTENTION):
        return {"log_probs": "the log probability of a word"}.get(kind, f"the {kind}")
    i, *slot = rest
    cell = name_of(model.spec.model.rnn[int(i)].cell)
    return f"the {kind} {'.'.join(slot)}".rstrip() + f" of recurrent layer {i} ({cell})"
