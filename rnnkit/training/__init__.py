"""Trains networks: updates, evaluations, checkpoints, and several runs side by side."""

from rnnkit.training.comparing import Failed, Learnt, Point, Result, compare
from rnnkit.training.curves import draw_curves, write_curves
from rnnkit.training.history import History, Record, Step, Update, read_history
from rnnkit.training.run import Run, train
from rnnkit.training.trainer import Place, Trainer

__all__ = [
    "Failed",
    "History",
    "Learnt",
    "Place",
    "Point",
    "Record",
    "Result",
    "Run",
    "Step",
    "Trainer",
    "Update",
    "compare",
    "draw_curves",
    "read_history",
    "train",
    "write_curves",
]
