"""Trains networks: updates, evaluations, checkpoints, and several runs side by side."""

from rnnkit.training.history import History, Record, Step, Update, read_history
from rnnkit.training.run import Run, train
from rnnkit.training.trainer import Place, Trainer

__all__ = [
    "History",
    "Place",
    "Record",
    "Run",
    "Step",
    "Trainer",
    "Update",
    "read_history",
    "train",
]
