"""Draws scenes: pictures of coloured shapes, with captions, for a first network that trains in minutes.

A picture shows a shape, or two in a relation ("a small red circle left of a large blue square"), with several
captions. No picture of val shows a pair of things (or, alone, a thing) that any picture of train shows, in
whatever relation; so captions of val cannot be remembered, they must be composed. And as the captions
are of a grammar, `describes` can tell whether one is true, in whatever words.
"""

from rnnkit.data.scenes.draw import Pixels, draw
from rnnkit.data.scenes.features import features, features_at_once
from rnnkit.data.scenes.files import load_scenes, write_scenes
from rnnkit.data.scenes.grammar import describes
from rnnkit.data.scenes.world import SIDE, Object, Relation, Scene, Thing

__all__ = [
    "SIDE",
    "Object",
    "Pixels",
    "Relation",
    "Scene",
    "Thing",
    "describes",
    "draw",
    "features",
    "features_at_once",
    "load_scenes",
    "write_scenes",
]
