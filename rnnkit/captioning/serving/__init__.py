"""Serves captions: a page to try networks on, and an interface for programs."""

from rnnkit.captioning.serving.app import application
from rnnkit.captioning.serving.limits import Limits
from rnnkit.captioning.serving.models import Served, open_models

__all__ = ["Limits", "Served", "application", "open_models"]
