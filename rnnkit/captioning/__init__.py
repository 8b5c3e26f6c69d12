"""Writes captions of many images, with one network or several, and says how good they are."""

from rnnkit.captioning.ensemble import Ensemble
from rnnkit.captioning.evaluation import Evaluation, evaluate
from rnnkit.captioning.images import Captioned, caption_split

__all__ = ["Captioned", "Ensemble", "Evaluation", "caption_split", "evaluate"]
