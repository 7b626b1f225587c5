# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether options of roles work when they are given as text, as ``-e key=false`` does.

Ansible checks a text against the argument_specs and does not convert it, and
refuses it as a condition. So each use of a boolean needs ``| bool``, and each
comparison and calculation with a number ``| int`` or ``| float``, except where
somebody else converts: a module for an argument of that type, Ansible for its
own keywords, and another option of that type where it is used.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import typing as t
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from jinja2 import Environment, nodes

from runner.project import ROOT

Json = dict[str, t.Any]

CONVERTED_BY = {"bool": {"bool"}, "int": {"int", "float"}, "float": {"int", "float"}}
CONDITIONS = {"when", "failed_when", "changed_when", "until", "that"}
KEYWORDS = {"become", "run_once", "ignore_errors", "ignore_unreachable", "check_mode", "any_errors_fatal", "throttle"}
VARIABLES = {"vars", "ansible.builtin.set_fact"}
BLOCKS = {"block", "rescue", "always", "tasks"}
PASSES_ON = {"default", "d", "first", "max", "min"}
NUMERIC = (nodes.Compare, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod)

_JINJA = Environment(autoescape=True)  # never rendered


class Read(t.NamedTuple):
    """A variable that is read; `converted` is whether a text does there as well as the value that it stands for."""

    name: str
    converted: bool


def declared(specs: Mapping[str, t.Any]) -> dict[str, str]:
    """Options of all entry points of one argument_specs file by name, with their types."""
    return {
        name: option.get("type", "str")
        for entry in specs["argument_specs"].values()
        for name, option in (entry.get("options") or {}).items()
    }


def reads(text: str, types: Mapping[str, str], *, wanted: str = "", condition: bool = False) -> Iterator[Read]:
    """The variables of a template; `wanted` is the type that who takes its whole result converts to."""
    body = _JINJA.parse(text).body
    alone = len(body) == 1 and isinstance(body[0], nodes.Output) and len(body[0].nodes) == 1
    for top in body:
        if isinstance(top, nodes.Output):
            for expression in top.nodes:
                # Beside other text it becomes text itself.
                yield from _visit(expression, types, wanted if alone else "", text=not alone, bare=condition)
        else:
            yield from _visit(top, types, "", bare=False)


def _visit(node: nodes.Node, types: Mapping[str, str], by: str, *, text: bool = False, bare: bool) -> Iterator[Read]:
    """`by` is the type that the consumer converts to; `bare` whether it takes what it gets for what it is."""
    if isinstance(node, nodes.Name):
        kind = types.get(node.name, "")
        fits = kind not in CONVERTED_BY or text or by in CONVERTED_BY[kind]
        # A number as it is given does where nobody compares it or calculates with it.
        yield Read(node.name, fits or (kind != "bool" and not bare))
    elif isinstance(node, nodes.Filter) and node.name in ("bool", "int", "float"):
        yield from _visit(t.cast("nodes.Node", node.node), types, node.name, bare=bare)
        for argument in node.args:
            yield from _visit(argument, types, node.name, bare=bare)
    elif isinstance(node, nodes.Filter) and node.name in PASSES_ON:
        for part in (node.node, *node.args):
            yield from _visit(t.cast("nodes.Node", part), types, by, text=text, bare=bare)
    elif isinstance(node, nodes.Test) and node.name in ("defined", "undefined"):
        yield from _visit(node.node, types, "", text=True, bare=False)
    elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        for child in (*node.args, *node.kwargs):
            yield from _visit(child, types, "", bare=False)
    elif isinstance(node, nodes.CondExpr):
        yield from _visit(node.test, types, "", bare=True)
        for part in (node.expr1, node.expr2):
            if part is not None:
                yield from _visit(part, types, by, text=text, bare=bare)
    else:
        inner = isinstance(node, (*NUMERIC, nodes.And, nodes.Or, nodes.Not, nodes.If))
        for child in node.iter_child_nodes():
            yield from _visit(child, types, "", bare=inner)


def variables(content: t.Any, types: Mapping[str, str], module: str = "", path: tuple[str, ...] = ()) -> Iterator[Read]:
    """What YAML of a playbook or role reads. `module` is whose arguments it is, `path` where in them."""
    if isinstance(content, str):
        wanted = argument_type(module, path) if module else ""
        yield from reads(content, types, wanted=wanted)
    elif isinstance(content, list):
        for item in content:
            yield from variables(item, types, module, path)
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _entry(str(key), value, types, module, path)


def _entry(key: str, value: t.Any, types: Mapping[str, str], module: str, path: tuple[str, ...]) -> Iterator[Read]:
    if key in CONDITIONS and not (module and argument_type(module, (*path, key))):
        for condition in value if isinstance(value, list) else [value]:
            if isinstance(condition, str):
                yield from reads(f"{{{{ {condition} }}}}", types, condition=True)
    elif module:
        yield from variables(value, types, module, (*path, key))
    elif key in VARIABLES:
        for name, given in value.items():
            yield from assigned(name, given, types)
    elif key in BLOCKS:
        yield from variables(value, types)
    elif key in KEYWORDS and isinstance(value, str):
        yield from reads(value, types, wanted="int" if key == "throttle" else "bool")
    elif key == "module_defaults":
        for name, arguments in value.items():
            yield from variables(arguments, types, name)
    elif "." in key:
        yield from variables(value, types, key)
    else:
        yield from variables(value, types)


def assigned(name: str, value: t.Any, types: Mapping[str, str]) -> Iterator[Read]:
    """A variable that is set: one that is an option itself is converted where it is used."""
    if isinstance(value, str):
        yield from reads(value, types, wanted=types.get(name, ""))
    else:
        yield from variables(value, types)


@functools.cache
def argument_type(module: str, path: tuple[str, ...]) -> str:
    """The type of a module's option that its documentation has at `path`; empty where there is none."""
    option: Json = {"suboptions": _documented(module)}
    for key in path:
        option = (option.get("suboptions") or {}).get(key) or {}
    return str(option.get("type", ""))


@functools.cache
def _documented(module: str) -> Json:
    collection, _dot, name = module.rpartition(".")
    if collection == "evergreen.kubeadm":
        file = ROOT / "plugins" / "modules" / f"{name}.py"
    else:
        found = importlib.util.find_spec(f"ansible.modules.{name}") if collection == "ansible.builtin" else None
        file = Path(found.origin) if found and found.origin else Path()
    if not file.is_file():
        return {}
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "DOCUMENTATION":
            return yaml.safe_load(ast.literal_eval(statement.value)).get("options") or {}
    return {}


def set_in(content: t.Any) -> Iterator[str]:
    """The variables that YAML of a playbook or role sets by itself."""
    if isinstance(content, list):
        for item in content:
            yield from set_in(item)
    elif isinstance(content, dict):
        for key, value in content.items():
            if key in ("register", "loop_var", "index_var"):
                yield value
            elif key in VARIABLES:
                yield from value
            yield from set_in(value)


def problems(root: Path = ROOT) -> list[str]:
    """Every use of an option that a text would break, one line each; and every option that nobody has declared."""
    roles = tuple(f"{path.parent.parent.name}_" for path in (root / "roles").glob("*/meta/argument_specs.yml"))
    types: dict[str, str] = {}
    for specs in sorted((root / "roles").glob("*/meta/argument_specs.yml")):
        types.update(declared(yaml.safe_load(specs.read_text(encoding="utf-8"))))
    found, read, known = [], {}, set(types)
    for file in _files(root):
        text = file.read_text(encoding="utf-8")
        name = file.relative_to(root)
        if file.suffix == ".j2":
            seen = list(reads(text, types))
        elif file.parent.name in ("defaults", "vars"):
            content = yaml.safe_load(text) or {}
            seen = [each for key, value in content.items() for each in assigned(key, value, types)]
            known.update(content)
        else:
            content = yaml.safe_load(text)
            seen = list(variables(content, types))
            known.update(set_in(content))
        read.update({each.name: name for each in seen if each.name.startswith(roles)})
        unconverted = sorted({each.name for each in seen if not each.converted})
        found += [f"{name}: {each} is used without | {types[each]}, so -e {each}=... breaks it" for each in unconverted]
    undeclared = sorted(read.keys() - known)
    return found + [f"{read[each]}: {each} is in no argument_specs.yml" for each in undeclared]


def _files(root: Path) -> Iterator[Path]:
    yield from sorted((root / "playbooks").glob("*.yml"))
    for folder, ending in (("tasks", "yml"), ("defaults", "yml"), ("vars", "yml"), ("templates", "j2")):
        yield from sorted((root / "roles").glob(f"*/{folder}/*.{ending}"))
