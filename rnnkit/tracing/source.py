"""Nodes as lines of NumPy, with names and line breaks as a person would choose them."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rnnkit.tracing.graph import WORKING, Node, in_order
from rnnkit.tracing.layout import wrapped
from rnnkit.tracing.operations import Operand
from rnnkit.tracing.options import ATOM
from rnnkit.tracing.simplify import number, strong
from rnnkit.tracing.sizes import Size
from rnnkit.tracing.written import Text, Words, index_text, written

LONG: Final = 72
"""Characters of an expression beyond which its parts get names."""

HEAVY: Final = 3
"""Operations of an expression from which on it gets a line of its own, if it has a name."""

NOUNS: Final = {
    "add": "both",
    "subtract": "gap",
    "multiply": "product",
    "matmul": "product",
    "divide": "ratio",
    "sum": "total",
    "negative": "minus",
    "where": "chosen",
    "concatenate": "joined",
    "getitem": "part",
    "transpose": "turned",
    "full": "even",
    **dict.fromkeys(("less", "less_equal"), "below"),
    **dict.fromkeys(("greater", "greater_equal"), "above"),
}
"""What the result of an operation is called that has no other name."""

MOST: Final = 64
"""Column blocks of an array at most."""


def needed(ends: Iterable[Node], given: Mapping[Node, object]) -> list[Node]:
    """What has to be computed for some nodes if others are there, each after its inputs."""
    done: dict[Node, None] = {}

    def visit(node: Node) -> None:
        if node not in done and node not in given:
            for i in node.inputs:
                visit(i)
            done[node] = None

    for end in ends:
        visit(end)
    return list(done)


class Writer:
    """Writes the lines that compute nodes.

    Args:
        given: expressions of what is there.
        words: what lengths and types are called.
        names: what nodes may be called, the best first.
        scratch: arrays that may be overwritten.
    """

    def __init__(
        self,
        given: Mapping[Node, str],
        words: Words,
        names: Mapping[Node, Sequence[str]],
        scratch: frozenset[Node] = frozenset(),
    ) -> None:
        self.words, self.names, self.scratch = words, names, scratch
        self.text: dict[Node, Text] = {node: Text(said) for node, said in given.items()}
        self.lines: list[str] = []
        self._given = frozenset(given)
        self._weight: Counter[Node] = Counter()
        self._blocks: dict[Node, list[Node]] = {}
        self._stay: set[Node] = set()
        self._cast: set[Node] = set()
        self._taken = {re.split(r"[.\[]", said)[0] for said in given.values()}
        self._taken |= {"np", "math", "sigmoid", "self", "p", "s", "ds", "k"}

    def write(self, ends: Sequence[Node], *, in_turn: bool = False) -> list[str]:
        """The expression of each of the nodes, after `lines`.

        Args:
            ends: the nodes.
            in_turn: whether to compute in the order in which the author does; else what is wanted first comes first.
        """
        nodes = in_order(ends, self.text) if in_turn else needed(ends, self.text)
        self._into_blocks(nodes)
        self._cast = {i for node in nodes if node.op == "astype" for i in node.inputs}
        uses = Counter(i for node in nodes for i in node.inputs)
        uses.update(ends)
        self._stay = {_memory_of(end) for end in ends}
        for node in nodes:
            self._compute(node, uses)
        return [self.text[end].text for end in ends]

    def _into_blocks(self, nodes: Sequence[Node]) -> None:
        """Plan one line for all column blocks of an array, if they are as wide as each other."""
        by_base: dict[Node, dict[int, Node]] = {}
        for node in nodes:
            k = block_of(node)
            if k is not None:
                by_base.setdefault(node.inputs[0], {})[k] = node
        for base, found in by_base.items():
            blocks = [found[k] for k in sorted(found)]
            width = blocks[0].shape[-1]
            assert isinstance(width, Size)
            if list(found) and base.shape[-1] == width.times(len(found)):
                self._blocks |= dict.fromkeys(blocks, blocks)

    def _compute(self, node: Node, uses: Counter[Node]) -> None:
        if node.op in ("setitem", "add_at"):
            self._written_into(node, uses)
            return
        if node.op == "full" and self._like(node):
            self.text[node] = self._like(node) or self.text[node]
            return
        if node in self._blocks:
            if node not in self.text:
                blocks, base = self._blocks[node], self.text[node.inputs[0]].text
                for block in blocks:
                    self.text[block] = Text(self._name(block))
                left = ", ".join(self.text[block].text for block in blocks)
                self.lines += wrapped(f"{left} = blocks({base}, {len(blocks)})")
            return
        inputs = [self.text[i] for i in node.inputs]
        text = self._in_place(node, inputs, uses) or written(node, inputs, self.words)
        if (
            node.op == "where"
            and node.dtype == WORKING
            and not strong(node)
            and node not in self._cast
        ):
            text = Text(f"{text.text}.astype({self.words.dtype})")  # of two Python numbers
        self._weight[node] = (node.op != "constant") + sum(self._weight[i] for i in node.inputs)
        if self._deserves_a_line(node, text, uses[node]):
            self._assign(node, text.text)
        else:
            self.text[node] = text

    def _like(self, node: Node) -> Text | None:
        """Zeros or ones like an array that is there."""
        word = {0: "zeros", 1: "ones"}.get(number(node))
        for other in self._given:
            if word and other.shape == node.shape and other.dtype == node.dtype and node.shape:
                return Text(f"np.{word}_like({self.text[other].text})")
        return None

    def _deserves_a_line(self, node: Node, text: Text, uses: int) -> bool:
        if node.op == "constant":
            return False
        if uses > 1:
            return not re.fullmatch(r"[\w.]+(\.T)?", text.text)
        if node in self.names:
            return self._weight[node] >= HEAVY or len(text.text) > LONG // 2
        return len(text.text) > LONG

    def _assign(self, node: Node, text: str) -> None:
        name = self._name(node)
        self.lines += wrapped(f"{name} = {text}")
        self.text[node] = Text(name)
        self._weight[node] = 0

    def _name(self, node: Node) -> str:
        """A name that is not taken."""
        candidates = [*self.names.get(node, ()), *self._described(node)]
        for name in candidates:
            if name.isidentifier() and not keyword.iskeyword(name) and name not in self._taken:
                break
        else:
            stem = candidates[0] if candidates and candidates[0].isidentifier() else "a"
            name = next(n for i in range(2, 10**6) if (n := f"{stem}{i}") not in self._taken)
        self._taken.add(name)
        return name

    def _described(self, node: Node) -> list[str]:
        """A name that says what it is."""
        return described(node, [re.sub(r"^(k|s|p)\.", "", self.text[i].text) for i in node.inputs])

    def _in_place(self, node: Node, inputs: Sequence[Text], uses: Counter[Node]) -> Text | None:
        """The operation with its result in an array that nobody reads any more, if there is one."""
        for x in reversed(node.inputs):
            if (
                x in self.scratch
                and node not in self._stay
                and uses[x] == 1
                and node.op in ("add", "subtract", "multiply")
                and x.shape == node.shape
            ):
                said = ", ".join(i.text for i in inputs)
                return Text(f"np.{node.op}({said}, out={self.text[x].text})")
        return None

    def _summed_rows(self, node: Node) -> Text | None:
        """Rows that are added to zeros, each at its index."""
        base, value, *arrays = node.inputs
        zeros = base.op == "full" and number(base) == 0
        if node.op != "add_at" or not zeros or len(base.shape) != 2 or len(arrays) != 1:
            return None
        if node.attributes["index"] != (Operand(2), slice(None)) or len(arrays[0].shape) != 1:
            return None
        like = next((self.text[n].text for n in self._given if n.shape == base.shape), None)
        count = f"len({like})" if like else self.words.length(base.shape[0]).text
        return Text(f"sum_rows({self.text[value].text}, {self.text[arrays[0]].text}, {count})")

    def _written_into(self, node: Node, uses: Counter[Node]) -> None:
        """A copy, and what is written into it."""
        base, value, *_ = node.inputs
        rows = self._summed_rows(node)
        if rows is not None:
            self.text[node] = rows
            return
        inputs = [self.text[i] for i in node.inputs]
        own = base not in self._given and uses[base] == 1
        if own and re.fullmatch(r"\w+", inputs[0].text):
            name = inputs[0].text
        else:
            name = self._name(node)
            fresh = (own and inputs[0].binds != ATOM) or base.op in ("full",)
            copied = inputs[0].text if fresh else f"{inputs[0].within(ATOM)}.copy()"
            self.lines += wrapped(f"{name} = {copied}")
        index = index_text(self.words, node.attributes["index"], inputs)
        if node.op == "add_at":
            added = self.text[value].text
            at = f"({index})" if "," in index else index
            line = f"np.add.at({name}, {at}, {added})"
            if all(isinstance(part, Operand) for part in node.attributes["index"]):
                self.lines += wrapped(line)
            else:
                why = "NumPy's stubs have arrays of indices alone"
                self.lines.append(f"{line}  # type: ignore[arg-type]  # {why}")
        else:
            self.lines += wrapped(f"{name}[{index}] = {self.text[value].text}")
        self.text[node] = Text(name)
        self._weight[node] = 0


def _memory_of(node: Node) -> Node:
    """The array that a view looks at."""
    while node.op in ("getitem", "reshape", "transpose", "real"):
        node = node.inputs[0]
    return node


def described(node: Node, inputs: Sequence[str]) -> list[str]:
    """Names that say what a node is, made of what its inputs are called."""
    named = [i for i in inputs if i.isidentifier()]
    if node.op == "subtract" and inputs[0] in ("1", "1.0") and named:
        return [f"not_{named[0]}"]
    if len(named) == 1 and node.op in NOUNS:
        return [f"{NOUNS[node.op]}_{named[0]}", NOUNS[node.op]]
    if len(named) == len(node.inputs) == 1:
        return [f"{node.op}_{named[0]}"]
    return [NOUNS.get(node.op, node.op)]


def block_of(node: Node) -> int | None:
    """Which column block of an array it is, of blocks as wide as it; None if it is none.

    That holds at all sizes: the width is a length with a letter, such as H, so that the array is 2 H or 3 H wide.
    """
    if node.op != "getitem" or len(node.inputs) > 1:
        return None
    *lead, last = node.attributes["index"]
    width = node.shape[-1] if node.shape else 0
    if any(part != slice(None) for part in lead) or not isinstance(last, slice) or last.step:
        return None
    if not isinstance(width, Size):
        return None
    if last.start == 0:
        return 0
    return next((k for k in range(1, MOST) if last.start == width.times(k)), None)
