"""Numbers that are options of a plugin, and what is computed from them: they are numbers that know how they are written."""

from __future__ import annotations

from typing import Any, Final

SUM, PRODUCT, SIGN, ATOM = 5, 6, 7, 9
"""How tightly operators bind, among those of `written`."""


class Option(float):
    """A number with the expression that it came from, such as `1.0 - self.rate`.

    Attributes:
        text: the expression.
        binds: how tightly its outermost operator binds.
    """

    text: str
    binds: int

    def __new__(cls, value: float, text: str, binds: int = ATOM) -> Option:
        made = super().__new__(cls, value)
        made.text, made.binds = text, binds
        return made

    def __reduce__(self) -> Any:
        return (Option, (float(self), self.text, self.binds))

    def within(self, binds: int) -> str:
        """The expression as a part of another one."""
        return self.text if self.binds >= binds else f"({self.text})"

    def __neg__(self) -> Option:
        return Option(-float(self), f"-{self.within(SIGN)}", SIGN)


def _said(x: float) -> Option:
    return x if isinstance(x, Option) else Option(x, repr(x), ATOM if x >= 0 else SIGN)


def _infix(method: str, sign: str, binds: int) -> None:
    """Give options an operator and its reflection."""
    plain, reflected = getattr(float, f"__{method}__"), getattr(float, f"__r{method}__")

    def forward(self: Option, other: Any) -> Any:
        if not isinstance(other, int | float):
            return NotImplemented
        if method == "mul" and type(other) is float and other == -1.0:
            return -self
        text = f"{self.within(binds)} {sign} {_said(other).within(binds + 1)}"
        return Option(plain(self, float(other)), text, binds)

    def backward(self: Option, other: Any) -> Any:
        if not isinstance(other, int | float):
            return NotImplemented
        text = f"{_said(other).within(binds)} {sign} {self.within(binds + 1)}"
        return Option(reflected(self, float(other)), text, binds)

    setattr(Option, f"__{method}__", forward)
    setattr(Option, f"__r{method}__", backward)


OPERATORS: Final = (
    ("add", "+", SUM),
    ("sub", "-", SUM),
    ("mul", "*", PRODUCT),
    ("truediv", "/", PRODUCT),
)

for _operator in OPERATORS:
    _infix(*_operator)
