"""TOML into the attrs classes of a spec: strict, and with all problems at once.

One rule makes everything replaceable: a field typed as a plugin kind takes a plugin's name, or
`{ use = "name", ... }` whose other keys are that plugin's own fields. Without `use`, the options are those of
the field's default plugin. A field that takes an array of plugins takes a single one as well.
"""

from __future__ import annotations

import math
import re
import tomllib
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, Literal, TypeVar

import attrs

from rnnkit.errors import RegistryError, SpecError, quoted
from rnnkit.kinds import Plugin
from rnnkit.registry import closest, load, names
from rnnkit.registry.options import (
    SCALARS,
    Annotation,
    alternatives,
    default_of,
    element,
    is_option,
    noun,
    option_types,
    plugin_kind,
)
from rnnkit.registry.returned import instance
from rnnkit.spec.keys import instead
from rnnkit.spec.origin import TOLD, Origin, Place, Problem
from rnnkit.spec.overrides import apply_overrides, as_texts, not_toml, read_override
from rnnkit.spec.places import Path, lines_of, show
from rnnkit.spec.schema import Spec
from rnnkit.spec.toml import parse
from rnnkit.system.limits import MOST_ELEMENTS
from rnnkit.system.unicode import lone_surrogate
from rnnkit.system.why import Refused, check_ordinary

T = TypeVar("T")
P = TypeVar("P", bound=Plugin)

_WRONG: Any = object()
"""Stands for a value that could not be read; its problem has been noted."""


def read_spec(file: str | FilePath, overrides: Sequence[str] = ()) -> Spec:
    """Read a spec file.

    Args:
        file: a TOML file.
        overrides: `path=value` texts that go over the file's values.

    Raises:
        SpecError: a line `file:line: path: what` for each problem.
    """
    return parse_spec(source_of(file), str(file), overrides)


def source_of(file: str | FilePath) -> str:
    """The text of a spec file.

    Raises:
        SpecError: it cannot be read.
    """
    file = FilePath(file)
    if file.is_dir():
        raise SpecError(f"{file} is a folder, not a spec; {_instead_of(file)}")
    if file.suffix == ".h5":
        raise SpecError(f"{file} is a model file, not a spec; {_instead_of(file.parent)}")
    try:
        check_ordinary(file)
        return file.read_text(encoding="utf-8")
    except Refused as e:
        raise SpecError(f"{file} {e}") from e
    except OSError as e:
        raise SpecError(f"{file}: cannot read the spec: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise SpecError(f"{file}: the spec is not UTF-8 text: {e.reason} at byte {e.start}") from e


def _instead_of(folder: FilePath) -> str:
    """What to give instead of a folder, or of a file in it."""
    spec = folder / "spec.toml"
    if not spec.is_file():
        return "give a TOML file"
    return f"the spec of that run is {spec}; to go on with the run: rnnkit train --resume {folder}"


def parse_spec(source: str, name: str = "spec", overrides: Iterable[str] = ()) -> Spec:
    """Read a spec from TOML text; `name` stands for the file in messages."""
    reader, spec, origin = _read(source, name, as_texts(overrides))
    if reader.problems:
        raise origin.error(reader.problems)
    return attrs.evolve(spec, origin=origin)


def read_options(cls: type[T], options: Mapping[str, object], label: str) -> T:
    """A plugin of this class with options from Python, read as those of a spec are.

    Args:
        cls: of the plugin.
        options: may be plugins and tuples besides what TOML has, and None where that is the default.
        label: what stands before each problem.

    Raises:
        RegistryError: a line `label: option: what` for each problem.
    """
    reader = _Reader((), ())
    values = {key: list(v) if isinstance(v, tuple) else v for key, v in options.items()}
    plugin = reader.table(values, cls, ())
    if reader.problems:
        lines = (": ".join(filter(None, (label, show(p.path), p.text))) for p in reader.problems)
        raise RegistryError("\n".join(lines))
    return plugin


def read_plugin(kind: type[P], text: str, default: P | None = None) -> P:
    """A plugin from its name, or from a table such as `{ use = "beam", width = 5 }`, as the command line has it.

    Args:
        kind: of the plugin.
        text: to be read.
        default: whose options are meant by a table without `use`.

    Raises:
        RegistryError: a line `kind: option: what` for each problem.
    """
    override = read_override(f"{kind.noun}={text}")
    reader = _Reader((), ())
    if override.problem:
        reader.wrong(override.path, override.problem)
        plugin = _WRONG
    else:
        plugin = reader.plugin(override.value, [kind], override.path, default)
    if reader.problems:
        raise RegistryError("\n".join(f"{show(p.path)}: {p.text}" for p in reader.problems))
    assert isinstance(plugin, kind)
    return plugin


def types_in(
    source: str, name: str = "spec", overrides: Sequence[str] = ()
) -> Mapping[Path, Annotation]:
    """The type that is wanted of each value of a spec, by its path; of those whose place there is.

    Raises:
        SpecError: the text is not TOML.
    """
    return _read(source, name, overrides)[0].types


def _read(source: str, name: str, overrides: Sequence[str]) -> tuple[_Reader, Spec, Origin]:
    """The spec, what reading it has brought to light, and where its values come from."""
    try:
        tree = parse(source)
    except tomllib.TOMLDecodeError as e:
        found = re.search(r"\(at line (\d+)", str(e))
        line = found[1] if found else source.count("\n") + 1
        raise SpecError(f"{name}:{line}: {not_toml(e, source)}") from e
    places = {path: Place(f"{name}:{line}", line) for path, line in lines_of(source).items()}
    origin, problems = apply_overrides(
        tree, overrides, Origin({(): Place(f"{name}:1", 1), **places})
    )
    reader = _Reader(problems, {read_override(text).path for text in overrides})
    return reader, reader.table(tree, Spec, ()), origin


class _Reader:
    """Turns TOML values into typed ones, and notes every problem with its path.

    Attributes:
        problems: so far.
        types: path -> the type that is wanted there.
    """

    def __init__(self, problems: Iterable[Problem], overridden: Collection[Path]) -> None:
        self.problems = list(problems)
        self.types: dict[Path, Annotation] = {}
        self._overridden = overridden

    def value(self, v: object, want: Annotation, path: Path, default: object) -> Any:
        self.types.setdefault(path, want)  # an element that stands for its array comes second
        choices = alternatives(want)
        endless = _endless(v)
        if endless:
            return self.wrong(path, endless)
        if v is None and type(v) in typing.get_args(
            want
        ):  # from Python, which has it; TOML leaves the key out
            return v
        items = [item for item in map(element, choices) if item is not None]
        if items and (isinstance(v, list) or len(choices) == 1):
            return self.array(v, items[0], path, default)
        kinds = [k for k in map(plugin_kind, choices) if k is not None]
        if kinds:
            return self.plugin(v, kinds, path, default)
        for choice in choices:
            if typing.get_origin(choice) is Literal:
                if v in typing.get_args(choice):
                    return v
                if isinstance(v, str) and len(choices) == 1:
                    return self.wrong(
                        path, f"no {quoted(v)} here; {closest(v, typing.get_args(choice))}"
                    )
            elif choice in SCALARS:
                if choice is float and type(v) in (int, float):
                    return self.number(v, path, default)
                if type(v) is choice:
                    return v
            elif isinstance(choice, type) and isinstance(v, Mapping):
                return self.table(v, choice, path)
        return self.unfit(path, noun(want), v)

    def number(self, v: Any, path: Path, default: object) -> Any:
        """A float: a finite one, unless the author of the option has one that is not for its default."""
        try:
            number = float(v)
        except OverflowError:
            return self.wrong(path, f"{_said(v)} is larger than any number of 64 bits")
        free = isinstance(default, float) and not math.isfinite(default)
        if math.isfinite(number) or free:
            return number
        return self.wrong(path, f"expected a finite number, got {number}")

    def array(self, v: object, item: Annotation, path: Path, default: object) -> Any:
        if not isinstance(v, list):
            if isinstance(v, Mapping) and attrs.has(typing.cast(Any, item)):
                return self.wrong(path, f"it is an array: write [[{show(path)}]], in two brackets")
            if not any(map(plugin_kind, alternatives(item))):
                return self.wrong(path, f"expected an array, got {_said(v)}")
            v = [v]
            paths = [path]
        elif len(v) > MOST_ELEMENTS:
            return self.wrong(
                path, f"it has {len(v):,} elements, but {MOST_ELEMENTS:,} are the most"
            )
        else:
            paths = [(*path, i) for i in range(len(v))]
        defaults = default if isinstance(default, tuple) else ()
        found = tuple(
            self.value(x, item, p, defaults[i] if i < len(defaults) else None)
            for i, (x, p) in enumerate(zip(v, paths, strict=True))
        )
        return _WRONG if any(x is _WRONG for x in found) else found

    def plugin(self, v: object, kinds: Sequence[type[Plugin]], path: Path, default: object) -> Any:
        if isinstance(v, tuple(kinds)):  # from Python, which has them; TOML has names
            return v
        what = " or ".join(k.noun for k in kinds)
        options = {"use": v} if isinstance(v, str) else dict(v) if isinstance(v, Mapping) else {}
        if "use" not in options and isinstance(v, Mapping) and isinstance(default, Plugin):
            return self.table(options, type(default), path)
        name = options.pop("use", None)
        self.types[*path, "use"] = str
        if not isinstance(name, str):
            return self.unfit(path, f'{what} name or {{ use = "...", ... }}', v)
        place = (*path, "use") if isinstance(v, Mapping) else path
        short = name.rpartition(":")[2]
        having = [k for k in kinds if short in names(k)]
        if len(kinds) > 1 and not having:
            every = [n for k in kinds for n in names(k)]
            return self.wrong(place, f"no {what} is called {quoted(name)}; {closest(name, every)}")
        if len(having) > 1 and ":" not in name:
            return self.wrong(
                place, f"{quoted(name)} is the name of {what} at once; write package:name"
            )
        try:
            cls = load((having or kinds)[0], name)
        except RegistryError as e:
            return self.wrong(place, str(e))
        return self.table(options, cls, path)

    def table(self, v: Mapping[str, object], cls: type[T], path: Path) -> T:
        before = len(self.problems)
        fields = {f.name: f for f in attrs.fields(typing.cast(Any, cls)) if is_option(f)}
        hints = option_types(cls)
        for key in v:
            if key not in fields:
                # What is meant takes long to find, and nobody reads thousands of them.
                hint = instead(key, v[key], cls, fields) if len(self.problems) < TOLD else ""
                self.wrong((*path, key), f"unknown key {quoted(key)}; {hint}")
        for name, field in fields.items():
            if name not in v and field.default is attrs.NOTHING:
                self.wrong(path, f"missing key {name!r} ({noun(hints[name])})")
        values = {
            name: self.value(v[name], hints[name], (*path, name), default_of(field))
            for name, field in fields.items()
            if name in v
        }
        if len(self.problems) > before:
            return typing.cast(T, _WRONG)
        try:
            read = cls(**{fields[name].alias or name: v for name, v in values.items()})
        except (TypeError, ValueError) as e:
            self.invalid(cls, values, path, e)
            return typing.cast(T, _WRONG)
        return instance(cls, read) if issubclass(cls, Plugin) else read

    def invalid(
        self, cls: type[Any], values: Mapping[str, object], path: Path, error: Exception
    ) -> None:
        """Say which values of a table its validators refuse: attrs itself stops at the first."""
        before = len(self.problems)
        unchecked = object.__new__(cls)
        fields = [f for f in attrs.fields(cls) if is_option(f)]
        for field in fields:
            value = values[field.name] if field.name in values else default_of(field)
            object.__setattr__(unchecked, field.name, value)
        for field in fields:
            if field.validator and field.name in values:
                try:
                    field.validator(unchecked, field, values[field.name])
                except (TypeError, ValueError) as e:
                    self.wrong((*path, field.name), str(e.args[0]))
        if len(self.problems) == before:
            said = str(error.args[0] if error.args else error)
            self.wrong(path, said or f"{cls.__name__} raises {type(error).__name__}")

    def unfit(self, path: Path, wanted: str, v: object) -> Any:
        several = isinstance(v, list) and path in self._overridden
        hint = "; for several values, and a run for each, use rnnkit compare" if several else ""
        return self.wrong(path, f"expected {_a(wanted)}, got {_said(v)}{hint}")

    def wrong(self, path: Path, text: str) -> Any:
        self.problems.append(Problem(path, text))
        return _WRONG


def _endless(v: object) -> str | None:
    """What is wrong with a number or a text that no option could take, nor a file keep."""
    if type(v) is int and not -(2**63) <= v < 2**63:
        return f"{quoted(v)} is larger than any number of 64 bits"
    if isinstance(v, str) and "\0" in v:
        return f"{quoted(v)} has the character NUL, which no name or text may have"
    if isinstance(v, str) and lone_surrogate(v):
        return f"{quoted(v)} has half a character, or is no UTF-8: write whole ones"
    return None


def _said(v: object) -> str:
    words = {dict: "a table", list: "an array", str: "string", bool: "", int: "", float: ""}
    shown = str(v).lower() if isinstance(v, bool) else quoted(v)
    word = words.get(type(v), type(v).__name__)
    return word if isinstance(v, dict | list) else f"{word} {shown}".strip()


def _a(text: str) -> str:
    if text.startswith(("one of", "true")):
        return text
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"
