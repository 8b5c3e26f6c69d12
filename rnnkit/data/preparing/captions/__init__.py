"""Caption files as people have them, each form a module."""

from rnnkit.data.preparing.captions.reading import FORMS, read_captions

__all__ = ["FORMS", "read_captions"]
