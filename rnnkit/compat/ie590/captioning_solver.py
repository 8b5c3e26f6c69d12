"""Training a captioning network as the assignment does."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from rnnkit.compat.ie590 import optim
from rnnkit.compat.ie590.classifiers.rnn import CaptioningRNN
from rnnkit.compat.ie590.coco_utils import Data, sample_coco_minibatch
from rnnkit.errors import listed
from rnnkit.kinds import Array

__all__ = ["CaptioningSolver"]


class CaptioningSolver:
    """Updates of a model on batches drawn with replacement.

    Attributes:
        loss_history: the loss of each iteration.
        optim_configs: options and running values of the update rule, for each parameter.
        epoch: epochs that have ended.
        best_val_acc, best_params, train_acc_history, val_acc_history: never set, as in the original, which does not
            validate: the model ends with its last parameters.
    """

    def __init__(
        self,
        model: CaptioningRNN,
        data: Data,
        *,
        update_rule: str = "sgd",
        optim_config: Mapping[str, Any] | None = None,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        num_epochs: int = 10,
        print_every: int = 10,
        verbose: bool = True,
        **unknown: object,
    ) -> None:
        """Get ready to train.

        Args:
            model: its `params` are what every update returns: the same arrays, changed in place, of sgd and adam.
            data: as from `load_coco_data`.
            update_rule: name of a function in `optim`, which may be one of your own that you put there.
            optim_config: its options, of which every parameter gets a copy.
            lr_decay: factor on the learning rate after each epoch.
            batch_size: captions in an iteration.
            num_epochs: of as many iterations as whole batches of the training captions, but at least one.
            print_every: iterations from one printed loss to the next.
            verbose: whether to print at all.

        Raises:
            ValueError: another keyword, or there is no such rule.
        """
        if unknown:
            raise ValueError(f"Unrecognized arguments {listed(map(repr, unknown))}")
        if not inspect.isfunction(getattr(optim, update_rule, None)):
            raise ValueError(
                f'Invalid update_rule "{update_rule}"; there are {", ".join(optim.__all__)}'
            )
        self.model, self.data = model, data
        self.update_rule = getattr(optim, update_rule)
        self.optim_config = {} if optim_config is None else optim_config
        self.lr_decay, self.batch_size, self.num_epochs = lr_decay, batch_size, num_epochs
        self.print_every, self.verbose = print_every, verbose
        self.epoch = 0
        self.loss_history: list[float] = []
        self.optim_configs = {name: dict(self.optim_config) for name in model.params}
        self.best_val_acc = 0
        self.best_params: dict[str, Array] = {}
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []

    def train(self) -> None:
        """Train for `num_epochs`."""
        an_epoch = max(len(self.data["train_captions"]) // self.batch_size, 1)
        iterations = self.num_epochs * an_epoch
        for t in range(iterations):
            self._step()
            if self.verbose and t % self.print_every == 0:
                print(f"(Iteration {t + 1} / {iterations}) loss: {self.loss_history[-1]:f}")
            if (t + 1) % an_epoch == 0:
                self.epoch += 1
                for config in self.optim_configs.values():
                    config["learning_rate"] *= self.lr_decay

    def check_accuracy(self, *_: object, **__: object) -> float:
        """0.0, as in the original: there is no accuracy of a caption."""
        return 0.0

    def _step(self) -> None:
        captions, features, _ = sample_coco_minibatch(self.data, self.batch_size, "train")
        loss, gradients = self.model.loss(features, captions)
        self.loss_history.append(loss)
        for name, w in self.model.params.items():
            self.model.params[name], self.optim_configs[name] = self.update_rule(
                w, gradients[name], self.optim_configs[name]
            )
