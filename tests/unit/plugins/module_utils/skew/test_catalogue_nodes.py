# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each finding on nodes and programs has its entry, with just the severities that it can have."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import (
    findings_certificates,
    findings_hosts,
    findings_kubelet_config,
    findings_kubelet_flags,
    findings_machine,
    findings_packages,
    findings_programs,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue import (
    hosts,
    hosts_machine,
    hosts_packages,
    programs,
)

NODES = (findings_certificates, findings_kubelet_config, findings_hosts, findings_machine, findings_packages)
PROGRAMS = (findings_kubelet_flags, findings_programs)
SEVERITIES = {"BLOCKER", "WARNING", "NOTE"}


def constants(node: ast.expr) -> set[str]:
    """The text constants and names that an expression can have as its value."""
    if isinstance(node, ast.IfExp):
        return constants(node.body) | constants(node.orelse)
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    return {node.id} if isinstance(node, ast.Name) else set()


def made(modules: tuple[t.Any, ...]) -> dict[str, set[str]]:
    """The severities of each id in calls of ``finding``; a severity that is a variable adds none."""
    found: dict[str, set[str]] = {}
    for module in modules:
        for call in ast.walk(ast.parse(Path(module.__file__).read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "finding":
                for names, severities in together(call.args[0], call.args[1]):
                    for name in constants(names):
                        found.setdefault(name, set()).update(constants(severities) & SEVERITIES)
    return found


def together(name: ast.expr, severity: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """The pairs of both; where the same condition chooses them, each is of one side."""
    if (
        isinstance(name, ast.IfExp)
        and isinstance(severity, ast.IfExp)
        and ast.dump(name.test) == ast.dump(severity.test)
    ):
        return [(name.body, severity.body), (name.orelse, severity.orelse)]
    return [(name, severity)]


@pytest.mark.parametrize(
    ("modules", "entries"),
    [
        (NODES, hosts.ENTRIES + hosts_machine.ENTRIES + hosts_packages.ENTRIES),
        (PROGRAMS, programs.ENTRIES),
    ],
)
def test_entries(modules: tuple[t.Any, ...], entries: tuple[t.Any, ...]) -> None:
    ids = [entry.id for entry in entries]
    assert len(ids) == len(set(ids))
    found = made(modules)
    assert set(ids) == set(found)
    for entry in entries:
        assert {severity.lower() for severity in found[entry.id]} <= set(entry.severities)
        assert entry.title and not entry.title.endswith(".")
        assert entry.meaning and entry.cure
        assert all(source.startswith("https://") for source in entry.sources)
