"""Event files for TensorBoard, read back record by record."""

from __future__ import annotations

import struct
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnnkit
from rnnkit.cli import app
from rnnkit.errors import CheckpointError, RnnkitError
from rnnkit.training import History, Record, Step, Trainer, train
from rnnkit.training.tensorboard import EventWriter
from tests.specs import TRAINED

pytest.importorskip("tensorboardX", reason="the extra rnnkit[tensorboard] is not installed")

SPEC = TRAINED.replace("epochs = 3", "epochs = 4\nevaluate = 12")


def crc32c(data: bytes) -> int:
    """The checksum of Castagnoli's polynomial, bit by bit (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def events(file: Path) -> list[Any]:
    """All events of a file: each is its length, a checksum of that, the event, and a checksum of that."""
    from tensorboardX.proto.event_pb2 import Event

    data, at, found = file.read_bytes(), 0, []
    while at < len(data):
        length, of_length = struct.unpack_from("<QI", data, at)
        body = data[at + 12 : at + 12 + length]
        (of_body,) = struct.unpack_from("<I", data, at + 12 + length)
        assert (of_length, of_body) == (masked(data[at : at + 8]), masked(body))
        found.append(Event.FromString(body))
        at += 16 + length
    return found


def files(run: Path) -> list[Path]:
    return sorted((run / "tensorboard").iterdir(), key=lambda f: int(f.suffix[1:]))


def scalars(run: Path, name: str) -> dict[int, float]:
    """Step -> value, what is withdrawn left out."""
    found: dict[int, float] = {}
    for file in files(run):
        for event in events(file):
            if event.HasField("session_log"):
                found = {step: value for step, value in found.items() if step < event.step}
            for value in event.summary.value:
                if value.tag == name:
                    found[event.step] = value.simple_value
    return found


def trained(
    *, stop_at: int | None = None, seen: list[Step] | None = None, **options: Any
) -> History:
    """The history of a run with event files; stopped after an update, and its updates kept, if wanted."""
    writer: EventWriter
    trainer: Trainer

    def on_start(started: Trainer, folder: Path) -> None:
        nonlocal writer, trainer
        trainer, writer = started, cleanup.enter_context(closing(EventWriter(folder, started)))

    def on_step(step: Step) -> None:
        writer.on_step(step)
        if seen is not None:
            seen.append(step)
        trainer.stop = step.number == stop_at

    def on_record(record: Record) -> None:
        writer.on_record(record)

    with ExitStack() as cleanup:
        run = train(on_start=on_start, on_step=on_step, on_record=on_record, **options)
    return run.history


def test_events_are_the_history(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    history = trained(spec=spec, data=tiny_data, out=out)
    records = {r.step: r for r in history.records}
    updates = {u.step: u for u in history.updates}

    def check(name: str, wanted: dict[int, float]) -> None:
        found = {s: v for s, v in scalars(out, name).items() if s in wanted}
        assert found == pytest.approx(wanted, rel=1e-6), name
        assert found

    check("nats/val", {s: float(r.val_nats or 0) for s, r in records.items()})
    check("perplexity/val", {s: float(r.val_perplexity or 0) for s, r in records.items()})
    check("loss/train", {s: u.loss for s, u in updates.items()})
    check("nats/train", {s: u.nats for s, u in updates.items()})
    check("perplexity/train", {s: float(np.exp(u.nats)) for s, u in updates.items()})
    check("optimizer/gradient_norm", {s: u.gradient_norm or 0.0 for s, u in updates.items()})
    rates = {s: 5e-3 * u.learning_rate_factor for s, u in updates.items()}
    check("optimizer/learning_rate", rates)
    assert len(set(rates.values())) > 1
    speeds = scalars(out, "speed/tokens_per_second")
    assert speeds.keys() >= updates.keys()
    assert min(speeds.values()) > 0


def test_rewards_are_told(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ("train.epochs=3", "train.metric=bleu4", "train.reward.after=2")
    history = trained(
        spec=spec, data=tiny_data, out=out, overrides=[*options, "train.reward.learning_rate=1e-3"]
    )
    rewards = {u.step: u.reward for u in history.updates if u.reward is not None}
    found = scalars(out, "reward/drawn")
    assert {s: v for s, v in found.items() if s in rewards} == pytest.approx(rewards, rel=1e-6)
    assert rewards
    assert min(found) > min(u.step for u in history.updates)
    words = {r.step: r.val_words for r in history.records if r.val_words is not None}
    assert scalars(out, "captions/words") == pytest.approx(words, rel=1e-6)
    entropy, drawn = scalars(out, "reward/entropy"), scalars(out, "reward/words")
    assert entropy.keys() == drawn.keys() == found.keys()
    assert min(entropy.values()) > 0


def test_the_last_updates_count_though_they_are_fewer_than_ten(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    seen: list[Step] = []
    trained(spec=spec, data=tiny_data, out=out, seen=seen)
    steps = seen[-1].number
    assert steps % 10
    losses = scalars(out, "loss/train")
    assert [*losses] == [*range(10, steps, 10), steps]
    rest = seen[steps // 10 * 10 :]
    mean = sum(s.loss * s.captions for s in rest) / sum(s.captions for s in rest)
    assert losses[steps] == pytest.approx(mean, rel=1e-6)


def test_a_resumed_run_withdraws_what_was_not_kept(
    spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    trained(spec=spec, data=tiny_data, out=straight)
    trained(spec=spec, data=tiny_data, out=broken, stop_at=17)
    trained(resume=broken)
    first, second = files(broken)
    starts = [e.step for e in events(second) if e.HasField("session_log")]
    assert starts == [18]
    assert max(e.step for e in events(first)) <= 17
    for name in ("nats/val", "perplexity/val", "loss/train", "optimizer/gradient_norm"):
        assert scalars(broken, name) == scalars(straight, name)


def test_the_spec_is_there_as_text(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    trained(spec=spec, data=tiny_data, out=out)
    (file,) = files(out)
    texts = [
        value.tensor.string_val[0].decode()
        for event in events(file)
        for value in event.summary.value
        if value.tag.startswith("spec")
    ]
    first, *lines = (out / "spec.toml").read_text().splitlines()
    assert first == f"# from {spec}"
    assert texts == ["\n".join(f"    {line}" for line in lines)]


def test_the_metric_of_the_best_model_is_among_them(tiny_data: Path, tmp_path: Path) -> None:
    source = SPEC.replace("[train]", '[train]\nmetric = "cider"')
    with rnnkit.open_data(tiny_data) as data:
        model = rnnkit.build(rnnkit.parse_spec(source), data)
        trainer = Trainer(model, data.split("train"), data.split("val"))
    with closing(EventWriter(tmp_path, trainer)) as writer:
        writer.on_record(Record(1, 8, 1.0, 1.0, 9.0, 2.0, 7.4, 1.5, 4.5, 0.75, True, 100.0))
    assert scalars(tmp_path, "metric/cider") == {8: 0.75}
    assert scalars(tmp_path, "nats/val") == {8: 1.5}


def test_without_a_val_split_there_is_nothing_of_it(tiny_data: Path, tmp_path: Path) -> None:
    with rnnkit.open_data(tiny_data) as data:
        trainer = Trainer(rnnkit.build(rnnkit.parse_spec(SPEC), data), data.split("train"))
    with closing(EventWriter(tmp_path, trainer)) as writer:
        writer.on_record(Record(1, 8, 1.0, 1.0, 9.0, 2.0, 7.4, None, None, None, False, 100.0))
    assert scalars(tmp_path, "nats/val") == {}


def test_a_missing_extra_is_one_sentence(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rnnkit.open_data(tiny_data) as data:
        trainer = Trainer(rnnkit.build(rnnkit.parse_spec(SPEC), data), data.split("train"))
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(RnnkitError, match=r'pip install "rnnkit\[tensorboard\]"'):
        EventWriter(tmp_path, trainer)


def test_a_folder_that_cannot_be_made_is_told(tiny_data: Path, tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    with rnnkit.open_data(tiny_data) as data:
        trainer = Trainer(rnnkit.build(rnnkit.parse_spec(SPEC), data), data.split("train"))
    with pytest.raises(CheckpointError, match="cannot write into"):
        EventWriter(tmp_path, trainer)


def test_the_command_writes_them(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "rnnkit", "train", spec, "--data", tiny_data, "--out", out]
    ran = subprocess.run([*map(str, command), "--tensorboard"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert scalars(out, "nats/val").keys() == {12, 24, 32}


@pytest.mark.parametrize(
    ("flags", "steps"),
    [((), {12, 24, 32, 36, 40}), (("--no-tensorboard",), {12, 24, 32})],
    ids=["goes on", "stopped"],
)
def test_a_resumed_run_goes_on_writing_them_unless_told_not_to(
    flags: tuple[str, ...], steps: set[int], spec: Path, tiny_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as ended:
        app(["train", str(spec), "--data", str(tiny_data), "--out", str(out), "--tensorboard"])
    assert ended.value.code in (0, None)
    with pytest.raises(SystemExit) as ended:
        app(["train", "--resume", str(out), "--set", "train.epochs=5", *flags])
    assert ended.value.code in (0, None)
    assert scalars(out, "nats/val").keys() == steps


def test_a_resumed_run_without_them_has_none(spec: Path, tiny_data: Path, tmp_path: Path) -> None:
    run = train(spec, tiny_data, tmp_path / "run")
    with pytest.raises(SystemExit):
        app(["train", "--resume", str(run.folder), "--set", "train.epochs=5"])
    assert not (run.folder / "tensorboard").exists()
