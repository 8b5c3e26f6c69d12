"""Wrong gradients made of right ones: every single small change of the code that only a backward pass uses.

That code is the whole of `backward` or `step_back`, the functions of the same file that these call, and the
part of `forward`, `step` or `evaluate` that has no say in the value: what is saved, and the statements that
only lead there. So a mutant computes the right value, and claims a wrong gradient for it.
"""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import attrs
import numpy as np

from rnnkit.kinds import Plugin

BACKWARD: Final = ("backward", "step_back")
FORWARD: Final = ("forward", "step", "evaluate")

Function: TypeAlias = ast.FunctionDef
Change: TypeAlias = tuple[str, ast.AST]
"""What kind of change, and what stands there after it."""

INPUT_CHANGED: Final = "input changed"
IN_PLACE: Final = "in place"
VALUE_CHANGES: Final = {
    "sign": "-(E)",
    "factor 2": "(E) * 2.0",
    "factor 1 + 1e-6": "(E) * 1.000001",
    "factor 1 + 1e-9": "(E) * 1.000000001",
    "zeroed": "(E) * 0.0",
    "one entry off by 1e-4": "(E) * (1.0 + 1e-4 * (np.arange(np.size(E)) == 0).reshape(np.shape(E)))",
    "float32 leak": "np.asarray(E, np.float32)",
    "rounded to float32": "(E).astype(np.float32) + 0.0 * (E)",
    "summed over rows": "0.0 * (E) + (E).sum(axis=0)",
    "averaged over rows": "0.0 * (E) + (E).mean(axis=0)",
}
"""Changes of a whole assigned or returned array E."""

OPERATORS: Final[dict[type[ast.operator], tuple[type[ast.operator], ...]]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.GtE: ast.Lt,
    ast.Lt: ast.GtE,
    ast.Eq: ast.NotEq,
    ast.Is: ast.IsNot,
}
UFUNCS: Final[dict[type[ast.operator], str]] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
}
FUNCTIONS: Final = {
    "sum": "mean",
    "mean": "sum",
    "exp": "expm1",
    "zeros_like": "ones_like",
}


@attrs.frozen
class Mutant:
    """One wrong gradient.

    Attributes:
        plugin: as `lstm`.
        noun: of the plugin's kind.
        change: what was changed, and how.
        line: the line of the source file in which.
        cls: name of the plugin's class.
        source: of the whole module, changed.
    """

    plugin: str
    noun: str
    change: str
    line: str
    cls: str
    source: str

    @property
    def kind(self) -> str:
        """What kind of change it is."""
        return self.change.partition(":")[0]


@attrs.frozen
class Place:
    """Where a node hangs in the tree."""

    parent: ast.AST
    field: str
    index: int | None

    @property
    def node(self) -> Any:
        held = getattr(self.parent, self.field)
        return held if self.index is None else held[self.index]

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def mutants(cls: type[Plugin], plugin: str) -> list[Mutant]:
    """Every mutant of a plugin class, in the order of its source."""
    file = inspect.getsourcefile(cls)
    assert file is not None
    with open(file, encoding="utf-8") as f:
        return mutants_of_source(f.read(), cls.__name__, plugin, cls.noun)


def mutants_of_source(text: str, cls: str, plugin: str, noun: str) -> list[Mutant]:
    """The same for a class in the text of a module."""
    module, lines = ast.parse(text), text.splitlines()
    made: list[Mutant] = []
    seen: set[str] = set()
    alike: Counter[tuple[str, str]] = Counter()
    options = _defaults(module, cls)
    for function, places in _regions(module, cls):
        whole = _spliced(lines, function)
        seen.add(whole)
        for place, what, before, node in _changes(function, places, options):
            old = place.node
            place.put(node)
            source = _spliced(lines, function)
            after = ast.unparse(node) if not isinstance(node, ast.Pass) else "nothing"
            place.put(old)
            if source in seen:
                continue
            seen.add(source)
            change = f"{what}: {before}"
            if what not in VALUE_CHANGES and what != INPUT_CHANGED:
                change += f" -> {after}"
            change = " ".join(change.split())
            line = lines[old.lineno - 1].strip()
            alike[line, change] += 1
            if alike[line, change] > 1:
                change += f" ({alike[line, change]})"
            made.append(Mutant(plugin, noun, change, line, cls, source))
    return made


def _spliced(lines: list[str], function: Function) -> str:
    """The module's text with one function written anew."""
    assert function.end_lineno is not None
    written = textwrap.indent(ast.unparse(function), " " * function.col_offset)
    return "\n".join((*lines[: function.lineno - 1], written, *lines[function.end_lineno :], ""))


def _regions(module: ast.Module, cls: str) -> Iterator[tuple[Function, list[Place]]]:
    """The functions to be changed, and where."""
    helpers = {node.name: node for node in module.body if isinstance(node, Function)}
    body = next(n for n in module.body if isinstance(n, ast.ClassDef) and n.name == cls).body
    methods = {node.name: node for node in body if isinstance(node, Function)}
    for name in FORWARD:
        if name in methods and not _ignores_what_is_saved(methods):
            yield methods[name], _only_saved(methods[name])
    todo = [methods[name] for name in BACKWARD if name in methods]
    done: set[str] = set()
    while todo:
        function = todo.pop(0)
        done.add(function.name)
        yield (
            function,
            [Place(function, "body", i) for i in range(_has_doc(function), len(function.body))],
        )
        called = _called(function)
        todo += [helpers[name] for name in helpers if name in called - done]


def _defaults(module: ast.Module, cls: str) -> dict[str, ast.expr]:
    """Option -> the expression of its default, of a class that is written in this module."""
    body = next(n for n in module.body if isinstance(n, ast.ClassDef) and n.name == cls).body
    found: dict[str, ast.expr] = {}
    for node in body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(keywords=[*given])) if any(
                keyword.arg == "default" for keyword in given
            ):
                found[name] = next(k.value for k in given if k.arg == "default")
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found


def _called(function: Function) -> set[str]:
    """The names of the functions that a function calls."""
    calls = [n.func for n in ast.walk(function) if isinstance(n, ast.Call)]
    return {f.id for f in calls if isinstance(f, ast.Name)}


def _has_doc(function: Function) -> int:
    return int(ast.get_docstring(function) is not None)


def _ignores_what_is_saved(methods: dict[str, Function]) -> bool:
    """Whether the backward pass never looks at its last argument, so that saving the wrong thing is no error."""
    for name in BACKWARD:
        if name in methods:
            function = methods[name]
            return function.args.args[-1].arg not in _names(function.body)
    return False


def _only_saved(function: Function) -> list[Place]:
    """Of a method that returns (value, saved), the places that have no say in the value."""
    pairs = [
        n.value.elts
        for n in ast.walk(function)
        if isinstance(n, ast.Return) and isinstance(n.value, ast.Tuple)
    ]
    value = {name for first, _ in pairs for name in _names([first])}
    while True:
        more = {
            name
            for n in ast.walk(function)
            if isinstance(n, ast.Assign | ast.AnnAssign | ast.AugAssign) and _targets(n) & value
            for name in _names([n])
        }
        if more <= value:
            break
        value |= more
    places: list[Place] = []

    def visit(parent: ast.AST, field: str) -> None:
        for i, statement in enumerate(getattr(parent, field)):
            if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple):
                places.append(Place(statement.value, "elts", 1))
            elif isinstance(statement, ast.If):
                targets = {t for n in ast.walk(statement) for t in _targets(n)}
                if targets and not targets & value:
                    places.append(Place(parent, field, i))
                else:
                    visit(statement, "body")
                    visit(statement, "orelse")
            elif _targets(statement) and not _targets(statement) & value:
                places.append(Place(parent, field, i))

    visit(function, "body")
    return places


def _targets(node: ast.AST) -> set[str]:
    """The variables that a statement sets, wholly or in part."""
    match node:
        case ast.Assign(targets=targets):
            found = targets
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            found = [target]
        case _:
            found = []
    return _stored(found)


def _stored(targets: list[ast.expr]) -> set[str]:
    names: set[str] = set()
    for target in targets:
        while isinstance(target, ast.Subscript | ast.Attribute):
            target = target.value
        names |= _names([target])
    return names


def _names(nodes: list[Any]) -> set[str]:
    return {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}


@attrs.frozen
class Scope:
    """What the names of a function stand for.

    Attributes:
        args: its arguments, and other names for them.
        arrays: (line from which it is known, name) of each variable that may be an array.
        fields: container -> its attributes that occur.
        options: of the plugin, with the expression of their defaults.
    """

    args: frozenset[str]
    arrays: tuple[tuple[int, str], ...]
    fields: dict[str, tuple[str, ...]]
    options: dict[str, ast.expr]

    @classmethod
    def of(cls, function: Function, options: dict[str, ast.expr]) -> Scope:
        args = [a.arg for a in function.args.args if a.arg not in ("self", "rng")]
        lines = dict.fromkeys(args, function.lineno)
        aliases: dict[str, str] = {}
        fields: dict[str, set[str]] = {}
        for n in ast.walk(function):
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store):
                lines.setdefault(n.id, n.lineno)
            if isinstance(n, ast.Assign) and isinstance(n.value, ast.Name):
                aliases |= dict.fromkeys(_targets(n), n.value.id)
            if (
                isinstance(n, ast.Attribute)
                and isinstance(n.value, ast.Name)
                and n.value.id not in ("np", "self")
                and not hasattr(np.ndarray, n.attr)
            ):
                fields.setdefault(n.value.id, set()).add(n.attr)
        containers = {*fields, *(old for new, old in aliases.items() if new in fields), "p"}
        arrays = [(line, name) for name, line in lines.items() if name not in containers]
        return cls(
            frozenset({*args, *(new for new, old in aliases.items() if old in args)}),
            tuple(arrays),
            {name: tuple(sorted(names)) for name, names in fields.items()},
            options,
        )


def _changes(
    function: Function, places: list[Place], options: dict[str, ast.expr]
) -> Iterator[tuple[Place, str, str, ast.AST]]:
    """(where, what kind, what stood there, what to put there)."""
    scope = Scope.of(function, options)
    for root in places:
        for place in _walk(root):
            for what, node in _node_changes(place, scope):
                yield place, what, ast.unparse(place.node), node
        for place in _values(root):
            for what, template in VALUE_CHANGES.items():
                yield place, what, ast.unparse(place.node), _filled(template, place.node)
    if function.name in BACKWARD:
        yield from _changed_inputs(function, scope)


def _walk(place: Place) -> Iterator[Place]:
    """Every place at and below this one, outermost first."""
    yield place
    for field, value in ast.iter_fields(place.node):
        if isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _walk(Place(place.node, field, i))
        elif isinstance(value, ast.AST) and field != "annotation":
            yield from _walk(Place(place.node, field, None))


def _values(place: Place) -> Iterator[Place]:
    """The arrays that are assigned or returned at or below a place, one by one."""
    match place.node:
        case ast.If(body=body):
            for i in range(len(body)):
                yield from _values(Place(place.node, "body", i))
        case ast.For(body=body):
            for i in range(len(body)):
                yield from _values(Place(place.node, "body", i))
        case ast.Assign(value=ast.Name()):
            pass
        case ast.Assign() | ast.AugAssign() | ast.AnnAssign() | ast.Return():
            yield from _values(Place(place.node, "value", None))
        case ast.Tuple(elts=elts):
            for i in range(len(elts)):
                yield from _values(Place(place.node, "elts", i))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name[0].isupper():
            for i in range(len(args)):
                yield from _values(Place(place.node, "args", i))
            for keyword in keywords:
                yield from _values(Place(keyword, "value", None))
        case ast.Call(func=ast.Attribute(attr="zeros_like")) | ast.Call(func=ast.Name()):
            pass  # 0 remains 0; tuple(...) is no array
        case ast.Constant() | ast.Name(id="p"):
            pass
        case ast.expr():
            yield place


def _filled(template: str, node: ast.expr) -> ast.expr:
    """The template's expression with the node for E."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.expr:
            return copy.deepcopy(node) if name.id == "E" else name

    filled = Fill().visit(ast.parse(template, mode="eval").body)
    assert isinstance(filled, ast.expr)
    return filled


def _node_changes(place: Place, scope: Scope) -> Iterator[Change]:
    node = place.node
    match node:
        case ast.BinOp():
            yield from _of_operation(node, scope)
        case ast.UnaryOp(operand=operand):
            yield "operator dropped", operand
        case ast.Constant():
            yield from _of_constant(node)
        case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
            yield "comparison", _with(node, ops=[COMPARISONS[type(op)]()])
        case ast.IfExp(body=body, orelse=orelse):
            yield "one branch", body
            yield "one branch", orelse
        case ast.Attribute(value=value, attr="T"):
            yield "transpose", value
        case ast.Attribute(value=ast.Name(id="self"), attr=attr) if attr in scope.options:
            yield "option left out", scope.options[attr]
        case ast.Attribute(value=ast.Name(id=base), attr=attr, ctx=ast.Load()):
            for other in scope.fields.get(base, ()):
                if other != attr and attr in scope.fields[base]:
                    yield "another entry", _with(node, attr=other)
        case ast.Name(id=name, ctx=ast.Load()):
            known = [n for line, n in scope.arrays if line < node.lineno]
            if name in known:
                for other in known:
                    yield "another variable", ast.Name(other, ast.Load())
        case ast.Call():
            yield from _of_call(node)
        case ast.Tuple(elts=elts, ctx=ast.Load()):
            for swapped in _swaps(elts):
                yield "order", _with(node, elts=swapped)
        case ast.Subscript(slice=ast.Slice(lower=lower, upper=upper)):
            for end, bound in (("lower", lower), ("upper", upper)):
                for shifted in _shifted(bound) if bound is not None else ():
                    yield "index", _with(node, slice=_with(node.slice, **{end: shifted}))
        case ast.Subscript(slice=index):
            for shifted in _shifted(index):
                yield "index", _with(node, slice=shifted)
        case ast.AugAssign(op=op):
            yield "statement dropped", ast.Pass()
            for other_op in OPERATORS.get(type(op), ()):
                yield "operator", _with(node, op=other_op())
        case ast.Assign(targets=[ast.Subscript()]) | ast.Expr():
            yield "statement dropped", ast.Pass()
        case ast.If():
            yield "condition", _with(node, test=ast.Constant(True))
            yield "condition", _with(node, test=ast.Constant(False))


def _of_operation(node: ast.BinOp, scope: Scope) -> Iterator[Change]:
    for op in OPERATORS.get(type(node.op), ()):
        yield "operator", _with(node, op=op())
    if not isinstance(node.op, ast.Pow):
        yield "term dropped", node.left
        yield "term dropped", node.right
    else:
        yield "exponent dropped", node.left
    if isinstance(node.op, ast.Sub | ast.Div | ast.Pow | ast.MatMult):
        yield "order", _with(node, left=node.right, right=node.left)
    if isinstance(node.op, ast.MatMult):
        for side in ("left", "right"):
            operand = getattr(node, side)
            if not (isinstance(operand, ast.Attribute) and operand.attr == "T"):
                turned = ast.Attribute(operand, "T", ast.Load())
                yield "transpose", _with(node, **{side: turned})
    if type(node.op) in UFUNCS and isinstance(node.left, ast.Name | ast.Attribute):
        base = node.left.value if isinstance(node.left, ast.Attribute) else node.left
        if isinstance(base, ast.Name) and base.id in scope.args:
            left, right = ast.unparse(node.left), ast.unparse(node.right)
            function = UFUNCS[type(node.op)]
            yield IN_PLACE, _parsed(f"np.{function}({left}, {right}, out={left})")


def _of_constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, float):
        for other in (value * 1.000001 or 1e-6, value * 1.01 or 1e-2, value + 1.0):
            yield "constant", ast.Constant(other)
    elif isinstance(value, int) and not isinstance(value, bool):
        for other in (value + 1, value - 1):
            yield "constant", ast.Constant(other)


def _of_call(node: ast.Call) -> Iterator[Change]:
    for swapped in _swaps(node.args):
        yield "order", _with(node, args=swapped)
    for values in _swaps([k.value for k in node.keywords]):
        keywords = [ast.keyword(k.arg, v) for k, v in zip(node.keywords, values, strict=True)]
        yield "order", _with(node, keywords=keywords)
    for keyword in node.keywords:
        if keyword.arg in ("axis", "keepdims"):
            rest = [k for k in node.keywords if k is not keyword]
            yield "option dropped", _with(node, keywords=rest)
    if isinstance(node.func, ast.Attribute) and node.func.attr in FUNCTIONS:
        other = _with(node.func, attr=FUNCTIONS[node.func.attr])
        yield "function", _with(node, func=other)
        if node.func.attr in ("sum", "mean"):
            yield "sum dropped", node.func.value
    if isinstance(node.func, ast.Attribute) and node.func.attr == "reduce":
        maximum = _parsed("np.maximum.reduce")
        yield "function", _with(node, func=maximum)


def _swaps(items: list[Any]) -> Iterator[list[Any]]:
    """The list with each two neighbours exchanged."""
    for i in range(len(items) - 1):
        yield [*items[:i], items[i + 1], items[i], *items[i + 2 :]]


def _shifted(index: ast.expr) -> Iterator[ast.expr]:
    if not isinstance(index, ast.Constant | ast.Tuple):  # constants are changed anyway
        yield ast.BinOp(index, ast.Add(), ast.Constant(1))
        yield ast.BinOp(index, ast.Sub(), ast.Constant(1))


def _changed_inputs(function: Function, scope: Scope) -> Iterator[tuple[Place, str, str, ast.AST]]:
    """A right gradient, after which an input is no longer what it was."""
    last = Place(function, "body", len(function.body) - 1)
    inputs = [name for _, name in scope.arrays if name in scope.args]
    inputs += [
        f"{base}.{f}" for base in scope.fields if base in scope.args for f in scope.fields[base]
    ]
    for name in inputs:
        text = (
            f"try:\n pass\nfinally:\n"
            f" if isinstance({name}, np.ndarray): np.multiply({name}, 2, out={name})"
        )
        attempt = ast.parse(text).body[0]
        assert isinstance(attempt, ast.Try)
        attempt.body = [last.node]
        yield last, INPUT_CHANGED, f"{name} doubled afterwards", attempt


def _with(node: Any, **fields: Any) -> Any:
    """A copy of a node with other fields; the old node stays as it is."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
