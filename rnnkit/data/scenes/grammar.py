"""The language of the captions: to write it, and to read it.

caption  = [ "there is" ] thing [ relation thing | "with" thing place | "on its own" ]
         | relation thing ( "is" | "there is" ) thing
thing    = "a" size colour shape
relation = "left of" | "to the left of" | ... | "below" | "under"
place    = "to its left" | "to its right" | "above it" | "below it"
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from rnnkit.data.scenes.world import COLOURS, REACH, SIZES, Relation, Scene, Thing
from rnnkit.kinds.arrays import Rng

RELATIONS = {
    "left of": Relation.LEFT,
    "to the left of": Relation.LEFT,
    "right of": Relation.RIGHT,
    "to the right of": Relation.RIGHT,
    "above": Relation.ABOVE,
    "over": Relation.ABOVE,
    "below": Relation.BELOW,
    "under": Relation.BELOW,
}
PLACES = {
    "to its left": Relation.LEFT,
    "to its right": Relation.RIGHT,
    "above it": Relation.ABOVE,
    "below it": Relation.BELOW,
}
ALONE = "on its own"
WORDS = sorted(
    {
        word
        for phrase in (*RELATIONS, *PLACES, *SIZES, *COLOURS, *REACH, ALONE, "there is a with")
        for word in phrase.split()
    }
)


@attrs.frozen
class Statement:
    """What a caption says: a thing, alone or in a relation to another one."""

    subject: Thing
    relation: Relation | None = None
    other: Thing | None = None


def choose_captions(scene: Scene, rng: Rng) -> list[str]:
    """Different captions of a scene, all true: one of each form, in words chosen at random.

    The form says which object comes first, so that a caption once begun is easy to go on with.
    """
    phrases = [f"a {o.thing.size} {o.thing.colour} {o.thing.shape}" for o in scene.objects]
    relation = scene.relation
    if relation is None:
        (a,) = phrases
        return [a, f"there is {a}", f"{a} {ALONE}"]
    a, b = phrases
    forward, back = relation, relation.inverse

    def say(meaning: Relation, table: Mapping[str, Relation] = RELATIONS) -> str:
        choice = [words for words, m in table.items() if m is meaning]
        return choice[rng.integers(len(choice))]

    return [
        f"{a} {say(forward)} {b}",
        f"{a} with {b} {say(back, PLACES)}",
        f"there is {b} {say(back)} {a}",
        f"{say(back)} {a} is {b}",
        f"{say(forward)} {b} there is {a}",
    ]


def describes(caption: str, scene: Scene) -> bool:
    """Whether a caption says exactly what the scene shows.

    Both objects must be named with their sizes, colours and shapes, and stand in the relation that is
    claimed; which is named first, and in which words, is free.

    Args:
        caption: words with spaces between them; what the grammar does not know describes nothing.
    """
    said = parse(caption)
    if said is None:
        return False
    things = [o.thing for o in scene.objects]
    if said.relation is None or scene.relation is None:
        return said.relation is scene.relation and things == [said.subject]
    a, b = things
    return (said.subject, said.relation, said.other) in (
        (a, scene.relation, b),
        (b, scene.relation.inverse, a),
    )


def parse(caption: str) -> Statement | None:
    """What a caption says, or None if it is not one of the grammar."""
    try:
        return _Reader(caption.split()).caption()
    except _NotInGrammar:
        return None


class _NotInGrammar(Exception):
    """The words left to read are not what the grammar wants here."""


class _Reader:
    """Reads by recursive descent: each method consumes the words of one rule."""

    def __init__(self, words: list[str]) -> None:
        self.words = words

    def caption(self) -> Statement:
        relation = self.one_of(RELATIONS)
        if relation is not None:
            other = self.thing()
            if not self.next("there is"):
                self.need("is")
            return self.end(Statement(self.thing(), relation, other))
        self.next("there is")
        subject = self.thing()
        if self.next("with"):
            other = self.thing()
            place = self.one_of(PLACES)
            if place is None:
                raise _NotInGrammar
            return self.end(Statement(subject, place.inverse, other))
        relation = self.one_of(RELATIONS)
        if relation is not None:
            return self.end(Statement(subject, relation, self.thing()))
        self.next(ALONE)
        return self.end(Statement(subject))

    def thing(self) -> Thing:
        self.need("a")
        return Thing(self.word(SIZES), self.word(COLOURS), self.word(REACH))

    def word(self, known: Collection[str]) -> str:
        if not self.words or self.words[0] not in known:
            raise _NotInGrammar
        return self.words.pop(0)

    def one_of(self, phrases: Mapping[str, Relation]) -> Relation | None:
        return next((meaning for phrase, meaning in phrases.items() if self.next(phrase)), None)

    def next(self, phrase: str) -> bool:
        """Consume a phrase, if it comes next."""
        words = phrase.split()
        found = self.words[: len(words)] == words
        if found:
            del self.words[: len(words)]
        return found

    def need(self, phrase: str) -> None:
        if not self.next(phrase):
            raise _NotInGrammar

    def end(self, statement: Statement) -> Statement:
        if self.words:
            raise _NotInGrammar
        return statement
