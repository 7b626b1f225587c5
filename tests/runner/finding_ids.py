# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ids and severities the sources give to ``finding(id, severity, ...)``, read from their syntax.

Read are constants, both sides of ``a if b else c``, f-strings (a part that is
filled in stands for any text), names that are assigned or looped over in the
same function or module, and parameters, by the calls of their function in the
same module. An id that is none of these is told, and not guessed; a severity
that is none of them may be any. ``finding(x["id"], ...)`` makes a finding of
another one anew, and is no use of its own.
"""

from __future__ import annotations

import ast
import re
import typing as t

SEVERITIES = {"BLOCKER": "blocker", "WARNING": "warning", "NOTE": "note"}
FINDING = "finding"


class Use(t.NamedTuple):
    """One way that a finding is made. `id` is a regular expression for the whole id; an empty `severity` is any."""

    id: str
    severity: str
    line: int

    def means(self, id: str) -> bool:
        return re.fullmatch(self.id, id) is not None

    def is_of(self, id: str, severity: str) -> bool:
        return self.means(id) and self.severity in ("", severity)


class Found(t.NamedTuple):
    uses: list[Use]
    unreadable: list[int]
    """Lines of calls whose id is none of what can be read."""


Scope = ast.FunctionDef | ast.Module


def read(source: str) -> Found:
    """Every use in a module."""
    return _Module(ast.parse(source)).found()


class _Module:
    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._scope_of: dict[ast.Call, Scope] = {}
        self._calls(tree, tree)

    def _calls(self, node: ast.AST, scope: Scope) -> None:
        for child in ast.iter_child_nodes(node):
            inner = child if isinstance(child, ast.FunctionDef) else scope
            if isinstance(child, ast.Call):
                self._scope_of[child] = scope
            self._calls(child, inner)

    def found(self) -> Found:
        found = Found([], [])
        for call, scope in self._scope_of.items():
            if _name(call.func) == FINDING:
                id, severity = _argument(call, 0, "id"), _argument(call, 1, "severity")
                for pair in _sides(id, severity):
                    if not _is_copy(pair[0]):
                        self._use(pair, scope, call.lineno, found, 0)
        return found

    def _use(
        self, pair: tuple[ast.expr | None, ast.expr | None], scope: Scope, line: int, found: Found, depth: int
    ) -> None:
        """Add what `pair` can be in `scope`; a parameter is looked for where the function is called."""
        names = _parameters(scope)
        passed = [_name(each) in names and not self._values(_name(each), scope) for each in pair]
        calls = [
            call for call in self._scope_of if isinstance(scope, ast.FunctionDef) and _name(call.func) == scope.name
        ]
        if isinstance(scope, ast.FunctionDef) and any(passed) and calls and depth < 5:
            for call in calls:
                handed = [
                    _argument(call, names.index(_name(each)), _name(each)) or _default(scope, _name(each))
                    if is_passed
                    else each
                    for each, is_passed in zip(pair, passed, strict=True)
                ]
                self._use((handed[0], handed[1]), self._scope_of[call], line, found, depth + 1)
            return
        ids, severities = self._texts(pair[0], scope), self._texts(pair[1], scope) or [""]
        if not ids:
            found.unreadable.append(line)
        found.uses.extend(Use(id, severity, line) for id in ids for severity in severities)

    def _texts(self, value: ast.expr | None, scope: Scope, depth: int = 0) -> list[str]:
        """Regular expressions for what `value` can be; empty where it cannot be read."""
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return [re.escape(value.value)]
        if isinstance(value, ast.JoinedStr):
            parts = [re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".+" for p in value.values]
            return ["".join(parts)]
        if isinstance(value, ast.IfExp):
            sides = [self._texts(side, scope, depth) for side in (value.body, value.orelse)]
            return [text for side in sides for text in side] if all(sides) else []
        if isinstance(value, ast.Name) and value.id in SEVERITIES:
            return [SEVERITIES[value.id]]
        if isinstance(value, ast.Name) and depth < 5:
            values = self._values(value.id, scope) or self._values(value.id, self._tree)
            read = [self._texts(each, scope, depth + 1) for each in values]
            return [text for texts in read for text in texts] if all(read) else []
        return []

    def _values(self, name: str, scope: Scope) -> list[ast.expr]:
        """What is assigned to a name in a scope, its inner functions left out."""
        found: list[ast.expr] = []
        for node in _within(scope):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    found += _taken(target, node.value, name)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                found += _taken(node.target, node.value, name)
            elif isinstance(node, (ast.For, ast.comprehension)) and name in map(_name, ast.walk(node.target)):
                for each in self._items(node.iter):
                    found += _taken(node.target, each, name)
        return found

    def _items(self, value: ast.expr) -> list[ast.expr]:
        """The items of a literal, or of a constant of the module that is one."""
        if isinstance(value, ast.Name):
            return [item for each in self._values(value.id, self._tree) for item in self._items(each)]
        return list(value.elts) if isinstance(value, (ast.Tuple, ast.List)) else []


def _within(scope: Scope) -> t.Iterator[ast.AST]:
    left: list[ast.AST] = list(ast.iter_child_nodes(scope))
    while left:
        node = left.pop(0)
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            left.extend(ast.iter_child_nodes(node))


def _taken(target: ast.expr, value: ast.expr, name: str) -> list[ast.expr]:
    """What of `value` an assignment to `target` gives to `name`."""
    if isinstance(target, ast.Name):
        return [value] if target.id == name else []
    if isinstance(value, ast.IfExp):
        return [*_taken(target, value.body, name), *_taken(target, value.orelse, name)]
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        return [
            found for inner, part in zip(target.elts, value.elts, strict=True) for found in _taken(inner, part, name)
        ]
    return []


def _sides(id: ast.expr | None, severity: ast.expr | None) -> list[tuple[ast.expr | None, ast.expr | None]]:
    """Both sides of ``a if b else c`` apart, where id and severity depend on the same."""
    if isinstance(id, ast.IfExp) and isinstance(severity, ast.IfExp) and ast.dump(id.test) == ast.dump(severity.test):
        return [(id.body, severity.body), (id.orelse, severity.orelse)]
    return [(id, severity)]


def _is_copy(id: ast.expr | None) -> bool:
    return isinstance(id, ast.Subscript) and isinstance(id.slice, ast.Constant) and id.slice.value == "id"


def _name(value: ast.AST | None) -> str:
    return value.id if isinstance(value, ast.Name) else ""


def _parameters(scope: Scope) -> list[str]:
    return [each.arg for each in scope.args.args] if isinstance(scope, ast.FunctionDef) else []


def _default(function: ast.FunctionDef, name: str) -> ast.expr | None:
    """What a parameter is where a call does not say."""
    names, defaults = _parameters(function), function.args.defaults
    return dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)).get(name)


def _argument(call: ast.Call, place: int, name: str) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[place] if place < len(call.args) else None
