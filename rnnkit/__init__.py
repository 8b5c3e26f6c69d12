"""rnnkit: recurrent image-captioning networks put together from plugins, in NumPy.

    model = rnnkit.build("specs/lstm.toml", data="data/scenes")
    loss, gradients = model.loss_and_gradients(features, captions)
    run = rnnkit.train("specs/lstm.toml", data="data/scenes", out="runs/lstm")
    rnnkit.load("runs/lstm").caption(features)

Names, and the rooms behind them such as `rnnkit.testing`, are imported when they are first used, so that
`import rnnkit` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it; typing, like importlib, takes time to import

if TYPE_CHECKING:
    from typing import Final

    from rnnkit import captioning as captioning
    from rnnkit import data as data
    from rnnkit import errors as errors
    from rnnkit import kinds as kinds
    from rnnkit import metrics as metrics
    from rnnkit import network as network
    from rnnkit import numerics as numerics
    from rnnkit import parallel as parallel
    from rnnkit import registry as registry
    from rnnkit import spec as spec
    from rnnkit import testing as testing
    from rnnkit import tracing as tracing
    from rnnkit import training as training
    from rnnkit.captioning import Ensemble as Ensemble
    from rnnkit.captioning import evaluate as evaluate
    from rnnkit.data import open_data as open_data
    from rnnkit.errors import CheckpointError as CheckpointError
    from rnnkit.errors import DataError as DataError
    from rnnkit.errors import MissingPackage as MissingPackage
    from rnnkit.errors import RegistryError as RegistryError
    from rnnkit.errors import RnnkitError as RnnkitError
    from rnnkit.errors import ShapeError as ShapeError
    from rnnkit.errors import SpecError as SpecError
    from rnnkit.network.builder import build as build
    from rnnkit.network.checkpoint import load_model as load
    from rnnkit.network.checkpoint import save_model as save
    from rnnkit.network.model import Captioner as Captioner
    from rnnkit.spec import Spec as Spec
    from rnnkit.spec import load_plugin as load_plugin
    from rnnkit.spec import parse_spec as parse_spec
    from rnnkit.spec import read_spec as read_spec
    from rnnkit.system.version import __version__ as __version__
    from rnnkit.training import compare as compare
    from rnnkit.training import train as train

_HOME: Final = {
    "Captioner": "rnnkit.network.model:Captioner",
    "CheckpointError": "rnnkit.errors:CheckpointError",
    "DataError": "rnnkit.errors:DataError",
    "MissingPackage": "rnnkit.errors:MissingPackage",
    "Ensemble": "rnnkit.captioning:Ensemble",
    "RegistryError": "rnnkit.errors:RegistryError",
    "RnnkitError": "rnnkit.errors:RnnkitError",
    "ShapeError": "rnnkit.errors:ShapeError",
    "Spec": "rnnkit.spec:Spec",
    "SpecError": "rnnkit.errors:SpecError",
    "__version__": "rnnkit.system.version:__version__",
    "build": "rnnkit.network.builder:build",
    "compare": "rnnkit.training:compare",
    "evaluate": "rnnkit.captioning:evaluate",
    "load": "rnnkit.network.checkpoint:load_model",
    "load_plugin": "rnnkit.spec:load_plugin",
    "open_data": "rnnkit.data:open_data",
    "parse_spec": "rnnkit.spec:parse_spec",
    "read_spec": "rnnkit.spec:read_spec",
    "save": "rnnkit.network.checkpoint:save_model",
    "train": "rnnkit.training:train",
}

_ROOMS: Final = (
    "captioning",
    "data",
    "errors",
    "kinds",
    "metrics",
    "network",
    "numerics",
    "parallel",
    "registry",
    "spec",
    "testing",
    "tracing",
    "training",
)
"""What has a page of its own in the reference, and the errors."""

__all__ = [
    "Captioner",
    "CheckpointError",
    "DataError",
    "Ensemble",
    "MissingPackage",
    "RegistryError",
    "RnnkitError",
    "ShapeError",
    "Spec",
    "SpecError",
    "__version__",
    "build",
    "compare",
    "evaluate",
    "load",
    "load_plugin",
    "open_data",
    "parse_spec",
    "read_spec",
    "save",
    "train",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_ROOMS})


if not TYPE_CHECKING:  # which would take every name then, misspelt ones too

    def __getattr__(name: str) -> object:
        import importlib

        if name in _ROOMS:
            return importlib.import_module(f"rnnkit.{name}")
        if name not in _HOME:
            from rnnkit.errors import no_attribute

            raise no_attribute(__name__, name, (*_HOME, *_ROOMS))
        module, _, attribute = _HOME[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
