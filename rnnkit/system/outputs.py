"""Outputs never replace what they have not made: asked where a command is told of them, before it begins its work."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import attrs

from rnnkit.errors import CheckpointError
from rnnkit.system.files import check_replaceable

_HEAD: Final = 1 << 16
"""Bytes in which a file says what it is."""


@attrs.frozen
class Output:
    """A form of files that rnnkit writes: what it is called, and how such a file begins."""

    name: str
    begins: re.Pattern[bytes]


MODEL: Final = Output("a model of rnnkit", re.compile(rb"rnnkit model, "))
PAGE: Final = Output(
    "a page of rnnkit", re.compile(rb'.*?<meta name="generator" content="rnnkit">', re.DOTALL)
)
RESULTS: Final = Output("captions in COCO's form", re.compile(rb'\s*\[\s*(\]|\{\s*"image_id")'))
FIGURE: Final = Output("a figure", re.compile(rb"\x89PNG.{0,200}Matplotlib", re.DOTALL))
ONNX: Final = Output("a captioner of rnnkit in ONNX", re.compile(rb".{0,8}rnnkit", re.DOTALL))
SAFETENSORS: Final = Output("weights in safetensors", re.compile(rb'.{8}\s*\{"', re.DOTALL))
AUTOGRADER: Final = Output("an autograder of rnnkit", re.compile(rb"PK.{28}setup\.sh", re.DOTALL))
GRADES: Final = Output("a table of rnnkit's grades", re.compile(rb"student,"))
GRADESCOPE: Final = Output("results for Gradescope", re.compile(rb'\s*\{\s*"score"'))
SCHEMA: Final = Output("a JSON Schema", re.compile(rb'\s*\{\s*"\$schema"'))


def check_output(
    file: Path, form: Output, inputs: Iterable[Path | None] = (), *, force: bool = False
) -> None:
    """That a command may write a file.

    Args:
        file: to be written.
        form: of what is written.
        inputs: files that the command reads, and folders; None for one that is not given.
        force: whether a file of another form may be replaced; an input never is.

    Raises:
        CheckpointError: it may not.
    """
    if not file.exists():
        return
    if any(given is not None and given.exists() and given.samefile(file) for given in inputs):
        raise CheckpointError(
            f"{file} is an input, and what is written would replace it; name another file"
        )
    if file.is_dir():
        raise CheckpointError(f"{file} is a folder; name the file to write")
    check_replaceable(file)
    if force:
        return
    with file.open("rb") as handle:
        head = handle.read(_HEAD)
    if head and not form.begins.match(head):
        raise CheckpointError(
            f"{file} exists and is not {form.name}, so it is not replaced; name another file, or give --force"
        )
