"""What a new plugin is called, in a spec, in Python and as a package."""

from __future__ import annotations

import builtins
import importlib.util
import keyword
import re

import attrs

import rnnkit.kinds
from rnnkit.errors import RegistryError
from rnnkit.kinds import Plugin
from rnnkit.registry import entries_of

LONGEST = 40

TAKEN = {*dir(rnnkit.kinds), *dir(builtins), "Callable", "ClassVar", "M"}
"""Names that the code of a new plugin may use for something else."""


@attrs.frozen
class Names:
    """One name in all its spellings.

    Attributes:
        name: in specs and on the command line, `leaky-integrator`.
        module: of the plugin's file, `leaky_integrator`.
        cls: of its class, `LeakyIntegrator`.
        distribution: what pip installs, `rnnkit-leaky-integrator`.
        package: what Python imports, `rnnkit_leaky_integrator`.
        spec_name: what a spec writes, with the distribution in front if others have the name too.
    """

    name: str
    module: str
    cls: str
    distribution: str
    package: str
    spec_name: str


def names_of(kind: type[Plugin], name: str, *, anyway: bool = False) -> Names:
    """The spellings of the name of a new plugin.

    Args:
        kind: of the plugin.
        name: lower-case words with hyphens between them.
        anyway: whether an installed plugin of that kind may have the name too.

    Raises:
        RegistryError: it is no good name, or it is taken; with the way out.
    """
    if len(name) > LONGEST or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise RegistryError(
            f"{name!r} cannot be the name of a plugin: use at most {LONGEST} characters, a to z, 0 to 9 and single "
            f"hyphens, with a letter first, such as {_mended(name) or f'my-{kind.noun}'!r}"
        )
    module = name.replace("-", "_")
    if keyword.iskeyword(module):
        raise RegistryError(
            f"{name!r} is a keyword of Python, so no module can have that name; "
            f"try {f'{name}-{kind.noun}'!r}"
        )
    claims = [entry for entry in entries_of(kind) if entry.name == name]
    if claims and not anyway:
        has = " and ".join(f"{entry.package} {entry.version}" for entry in claims)
        raise RegistryError(
            f"{has} has a {kind.noun} called {name!r} already; choose another name, or give "
            f"--anyway, and write 'rnnkit-{name}:{name}' in specs"
        )
    package = f"rnnkit_{module}"
    if importlib.util.find_spec(package) is not None:
        raise RegistryError(
            f"a Python package {package} is installed already, and this plugin's would have the same name; "
            f"choose another name, such as {f'{name}-{kind.noun}'!r}"
        )
    distribution = f"rnnkit-{name}"
    spec_name = f"{distribution}:{name}" if claims else name
    return Names(name, module, _class_name(kind, name), distribution, package, spec_name)


def _class_name(kind: type[Plugin], name: str) -> str:
    made = "".join(word.capitalize() for word in name.split("-"))
    used = {made, *(f"{made}{part}" for part in ("Params", "Cache", "Slots"))}
    return f"{made}{kind.noun.capitalize()}" if used & TAKEN else made


def _mended(name: str) -> str:
    """The nearest name that is one; empty if nothing is left of it."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
    return re.sub(r"[^a-z0-9]+", "-", words).lstrip("-0123456789")[:LONGEST].strip("-")
