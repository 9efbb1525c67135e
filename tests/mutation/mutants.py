"""Wrong versions of a module, one small change each.

Knows: which changes a tired author makes: a comparison turned, `and` for `or`, a `not` lost, a bound off by one, a check or a call left out,
nothing returned.
Refuses: to change what tests need not notice: annotations, decorators, docstrings, and the words in which an error is told.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult}

Change = Callable[[ast.AST], ast.AST]


@dataclass(frozen=True)
class Mutant:
    """One wrong version: where (function and line), and the code before and after. `around` is the statement that a mere number stands in."""

    number: int
    function: str
    line: int
    before: str
    after: str
    around: str

    @property
    def key(self) -> str:
        """What names it as long as the code stays."""
        return f"{self.function}: {self.before} -> {self.after}" + (f" in {self.around}" if self.around else "")


def all_of(source: str) -> list[Mutant]:
    """Every wrong version of a module, in the order of its code."""
    tree = ast.parse(source)
    found = []
    for number, (function, statement, node, change) in enumerate(_changes(tree, "", tree)):
        after = change(copy.deepcopy(node))
        around = _short(statement) if isinstance(node, ast.Constant) else ""
        found.append(Mutant(number, function or "(module)", getattr(node, "lineno", 0), _short(node), _short(after), around))
    return found


def compiled(source: str, number: int, path: str) -> object:
    """The code of one wrong version."""
    tree = ast.parse(source)
    for index, (_function, _statement, node, change) in enumerate(_changes(tree, "", tree)):
        if index == number:
            _Replaced(node, change(copy.deepcopy(node))).visit(tree)
            return compile(ast.fix_missing_locations(tree), path, "exec")
    raise IndexError(number)


class _Replaced(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old = old
        self._new = ast.copy_location(new, old) if isinstance(new, (ast.expr, ast.stmt)) else new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._old:
            return self._new
        return self.generic_visit(node)


def _changes(node: ast.AST, function: str, statement: ast.AST) -> Iterator[tuple[str, ast.AST, ast.AST, Change]]:
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_words(child):
                continue
            inside = f"{function}.{child.name}".lstrip(".") if isinstance(child, (ast.FunctionDef, ast.ClassDef)) else function
            around = child if isinstance(child, ast.stmt) else statement
            yield from ((inside, around, child, change) for change in _of(child))
            if not isinstance(child, (ast.Raise, ast.JoinedStr)):
                yield from _changes(child, inside, around)


def _of(node: ast.AST) -> Iterator[Change]:
    yield from _of_statement(node) if isinstance(node, ast.stmt) else _of_expression(node)


def _of_expression(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[ast.cmpop() as compared]) if type(compared) in _COMPARED:
            yield lambda n: _with(n, ops=[_COMPARED[type(compared)]()])
        case ast.BoolOp(op=joined):
            yield lambda n: _with(n, op=ast.Or() if isinstance(joined, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not()):
            yield lambda n: n.operand  # type: ignore[attr-defined]
        case ast.Constant(value=bool()):
            yield lambda n: _with(n, value=not n.value)  # type: ignore[attr-defined]
        case ast.Constant(value=int()):
            yield lambda n: _with(n, value=n.value + 1)  # type: ignore[attr-defined]
        case ast.BinOp(op=ast.operator() as counted) if type(counted) in _COUNTED:
            yield lambda n: _with(n, op=_COUNTED[type(counted)]())
        case ast.IfExp():
            yield lambda n: _with(n, body=n.orelse, orelse=n.body)  # type: ignore[attr-defined]


def _of_statement(node: ast.stmt) -> Iterator[Change]:
    match node:
        case ast.If():
            yield lambda n: _with(n, test=ast.UnaryOp(op=ast.Not(), operand=n.test))  # type: ignore[attr-defined]
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield lambda n: _with(n, value=ast.Constant(value=None))
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield lambda _n: ast.Pass()
        case ast.Continue():
            yield lambda _n: ast.Break()
        case ast.Break():
            yield lambda _n: ast.Continue()


def _is_words(node: ast.AST) -> bool:
    """A docstring, or any other text that stands alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _with(node: ast.AST, **fields: object) -> ast.AST:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def _short(node: ast.AST) -> str:
    text = ast.unparse(ast.fix_missing_locations(node)).splitlines()
    return (text[0] if text else "pass")[:120]
