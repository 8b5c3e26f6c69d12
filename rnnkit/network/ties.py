"""Parameters of the head that are the very arrays of the words' embedding: once in the model, their gradients added."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import attrs

from rnnkit.kinds import Array, named_arrays
from rnnkit.kinds.arrays import with_values
from rnnkit.network.chain import Link
from rnnkit.registry.labels import name_of


def ties_of(head: Sequence[Link]) -> dict[str, str]:
    """Name of a parameter in the head -> that whose array it is."""
    return {
        f"head.{i}.{name}": f"words.0.{name}"
        for i, link in enumerate(head)
        for name in link.layer.ties
    }


def tied(head: Sequence[Link], words: Sequence[Link]) -> Iterator[Link | str]:
    """The links of a head with the arrays of the embedding in their places; for each that does not fit, why."""
    theirs = dict(named_arrays(words[0].params))
    for link in head:
        own = dict(named_arrays(link.params))
        for name in link.layer.ties:
            if name not in own:
                yield f"{name_of(link.plugin)} ties {name!r}, and has no such parameter"
                break
            if name not in theirs:
                yield f"{name_of(words[0].plugin)} has no {name!r} to tie it to; begin words with embedding"
                break
            if theirs[name].shape != own[name].shape:
                yield (
                    f"its {name} is {own[name].shape}, and that of {name_of(words[0].plugin)}, which it is tied to, is "
                    f'{theirs[name].shape}; put {{ use = "affine", units = {theirs[name].shape[-1]} }} before it, '
                    f"or make the embedding {link.in_features} wide"
                )
                break
        else:
            shared = {name: theirs[name] for name in link.layer.ties}
            yield attrs.evolve(link, params=with_values(link.params, own | shared, ""))


@attrs.define
class Ties:
    """Gradients of a backward pass, those of tied parameters added up.

    Attributes:
        of: as `ties_of` has it.
    """

    of: Mapping[str, str]
    _waiting: dict[str, Array] = attrs.field(factory=dict, init=False)

    def wanted(self, names: Collection[str] | None) -> Collection[str] | None:
        """The names, and those of parameters that are the same as one of them."""
        if names is None or not self.of:
            return names
        return {*names, *(own for own, of in self.of.items() if of in names)}

    def gather(self, made: Mapping[str, Array]) -> dict[str, Array]:
        """Gradients by the names of the model's parameters; those of the head wait for the embedding's."""
        found: dict[str, Array] = {}
        for name, gradient in made.items():
            if name in self.of:
                of = self.of[name]
                waiting = self._waiting.get(of)
                self._waiting[of] = gradient if waiting is None else waiting + gradient
            elif name in self._waiting:
                found[name] = gradient + self._waiting.pop(name)
            else:
                found[name] = gradient
        return found
