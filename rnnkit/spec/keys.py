"""Where specs have what people look for: by the names of keys, and by those that other frameworks have for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import attrs

from rnnkit.kinds import KINDS, Plugin
from rnnkit.registry import closest, nearest, usable
from rnnkit.registry.options import default_of, element, option_types, table_of
from rnnkit.spec.places import Path, show
from rnnkit.spec.schema import Spec

ELSEWHERE: Final = {
    "lr": "learning_rate",
    "wd": "weight_decay",
    "l2": "weight_decay",
    "p": "rate",
    "drop_prob": "rate",
    "epsilon": "eps",
    "dim": "units",
    "out_features": "units",
    "embedding_dim": "dim",
    "embed_dim": "dim",
    "embed_size": "dim",
    "wordvec_dim": "dim",
    "size": "hidden",
    "units": "hidden",
    "hidden_dim": "hidden",
    "hidden_size": "hidden",
    "rnn_size": "hidden",
    "rnn_type": "cell",
    "cell_type": "cell",
    "batch_size": "batch",
    "bs": "batch",
    "max_epochs": "epochs",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "criterion": "loss",
    "optim": "optimizer",
    "lr_scheduler": "schedule",
    "scheduler": "schedule",
    "grad_clip": "clip",
    "clip_norm": "clip",
    "max_grad_norm": "clip",
    "max_len": "length",
    "max_length": "length",
    "random_seed": "seed",
    "random_state": "seed",
    "early_stopping": "patience",
    "label_smoothing": "smoothing",
    "beam_size": "width",
    "beam_width": "width",
    "num_beams": "width",
    "from": "since",
    "params": "parts",
    "lr_mult": "learning_rate",
    "freeze": "frozen",
    "requires_grad": "frozen",
    "ema": "average",
    "ema_decay": "average",
    "alpha": "decay",
    "rho": "decay",
}
"""What other frameworks call a key -> its name here."""

WRITTEN_OTHERWISE: Final = {
    "num_layers": "write [[model.rnn]] once for each layer",
    "n_layers": "write [[model.rnn]] once for each layer",
    "layers": "write [[model.rnn]] once for each layer",
    "dropout": 'dropout is a layer: model.head = [{ use = "dropout", rate = 0.5 }, "affine"]',
    "width": 'it is an option of the decoder: caption.decoder = { use = "beam", width = 3 }',
}
"""What is no key that any spec has, and how the same is said."""


def places_of(*words: str) -> list[str]:
    """The paths at which a spec has a key of this name, or of this name elsewhere: `model.rnn[0].hidden`.

    A plugin's options are among them where it is the default of its field.

    Args:
        words: the end of a path: `optimizer`, `lr` is `train.optimizer.learning_rate`.
    """
    paths = {path: tuple(key for key in path if isinstance(key, str)) for path in _keys(Spec, ())}
    plain = tuple(map(_plain, words))
    for names in (plain, tuple(ELSEWHERE.get(word, word) for word in plain)):
        found = [show(path) for path, keys in paths.items() if keys[-len(names) :] == names]
        if found:
            # What people bring from elsewhere is of the whole, as train.batch is, and not of a part of it.
            fewest = min(path.count(".") for path in found)
            return [path for path in found if path.count(".") == fewest]
    return []


def said_otherwise(word: str) -> str | None:
    """How a spec says what is no key of it, for the words that people bring from elsewhere."""
    word = _plain(word)
    return WRITTEN_OTHERWISE.get(word) or WRITTEN_OTHERWISE.get(ELSEWHERE.get(word, ""))


def instead(key: str, value: object, cls: type[Any], keys: Collection[str]) -> str:
    """What to write instead of a key with this value, which a table read into this class does not have."""
    meant = ELSEWHERE.get(_plain(key))
    if meant not in keys:
        meant = nearest(key, keys)
    if meant:
        return f"did you mean {meant!r}?"
    below = tuple(value) if isinstance(value, Mapping) and len(value) == 1 else ()
    places = places_of(key, *below) or places_of(key)
    if places:
        return f"it is written {' or '.join(places)}"
    holders = list(_holders(key, cls))
    if holders:
        return f"it is an option of {' and '.join(holders)}"
    return said_otherwise(key) or (closest(key, keys) if keys else "it takes no options")


def _plain(word: str) -> str:
    return word.lower().replace("-", "_")


def _keys(cls: type[Any], above: Path) -> Iterator[Path]:
    """Every key of a table, and of what is below it."""
    fields = attrs.fields_dict(cls)
    for name, want in option_types(cls).items():
        path = (*above, name)
        yield path
        item = element(want)
        table = table_of(want if item is None else item)
        default = default_of(fields[name])
        if table is not None:
            yield from _keys(table, path if item is None else (*path, 0))
        elif isinstance(default, Plugin):
            yield from _keys(type(default), path)
        elif isinstance(default, tuple) and default:
            yield from _keys(type(default[0]), (*path, 0))


def _holders(option: str, cls: type[Any]) -> Iterator[str]:
    """The plugins of the same kind that have this option."""
    for kind in KINDS:
        if issubclass(cls, kind):
            for entry, plugin in usable(kind):
                if option in option_types(plugin):
                    yield repr(entry.spec_name)
