"""A plugin that misbehaves hurts only itself: it is blamed by name, package and line, in one sentence."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnkit.cli import main
from tests import misbehaving
from tests.photos import pattern

SPEC = """
[model]
image = ["affine"]
words = { use = "embedding", dim = 8 }
head = "affine"
[[model.rnn]]
hidden = 8
cell = "vanilla"
[train]
epochs = 1
batch = 12
loss = "softmax-cross-entropy"
optimizer = "sgd"
"""

PUT = {
    "cell": ('"vanilla"', "{}"),
    "free": ('"vanilla"', "{}"),
    "layer": ('["affine"]', '[{{ use = "affine", units = 8 }}, {}]'),
    "activation": ('["affine"]', '["affine", {}]'),
    "loss": ('"softmax-cross-entropy"', "{}"),
    "optimizer": ('"sgd"', "{}"),
    "schedule": ('optimizer = "sgd"', 'optimizer = "sgd"\nschedule = {}'),
    "reward": (
        SPEC[SPEC.index("epochs") :],
        'epochs = 2\nbatch = 12\nmetric = "rouge_l"\n[train.reward]\nreward = {}\nafter = 1\n',
    ),
    "initializer": ('["affine"]', '[{{ use = "affine", weights = {} }}]'),
}
"""Where in a spec a plugin of each kind goes."""

METHODS = {
    "cell": ("init", "start_width", "bias", "start", "start_back", "step", "step_back"),
    "free": ("init", "step", "step_back"),
    "layer": ("fit", "out_features", "init", "forward", "backward"),
    "activation": ("forward", "backward"),
    "loss": ("evaluate",),
    "optimizer": ("slots", "update"),
    "schedule": ("factor",),
    "initializer": ("fill",),
    "decoder": ("decode",),
    "encoder": ("shape", "digest", "prepare", "encode"),
    "reward": ("judge",),
}
COMPLEX = {
    "cell": ("start", "start_back", "step", "step_back"),
    "free": ("step", "step_back"),
    "layer": ("init", "forward", "backward"),
    "activation": ("forward", "backward"),
    "loss": ("evaluate",),
    "optimizer": ("slots",),
    "initializer": ("fill",),
    "decoder": ("decode",),
    "encoder": ("encode",),
    "reward": ("judge",),
}
"""What returns arrays of numbers: complex ones, where real ones went in, are a mistake."""
RETURNS, RAISES = (
    ("None", "short", "complex", "whole"),
    ("ValueError", "KeyError", "SystemExit", "Strange"),
)

CASES = [
    (kind, method, how)
    for kind, methods in METHODS.items()
    for i, method in enumerate(methods)
    for how in ("None", "short", RAISES[(len(kind) + i) % 4])
    if (method, how)
    not in (("update", "None"), ("update", "short"), ("out_features", "ValueError"))
] + [
    ("decoder", "decode", "IndexError"),
    *((kind, method, "complex") for kind, methods in COMPLEX.items() for method in methods),
    *((kind, way, "whole") for kind in ("layer", "activation") for way in ("forward", "backward")),
]
"""A decoder may give the network what it cannot take. An optimizer's `update` returns nothing; a layer says with a ValueError that it does not take a width."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        yield misbehaving.install(tmp_path_factory.mktemp("site"), patch)
    misbehaving.forget()


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracebacks are kept here."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def called(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: str | Path
) -> tuple[object, str]:
    """The exit code of the command line, and what it said on standard error."""
    monkeypatch.setattr(sys, "argv", ["rnnkit", *map(str, args)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, capsys.readouterr().err


@pytest.mark.parametrize(("kind", "method", "how"), CASES)
def test_a_plugin_that_misbehaves_is_blamed(
    kind: str,
    method: str,
    how: str,
    package: Path,
    tiny_data: Path,
    small_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = f'{{ use = "bad-{kind}", method = "{method}", how = "{how}" }}'
    args: tuple[str | Path, ...]
    if kind == "decoder":
        args = ("caption", small_run, "--data", tiny_data, "--n", "1", "--decoder", table)
    elif kind == "encoder":
        from PIL import Image

        (tmp_path / "photos").mkdir()
        for name in ("a.png", "b.png"):
            Image.fromarray(pattern(16, 4)).save(tmp_path / "photos" / name)
        (tmp_path / "captions.csv").write_text("image,caption\na.png,a b\nb.png,b a\n")
        args = (
            "data", "prepare", "--images", tmp_path / "photos", "--captions", tmp_path / "captions.csv",
            "--encoder", table, "--out", tmp_path / "data", "--min-count", "1",
        )  # fmt: skip
    else:
        old, new = PUT[kind]
        (tmp_path / "spec.toml").write_text(SPEC.replace(old, new.format(table)))
        args = ("train", tmp_path / "spec.toml", "--data", tiny_data, "--out", tmp_path / "run")
    code, said = called(capsys, monkeypatch, *args)
    assert code == 2, said
    line = next((line for line in said.splitlines() if "misbehaving" in line), said)
    noun = "cell" if kind == "free" else kind
    assert f"{noun} 'bad-{kind}' from misbehaving 2.0 (misbehaving_plugins:Bad" in line
    what = "returned" if how in RETURNS else f"raises {how}: "
    assert f": {method} {what}" in line
    assert re.search(rf" \[{re.escape(str(package))}:\d+\]", line)
    assert "Traceback" not in said
    assert "fault of rnnkit" not in said


@pytest.mark.parametrize("how", ["SystemExit", "Strange", "KeyError"])
@pytest.mark.parametrize("kind", ["activation", "schedule", "decoder"])
def test_a_plugin_that_ends_the_program_is_checked_and_others_after_it(
    kind: str,
    how: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"{kind}_{how}"
    (tmp_path / f"{name}.py").write_text(
        misbehaving.PACKAGE.replace(
            'method: str = ""', f'method: str = "{METHODS[kind][0]}"'
        ).replace('how: str = ""', f'how: str = "{how}"')
    )
    cls = f"{tmp_path / name}.py::Bad{kind.capitalize()}"
    monkeypatch.setattr(sys, "argv", ["rnnkit", "gradcheck", cls, "constant"])
    with pytest.raises(SystemExit) as end:
        main()
    out = capsys.readouterr().out
    assert end.value.code == 1, out
    assert re.search(r" FAILS", out)
    assert re.search(r"constant .* ok", out)
    assert how in out


def test_only_the_rows_of_a_plugin_that_ends_the_program_fail(
    package: Path,
    tiny_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "spec.toml").write_text(SPEC)
    bad = '{ use = "bad-cell", method = "step_back", how = "SystemExit" }'
    monkeypatch.setattr(
        sys, "argv",
        ["rnnkit", "compare", str(tmp_path / "spec.toml"), "--data", str(tiny_data), "--out", str(tmp_path / "runs"),
         "--set", f'model.rnn[0].cell=["vanilla", {bad}]'],
    )  # fmt: skip
    with pytest.raises(SystemExit):
        main()
    out, err = capsys.readouterr()
    assert "step_back raises SystemExit: 0" in out + err
    assert (tmp_path / "runs").exists()
    assert list((tmp_path / "runs").glob("*-vanilla/last.h5"))


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_what_a_plugin_prints_is_no_result_of_any_command(
    method: str,
    package: Path,
    tiny_data: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec, run = tmp_path / "spec.toml", tmp_path / "run"
    old, new = PUT["activation"]
    table = f'{{ use = "bad-activation", method = "{method}", how = "prints" }}'
    spec.write_text(SPEC.replace(old, new.format(table)))
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("train", spec, "--data", tiny_data, "--out", run),
        ("build", spec, "--data", tiny_data, "--json"),
        ("caption", run, "--n", "1", "--json"),
        ("caption", run, "--n", "1", "--csv"),
        ("eval", run, "--n", "1", "--metrics", "rouge_l", "--json"),
        ("report", run, "--n", "1", "--out", tmp_path / "run.html"),
        ("compare", spec, "--data", tiny_data, "--out", tmp_path / "runs", "--json"),
    )
    for args in commands:
        monkeypatch.setattr(sys, "argv", ["rnnkit", *map(str, args)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        assert end.value.code == 0, err
        assert "noise" not in out, args
        assert "\x1b" not in err, args
        if method == "forward" or args[0] in ("train", "compare"):
            assert "noise \\x1b[31m\n" in err, args
        if "--json" in args:
            json.loads(out)
