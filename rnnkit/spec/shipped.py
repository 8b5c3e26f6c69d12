"""The specs that come with rnnkit: in the folder specs of a clone, and in the package once it is installed."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from rnnkit.errors import SpecError
from rnnkit.registry import closest


def shipped() -> dict[str, str]:
    """Name -> TOML of each spec, in order of names."""
    inside = files("rnnkit").joinpath("specs")
    folder: Traversable = inside if inside.is_dir() else files("rnnkit").joinpath("..", "specs")
    texts = {
        file.name.removesuffix(".toml"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    }
    return {name: texts[name] for name in sorted(texts)}


def shipped_spec(name: str) -> str:
    """The TOML of one.

    Raises:
        SpecError: there is none of this name.
    """
    texts = shipped()
    if name not in texts:
        raise SpecError(f"no spec is called {name!r}; {closest(name, texts)}")
    return texts[name]


def about(text: str) -> str:
    """What a spec says of itself in its first line."""
    return text.partition("\n")[0].lstrip("# ")
