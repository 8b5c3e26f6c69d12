"""What installed packages declare under entry points `rnnkit.*`, and what is wrong with how they declare it.

Metadata are read as they lie in their folders, so that no package's mistakes keep the others' plugins from being found:
Python's own reader gives up on all at the first one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from importlib import metadata
from pathlib import Path

import attrs

PREFIX = "rnnkit."
"""Of the groups that are rnnkit's."""

DECLARED = "entry_points.txt"
"""The file in a package's metadata folder that holds its entry points."""

NAME = re.compile(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?")
TARGET = re.compile(r"(?P<module>[\w.]+)\s*(:\s*(?P<cls>[\w.]+))?\s*(?P<extras>\[.*\])?")


@attrs.frozen
class Declaration:
    """One plugin as a package declares it.

    Attributes:
        group: of its kind.
        name: of the plugin.
        target: `module:Class`, or whatever stands in its place.
        package: that declares it, in its canonical spelling.
        version: of the package.
        fault: what keeps the plugin from being used, where that is written, and how to mend it; None if nothing does.
    """

    group: str
    name: str
    target: str
    package: str
    version: str
    fault: str | None


def canonical(package: str) -> str:
    """A package's name in the one spelling that all its spellings share (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def declarations(groups: Collection[str]) -> Iterator[Declaration]:
    """What every installed package declares: of a package found twice on the path, as Python would import it.

    Args:
        groups: those that there are.
    """
    packages: dict[str, list[_Metadata]] = {}
    for distribution in metadata.distributions():
        found = _Metadata.of(distribution)
        if found.place.name.startswith("~"):
            continue  # what pip was about to delete
        beside = packages.setdefault(found.package, [])
        # Further on the path, it is hidden, as its modules are. In the same folder, its modules are one of the two's.
        if not beside or (
            found.place.parent == beside[0].place.parent
            and found.place not in [other.place for other in beside]
        ):
            beside.append(found)
    for folders in packages.values():
        yield from _of_package(sorted(folders, key=lambda f: f.place.name), groups)


@attrs.frozen
class _Metadata:
    """A package's metadata folder.

    Attributes:
        place: the folder.
        package: canonical name.
        version: of the package.
        lines: (group, name, value) of its entry points in rnnkit's groups.
        fault: what is wrong with the folder; None if nothing is.
    """

    place: Path
    package: str
    version: str
    lines: tuple[tuple[str, str, str], ...]
    fault: str | None

    @classmethod
    def of(cls, distribution: metadata.Distribution) -> _Metadata:
        # The path has no public name, and messages are to say where.
        place = Path(str(getattr(distribution, "_path", distribution.locate_file(""))))
        package, _, version = place.stem.partition("-")
        fault = None
        try:
            text = distribution.read_text(DECLARED) or ""
        except UnicodeDecodeError as e:
            text = e.object.decode("utf-8", "replace")
            fault = f"its package's {DECLARED} is not UTF-8 text (byte {e.start})"
        lines = tuple(line for line in _lines(text) if line[0].startswith(PREFIX))
        if lines:
            try:
                told = distribution.metadata
                package, version = told["Name"] or package, told["Version"] or version
                if not told["Name"]:
                    fault = fault or "its package's metadata have no Name"
            except Exception as e:
                fault = fault or f"its package's metadata cannot be read ({type(e).__name__}: {e})"
        return cls(place, canonical(package), version or "unknown", lines, fault)


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    """(group, name, value) of each line of an `entry_points.txt`, however odd."""
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield group, name.strip(), value.strip()


def _of_package(found: list[_Metadata], groups: Collection[str]) -> Iterator[Declaration]:
    version = " or ".join(dict.fromkeys(f.version for f in found))
    targets: dict[tuple[str, str], dict[str, None]] = {}
    for group, name, value in (line for f in found for line in f.lines):
        targets.setdefault((group, name), {})[_plain(value)] = None
    for (group, name), several in targets.items():
        near = difflib.get_close_matches(group, groups, 1, cutoff=0.0)[0]
        fault = _folder_fault(found)
        if fault is None and (wrong := _line_fault(group, name, list(several), near)):
            fault = (
                f'{wrong}, under [project.entry-points."{near}"] in its pyproject.toml, and install it again '
                f"[{found[0].place / DECLARED}]"
            )
        yield Declaration(near, name, " or ".join(several), found[0].package, version, fault)


def _folder_fault(found: list[_Metadata]) -> str | None:
    """What is wrong with the metadata of a package, and how to mend it; None if nothing is."""
    if len(found) > 1:
        return (
            f"its package is installed {len(found)} times in one folder, as "
            f"{' and '.join(f.place.name for f in found)}, and all but one are left over: run  "
            f"pip uninstall {found[0].package}  until pip finds none, and install it again "
            f"[{found[0].place.parent}]"
        )
    fault = found[0].fault
    return fault and f"{fault}: install the package again [{found[0].place}]"


def _line_fault(group: str, name: str, targets: list[str], near: str) -> str | None:
    """What is wrong with a line of entry points, and what to write; None if nothing is."""
    if group != near:
        return f"it is declared under {group!r}, which is no group of plugins: write {near!r}"
    if not name:
        return f'it has no name: write  NAME = "{targets[0]}"'
    if not NAME.fullmatch(name):
        better = re.sub(r"[^a-z0-9_.]+", "-", name.lower()).strip("-_.") or "my-plugin"
        return f"names are of lower-case letters, digits and hyphens: write {better!r}"
    if len(targets) > 1:
        return f"it is declared {len(targets)} times: keep one line"
    found = TARGET.fullmatch(targets[0])
    if found is None:
        says = f"{targets[0]!r} is not module:Class" if targets[0] else "it names no class"
        return f'{says}: write  {name} = "MODULE:CLASS"'
    if not found["cls"]:
        return f'it names a module and no class in it: write  {name} = "{found["module"]}:CLASS"'
    if found["extras"]:
        plain = f"{found['module']}:{found['cls']}"
        return f'a plugin cannot ask for extras {found["extras"]}: write  {name} = "{plain}"'
    return None


def _plain(target: str) -> str:
    """`module:Class` without blanks, if it is one."""
    found = TARGET.fullmatch(target)
    if found is None or found["extras"] or not found["cls"]:
        return target
    return f"{found['module']}:{found['cls']}"
