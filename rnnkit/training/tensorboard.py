"""Event files for TensorBoard, beside a run's own history."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rnnkit.captioning.evaluation import perplexity
from rnnkit.errors import CheckpointError, MissingPackage
from rnnkit.spec import write_spec
from rnnkit.training import Record, Step, Trainer
from rnnkit.training.history import Tally
from rnnkit.training.trainer import EVERY

FOLDER: Final = "tensorboard"


class EventWriter:
    """Writes what a run tells of itself into `RUN/tensorboard`; `close` it with the run.

    Means over every ten updates or so:

    - loss/train: per caption; nats/train, perplexity/train: per token, as training saw it.
    - optimizer/learning_rate (its factor, for an optimizer without one) and optimizer/gradient_norm.
    - speed/tokens_per_second: in updates alone.
    - reward/drawn: of captions that were drawn, where a reward is learnt from; reward/words and reward/entropy.

    And at each evaluation nats/val and perplexity/val, and metric/NAME where another metric than nats says
    which model is the best, with captions/words of val. The spec is there as text.
    """

    def __init__(self, folder: Path, trainer: Trainer) -> None:
        """Open a new event file; what older ones say of updates that are not done any more is withdrawn.

        Args:
            folder: of the run.
            trainer: as it begins, or goes on.

        Raises:
            MissingPackage: tensorboardX is not installed.
            CheckpointError: the file cannot be written.
        """
        try:
            from tensorboardX import SummaryWriter
        except ImportError as e:
            raise MissingPackage(
                'event files need tensorboardX: pip install "rnnkit[tensorboard]"; or train without them, with '
                "--no-tensorboard"
            ) from e
        spec = trainer.model.spec
        self._rate = float(getattr(spec.train.optimizer, "learning_rate", 1.0))
        self._metric = spec.train.metric
        self._since = trainer.place.since_update
        try:
            self._writer = SummaryWriter(
                str(folder / FOLDER),
                # TensorBoard forgets all events from this step on, of files before this one.
                purge_step=trainer.step + 1,
                # A name has the second of its making: two within one must not be the same file.
                filename_suffix=f".{trainer.step}",
            )
        except OSError as e:
            raise CheckpointError(f"cannot write into {folder / FOLDER}: {e.strerror}") from e
        self._writer.add_text("spec", _as_code(write_spec(spec)), trainer.step)

    def on_step(self, step: Step) -> None:
        """Take one update."""
        self._since = sums = self._since.with_step(step)
        if step.number % EVERY and step.number != step.steps:
            return
        nats = sums.loss / max(sums.tokens, 1)
        self._add("loss/train", sums.loss / sums.captions, step.number)
        self._add("nats/train", nats, step.number)
        self._add("perplexity/train", perplexity(nats), step.number)
        self._add("optimizer/learning_rate", self._rate * step.learning_rate_factor, step.number)
        if sums.measured:
            self._add("optimizer/gradient_norm", sums.norms / sums.measured, step.number)
        if sums.seconds:
            self._add("speed/tokens_per_second", sums.tokens / sums.seconds, step.number)
        judged = sums.judged
        self._add_known("reward/drawn", judged.mean_reward, step.number)
        self._add_known("reward/words", judged.mean_words, step.number)
        self._add_known("reward/entropy", judged.entropy, step.number)
        self._since = Tally()

    def on_record(self, record: Record) -> None:
        """Take one evaluation."""
        if record.val_nats is not None:
            self._add("nats/val", record.val_nats, record.step)
            self._add("perplexity/val", perplexity(record.val_nats), record.step)
        if record.val_metric is not None and self._metric != "nats":
            self._add(f"metric/{self._metric}", record.val_metric, record.step)
        self._add_known("captions/words", record.val_words, record.step)
        self._writer.flush()

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()

    def _add_known(self, name: str, value: float | None, step: int) -> None:
        if value is not None:
            self._add(name, value, step)

    def _add(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(name, value, step)


def _as_code(text: str) -> str:
    """Text that TensorBoard, which reads Markdown, shows as it stands."""
    return "\n".join(f"    {line}" for line in text.splitlines())
