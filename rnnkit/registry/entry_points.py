"""Plugins by name, from entry points: lazy, isolated from each other, every one with its provenance.

Scanning reads package metadata only. A plugin is imported when it is asked for, so one that fails to
import hurts nobody else; what it prints meanwhile goes to standard error. A name that two packages claim belongs to
neither: it is written `package:name`.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import metadata
from typing import Final, TypeVar

import attrs

from rnnkit.errors import RegistryError, closest, told
from rnnkit.kinds import API, KINDS, Cell, FreeStep, GatedCell, GatedStep, Plugin, RecurrentCell
from rnnkit.registry.declarations import Declaration, declarations
from rnnkit.registry.options import unreadable_options
from rnnkit.system.terminal import aside

K = TypeVar("K", bound=Plugin)

TIERS: Final = (GatedCell, Cell, GatedStep, FreeStep)
"""What a cell can be."""


@attrs.frozen
class Entry:
    """One plugin as a package declares it.

    Attributes:
        kind: of the plugin.
        name: of the plugin.
        package: that declares it, in its canonical spelling.
        version: of the package.
        target: `module:Class`.
        fault: what keeps it from being imported at all, and how to mend it; None if nothing does.
    """

    kind: type[Plugin]
    name: str
    package: str
    version: str
    target: str
    fault: str | None = None

    @property
    def full_name(self) -> str:
        """The name no other package can claim."""
        return f"{self.package}:{self.name}"

    @property
    def spec_name(self) -> str:
        """What a spec writes for this plugin: its short name, unless another package claims that too."""
        return self.full_name if len(_sound(_claims(self.kind)[self.name])) > 1 else self.name

    def __str__(self) -> str:
        return f"{self.kind.noun} {self.name!r} from {self.package} {self.version} ({self.target})"


@attrs.frozen
class Row:
    """One line of the list of plugins: an entry, and what keeps it from being used, if anything."""

    entry: Entry
    problem: str | None


def names(kind: type[Plugin]) -> list[str]:
    """The names registered for a kind, in order."""
    return list(_claims(kind))


def load(kind: type[K], name: str) -> type[K]:
    """The plugin class of that kind registered as `name`, or as `package:name`.

    Raises:
        RegistryError: there is none, or more than one; it fails to import; or it does not fit its kind.
    """
    return _load(_find(kind, name), kind)


def load_entry(entry: Entry) -> type[Plugin]:
    """The plugin class of an entry.

    Raises:
        RegistryError: it is declared wrongly, fails to import, or does not fit its kind.
    """
    return _load(entry, entry.kind)


def entry_of(plugin: Plugin) -> Entry | None:
    """Where a plugin comes from; None if no installed package declares its class."""
    return entry_of_class(type(plugin))


def entry_of_class(cls: type[Plugin]) -> Entry | None:
    """The entry that declares a plugin class; None if no installed package does."""
    own_target = f"{cls.__module__}:{cls.__qualname__}"
    entries = [e for k in KINDS if issubclass(cls, k) for e in entries_of(k)]
    return next((e for e in entries if _LOADED.get(e) is cls or e.target == own_target), None)


def entries_of(kind: type[Plugin]) -> Iterator[Entry]:
    """Every entry of a kind, of every package."""
    for claims in _claims(kind).values():
        yield from claims


def entries_called(name: str, kind: type[Plugin] | None = None) -> list[Entry]:
    """Every entry that is called `name`, or `package:name`, of one kind or of all; nothing is imported.

    Raises:
        RegistryError: there is none; with the nearest name there is.
    """
    kinds = KINDS if kind is None else (kind,)
    package, colon, short = name.rpartition(":")
    found = [
        entry
        for k in kinds
        for entry in entries_of(k)
        if entry.name == short and (not colon or package == entry.package)
    ]
    if not found:
        noun = "plugin" if kind is None else kind.noun
        known = {n for k in kinds for n in names(k)}
        raise RegistryError(f"no {noun} is called {name!r}; {closest(name, known)}")
    return list(_sound(found))


def kind_called(noun: str) -> type[Plugin]:
    """The kind that users call by this noun.

    Raises:
        RegistryError: there is none.
    """
    for kind in KINDS:
        if kind.noun == noun:
            return kind
    nouns = [kind.noun for kind in KINDS]
    raise RegistryError(f"there is no kind {noun!r}; {closest(noun, nouns)}")


def survey(kinds: Iterable[type[Plugin]] = KINDS) -> Iterator[Row]:
    """Every entry of these kinds with what is wrong with it, if anything: this imports them all."""
    for kind in kinds:
        for entry in entries_of(kind):
            try:
                load_entry(entry)
                _find(kind, entry.name)
                yield Row(entry, None)
            except RegistryError as e:
                yield Row(entry, str(e))


def usable(kind: type[K]) -> Iterator[tuple[Entry, type[K]]]:
    """Every entry of a kind that loads, with its class: this imports them all."""
    for entry in entries_of(kind):
        try:
            yield entry, _load(entry, kind)
        except RegistryError:
            continue


def packages_with_plugins(distribution: metadata.Distribution) -> set[str]:
    """The packages, as they are imported, in which a distribution has the plugins that it declares."""
    declared = (p for p in distribution.entry_points if p.group.startswith("rnnkit."))
    return {point.module.partition(".")[0] for point in declared}


_LOADED: dict[Entry, type[Plugin]] = {}


@cache
def _claims(kind: type[Plugin]) -> dict[str, tuple[Entry, ...]]:
    """Name -> every claim on it."""
    found: dict[str, list[Entry]] = {}
    for d in _declared():
        if d.group == kind.group:
            entry = Entry(kind, d.name, d.package, d.version, d.target, d.fault)
            found.setdefault(d.name, []).append(entry)
    return {name: tuple(found[name]) for name in sorted(found)}


@cache
def _declared() -> tuple[Declaration, ...]:
    return tuple(declarations([kind.group for kind in KINDS]))


def _sound(claims: Sequence[Entry]) -> Sequence[Entry]:
    """Those that may be imported; all of them if none may, for what is wrong to be told."""
    return [entry for entry in claims if entry.fault is None] or claims


def _find(kind: type[Plugin], name: str) -> Entry:
    package, colon, short = name.rpartition(":")
    claims = _claims(kind).get(short, ())
    if colon:
        claims = tuple(e for e in claims if e.package == package)
    claims = tuple(_sound(claims))
    if not claims:
        raise RegistryError(
            f"no {kind.noun} is called {name!r}; {closest(name, _claims(kind))} "
            f"(packages add more under the entry-point group {kind.group!r})"
        )
    if len(claims) > 1:
        choices = " or ".join(repr(e.full_name) for e in claims)
        raise RegistryError(
            f"{len(claims)} packages provide a {kind.noun} called {name!r}; write {choices}"
        )
    return claims[0]


def _load(entry: Entry, kind: type[K]) -> type[K]:
    if entry.fault is not None:
        raise RegistryError(f"{entry}: {entry.fault}")
    if entry not in _LOADED:
        point = metadata.EntryPoint(entry.name, entry.target, kind.group)
        with blaming(f"{entry} fails to import"):
            loaded: object = point.load()
        with blaming(f"{entry} fails when it is looked at"):
            cls = _conforming(entry, loaded, kind)
        _LOADED[entry] = cls
        return cls
    known = _LOADED[entry]
    assert issubclass(known, kind)
    return known


@contextlib.contextmanager
def blaming(what: str) -> Iterator[None]:
    """While a plugin's own code runs: what it prints goes to standard error, which is no part of any result.

    Raises:
        RegistryError: whatever the code raises, as `what: error [file:line]`; only Ctrl-C is the user's.
    """
    try:
        with contextlib.redirect_stdout(aside()):
            yield
    except (RegistryError, KeyboardInterrupt):
        raise
    except BaseException as e:
        raise RegistryError(f"{what}: {told(e)}") from e


def _conforming(entry: Entry, loaded: object, kind: type[K]) -> type[K]:
    """`loaded`, if it fits its kind; else every reason why not, a sentence each."""
    if not isinstance(loaded, type):
        raise RegistryError(f"{entry} is not a class but {type(loaded).__name__} {loaded!r}")
    if not issubclass(loaded, kind):
        raise RegistryError(f"{entry} is not a subclass of rnnkit.kinds.{kind.__name__}")
    problems = list(misfits(loaded, kind))
    if problems:
        raise RegistryError(f"{entry}: {'; '.join(problems)}")
    return loaded


def misfits(cls: type[Plugin], kind: type[Plugin]) -> Iterator[str]:
    """What keeps a class from being a plugin of a kind, a sentence each."""
    for look in (repr, str, hash, dir):  # what is done with any class sooner or later
        look(cls)
    if cls.api != API:
        yield f"it is written for plugin API {cls.api}, and this rnnkit has API {API}"
    if issubclass(cls, RecurrentCell) and not issubclass(cls, TIERS):
        yield (
            "a cell must subclass GatedCell (pointwise) or Cell (free form), or GatedStep or FreeStep to have its step "
            "back derived"
        )
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        yield f"it does not define {', '.join(missing)}"
    if issubclass(cls, GatedCell | GatedStep):
        yield from _gate_misfits(cls)
    yield from _signature_misfits(cls, kind)
    if "__attrs_attrs__" not in vars(cls):
        yield "its class is not decorated with @attrs.frozen"
    elif not _is_frozen(cls):
        yield "its class is @attrs.define, and must be @attrs.frozen"
    if attrs.has(cls):
        yield from unreadable_options(cls)


def _gate_misfits(cls: type[Plugin]) -> Iterator[str]:
    for attribute in ("x_gates", "h_gates"):
        gates = getattr(cls, attribute, None)
        if not (isinstance(gates, tuple) and all(isinstance(g, str) for g in gates)):
            yield f"{attribute} must be set to a tuple of gate names"
        elif len(set(gates)) < len(gates):
            yield f"{attribute} names a gate twice: {gates!r}"
    if getattr(cls, "x_gates", None) == ():
        yield "x_gates must name at least one gate; without it the input never reaches the cell"


def _signature_misfits(cls: type[Plugin], kind: type[Plugin]) -> Iterator[str]:
    """Methods that the core could not call as the interface says."""
    if kind is RecurrentCell:
        kind = next((tier for tier in TIERS if issubclass(cls, tier)), Cell)
    for name in sorted(getattr(kind, "__abstractmethods__", ())):
        method = inspect.getattr_static(cls, name)
        if getattr(method, "__isabstractmethod__", False):
            continue
        if isinstance(inspect.getattr_static(kind, name), property):
            if inspect.isfunction(method):
                yield f"{name} is a method: write @property above it"
            continue
        wanted = list(inspect.signature(getattr(kind, name)).parameters)
        try:
            has = inspect.signature(getattr(cls, name))
        except (TypeError, ValueError):
            yield f"{name} is {method!r}, of which Python cannot tell the arguments: write it with def"
            continue
        try:
            has.bind(*wanted)
        except TypeError:
            yield f"{name} takes ({', '.join(has.parameters)}), not ({', '.join(wanted)})"


def _is_frozen(cls: type[Plugin]) -> bool:
    try:
        cls.__setattr__(object(), "probe", None)  # an abstract class has no instance
    except attrs.exceptions.FrozenInstanceError:
        return True
    except (AttributeError, TypeError):
        pass
    return False
