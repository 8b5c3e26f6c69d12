"""What plugins return, held against what they must: the first that is wrong is told, and not what comes of it."""

from __future__ import annotations

import math
import numbers
from typing import Any, Final, TypeVar

import attrs
import numpy as np

from rnnkit.errors import PluginFault
from rnnkit.kinds import Arrays, Decoded, Decoder, DType, Initializer, Params, Plugin, named_arrays
from rnnkit.registry.blame import fault, shown, wrong_return
from rnnkit.registry.entry_points import entry_of_class
from rnnkit.registry.options import unset

P = TypeVar("P", bound=Plugin)

_NUMBERS: Final = "fciub"
REAL: Final[DType] = np.dtype(np.float64)
"""What went in where it is no array: numbers that are not complex."""


def pair(plugin: Plugin, method: str, made: Any, wanted: str, count: int = 2) -> Any:
    """What must be a tuple of so many parts.

    Raises:
        PluginFault: it is none.
    """
    if not isinstance(made, tuple) or len(made) != count:
        raise wrong_return(plugin, method, made, wanted)
    return made


def instance(cls: type[P], plugin: Any) -> P:
    """What a class has made of options: must be one of its own, with each option in it.

    Raises:
        PluginFault: it is not.
    """
    if not isinstance(plugin, cls):
        who = entry_of_class(cls) or f"{cls.noun} {cls.__module__}.{cls.__qualname__}"
        raise PluginFault(f"{who}: the class makes {shown(plugin)}, which is no {cls.noun}")
    for name in unset(plugin):
        raise fault(plugin, "__init__", f"leaves the option {name!r} without a value")
    return plugin


def array(
    plugin: Plugin,
    method: str,
    made: Any,
    shape: tuple[int, ...],
    what: str,
    given: DType | None = None,
    *,
    floating: bool = False,
) -> Any:
    """What must be an array of a shape.

    Args:
        what: it is called in an error.
        given: the type of what went in, if that is known: complex numbers come of complex ones alone.
        floating: whether whole numbers and truth values will not do, as where others go on computing in place.

    Raises:
        PluginFault: it is of another shape, or no array of such numbers.
    """
    dtype = getattr(made, "dtype", None)
    if dtype is None or made.shape != shape or dtype.kind not in _NUMBERS:
        raise wrong_return(plugin, method, made, f"an array of shape {shape} as {what}")
    if floating and dtype.kind not in "fc":
        raise wrong_return(plugin, method, made, f"floating-point numbers as {what}")
    if dtype.kind == "c" and given is not None and given.kind != "c":
        raise wrong_return(plugin, method, made, f"real numbers as {what}")
    return made


def like(
    plugin: Plugin, method: str, made: Any, wanted: Arrays, what: str, *, floating: bool = False
) -> Any:
    """What must be a container as another one, array for array.

    Args:
        what: it is called in an error.
        floating: as `array` has it.

    Raises:
        PluginFault: it is of another class, or an array of another shape.
    """
    if made is wanted:
        return made
    if type(made) is not type(wanted):
        raise wrong_return(plugin, method, made, f"{type(wanted).__name__} as {what}")
    for (name, a), (_, b) in zip(named_arrays(made), named_arrays(wanted), strict=True):
        array(plugin, method, a, b.shape, f"{what}.{name}", b.dtype, floating=floating)
    return made


def finite(plugin: Plugin, method: str, made: Any) -> float:
    """What must be a finite number.

    Raises:
        PluginFault: it is not.
    """
    if not isinstance(made, numbers.Real) or not math.isfinite(made):
        raise wrong_return(plugin, method, made, "a finite number")
    return float(made)


def whole(plugin: Plugin, method: str, made: Any) -> int:
    """What must be a whole number above 0.

    Raises:
        PluginFault: it is not.
    """
    if not isinstance(made, int | np.integer) or isinstance(made, bool) or made < 1:
        raise wrong_return(plugin, method, made, "a whole number above 0")
    return int(made)


def params(plugin: Plugin, made: Any) -> Any:
    """What must be initial parameters.

    Raises:
        PluginFault: it is no `Params`, or has something else than arrays.
    """
    if not isinstance(made, Params):
        raise wrong_return(plugin, "init", made, "Params")
    for name, a in named_arrays(made):
        array(plugin, "init", a, np.shape(a), name, REAL)
    return made


def check_initializers(plugin: Plugin, dtype: DType) -> None:
    """Try the initializers among a plugin's options, which it calls itself; what they raise is told when it does.

    Raises:
        PluginFault: one returns something else than an array of the shape it is asked for.
    """
    cls: type[Any] = type(plugin)
    for field in attrs.fields(cls):
        init = getattr(plugin, field.name)
        for shape in ((4, 4), (4,)) if isinstance(init, Initializer) else ():
            try:
                made = init.fill(shape, 4, 4, np.random.default_rng(0), dtype)
            except Exception:
                continue
            array(init, "fill", made, shape, "values", dtype)


def decoded(decoder: Decoder, made: Any, images: int, width: int) -> Decoded:
    """What must be captions of so many images, in words of a vocabulary of this size.

    Raises:
        PluginFault: it is not.
    """
    if not isinstance(made, Decoded):
        raise wrong_return(decoder, "decode", made, "Decoded")
    tokens, shape = made.tokens, np.shape(made.tokens)
    if len(shape) != 3 or shape[0] != images or not shape[1] or tokens.dtype.kind not in "iu":
        raise wrong_return(
            decoder, "decode", tokens, f"whole numbers of shape ({images}, K, L) as tokens"
        )
    if tokens.size and not 0 <= tokens.min() <= tokens.max() < width:
        wrong = f"tokens from {tokens.min()} to {tokens.max()}"
        raise fault(decoder, "decode", f"returned {wrong}, but the words are 0 to {width - 1}")
    array(decoder, "decode", made.log_probs, shape[:2], "log_probs", REAL)
    return made
