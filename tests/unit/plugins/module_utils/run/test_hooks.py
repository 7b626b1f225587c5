# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._run.hooks import (
    HOOKS,
    HookError,
    asked_for,
    check_tasks,
    located,
)


@pytest.mark.parametrize(
    ("hooks", "names", "expected"),
    [
        ({}, [], {}),
        ({"pre_run": []}, [], {}),
        ({"pre_run": ["a.yml", "b.yml"]}, [], {"pre_run": ["a.yml", "b.yml"]}),
        ({"pre_run": "a.yml"}, [], {"pre_run": ["a.yml"]}),
        ({}, ["pre_run.yml", "post_run.yaml"], {"post_run": ["/h/post_run.yaml"], "pre_run": ["/h/pre_run.yml"]}),
        ({"pre_run": ["a.yml"]}, ["pre_run.yml"], {"pre_run": ["/h/pre_run.yml", "a.yml"]}),
        ({}, ["README.md", ".pre_run.yml", "tasks", "pre_runs.yml.orig"], {}),
    ],
)
def test_asked_for(hooks: dict[str, t.Any], names: list[str], expected: dict[str, list[str]]) -> None:
    assert asked_for(hooks, "/h", names) == expected


@pytest.mark.parametrize(
    ("hooks", "names", "message"),
    [
        ({"pre_workr": ["a.yml"]}, [], r"no hook pre_workr, which upgrade_hooks names. Did you mean pre_worker\?"),
        ({}, ["pre_upgrade.yml"], r"no hook pre_upgrade, which the file pre_upgrade.yml of /h names."),
        ({"zzz": ["a.yml"]}, [], r"no hook zzz, which upgrade_hooks names. Hooks are pre_run, "),
        ({"pre_run": {"a": 1}}, [], r"The hook pre_run in upgrade_hooks has .* no list of files"),
        ({"pre_run": [""]}, [], r"no list of files"),
        ({"pre_run": [{"name": "a task"}]}, [], r"no list of files"),
        ({"pre_run": None}, [], r"no list of files"),
    ],
)
def test_not_asked_for_right(hooks: dict[str, t.Any], names: list[str], message: str) -> None:
    with pytest.raises(HookError, match=message):
        asked_for(hooks, "/h", names)


@pytest.mark.parametrize(
    ("path", "there", "expected"),
    [
        ("a.yml", {"/inventory/a.yml", "/work/a.yml"}, "/inventory/a.yml"),
        ("a.yml", {"/work/a.yml"}, "/work/a.yml"),
        ("x/../a.yml", {"/work/a.yml"}, "/work/a.yml"),
        ("/abs/a.yml", {"/abs/a.yml"}, "/abs/a.yml"),
    ],
)
def test_located(path: str, there: set[str], expected: str) -> None:
    assert located(path, ["/inventory", "/work"], there.__contains__, "pre_run") == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a.yml", r"The hook pre_run has the file a.yml, and there is none at /inventory/a.yml or /work/a.yml\."),
        ("/abs/a.yml", r"has the file /abs/a.yml, and there is none at /abs/a.yml\."),
    ],
)
def test_located_nowhere(path: str, message: str) -> None:
    with pytest.raises(HookError, match=message):
        located(path, ["/inventory", "/work"], set().__contains__, "pre_run")


@pytest.mark.parametrize("content", [[], [{"name": "a"}], [{"block": []}, {"debug": {}}]])
def test_tasks(content: object) -> None:
    check_tasks(content, "/h/pre_run.yml", "pre_run")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "holds no list of tasks"),
        ({"tasks": []}, "holds no list of tasks"),
        (["text"], "has an entry that is no task"),
        ([{"hosts": "all", "tasks": []}], "is a playbook"),
        ([{"import_playbook": "x.yml"}], "is a playbook"),
    ],
)
def test_no_tasks(content: object, problem: str) -> None:
    with pytest.raises(HookError, match=f"The file /h/pre_run.yml of the hook pre_run {problem}"):
        check_tasks(content, "/h/pre_run.yml", "pre_run")


def test_no_hook_has_two_names() -> None:
    assert len(set(HOOKS)) == len(HOOKS)
