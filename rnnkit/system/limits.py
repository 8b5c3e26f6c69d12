"""Where numbers end that would otherwise only end with the machine."""

from typing import Final

WIDEST: Final = 1_000_000
"""Numbers side by side: words of a vocabulary, of a state, out of a layer. Two such layers fit into no machine."""

MOST_FEATURES: Final = 100_000_000
"""Numbers of an image, which may be a map of many places."""

LONGEST: Final = 100_000
"""Tokens of a caption."""

MOST: Final = 1_000_000_000
"""What is counted: epochs, captions, updates."""

MOST_PICTURES: Final = 100_000
"""Of a split that is drawn; their names have five digits."""

MOST_RUNS: Final = 10_000
"""Of a comparison."""

MOST_ELEMENTS: Final = 10_000
"""Of an array in a spec."""
