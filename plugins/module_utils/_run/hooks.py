# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The hooks of a run: their names, and which files of tasks the user has for each. Pure."""

from __future__ import annotations

import difflib
import os
import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

ONCE = (
    "pre_run",
    "pre_hop",
    "pre_control_plane",
    "post_control_plane",
    "pre_workers",
    "post_workers",
    "post_hop",
    "post_run",
    "on_failure",
)
"""Run on one host, the others wait."""
OF_A_NODE = (
    "pre_control_plane_node",
    "post_control_plane_node",
    "before_api_server_stop",
    "after_api_server_start",
    "pre_worker",
    "post_worker",
)
"""Run on the node that they are about."""
HOOKS = ONCE + OF_A_NODE
ENDINGS = (".yml", ".yaml")


class HookError(EvergreenError):
    """A hook that the user's options name and that cannot be run."""


def asked_for(hooks: Mapping[str, t.Any], folder: str, names: Sequence[str]) -> dict[str, list[str]]:
    """The files of each hook: that of `folder`, whose files are `names`, then those of the option, in their order.

    Raises HookError for a hook that there is not.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        hook, ending = os.path.splitext(name)
        if ending in ENDINGS and not name.startswith("."):
            _check_name(hook, f"the file {name} of {folder}")
            found.setdefault(hook, []).append(os.path.join(folder, name))
    for hook, files in hooks.items():
        _check_name(str(hook), "upgrade_hooks")
        listed = [files] if isinstance(files, str) else files
        if not isinstance(listed, (list, tuple)) or not all(isinstance(file, str) and file for file in listed):
            raise HookError(
                f"The hook {hook} in upgrade_hooks has {files!r}, which is no list of files.",
                hint="Give it the paths of files with tasks.",
            )
        found.setdefault(str(hook), []).extend(listed)
    return {hook: files for hook, files in found.items() if files}


def located(path: str, folders: Sequence[str], is_file: Callable[[str], bool], hook: str) -> str:
    """The absolute path of a file: `path` in the first of `folders` that has it. Raises HookError where none has."""
    places = list(dict.fromkeys(os.path.normpath(os.path.join(folder, path)) for folder in folders))
    for place in places:
        if is_file(place):
            return place
    raise HookError(
        f"The hook {hook} has the file {path}, and there is none at {' or '.join(places)}.",
        hint="Give an absolute path, or one from the folder of the inventory or the working directory.",
    )


def check_tasks(content: object, path: str, hook: str) -> None:
    """Raise HookError unless `content`, read from YAML, can be a list of tasks."""
    problem = ""
    if not isinstance(content, list):
        problem = "holds no list of tasks"
    elif any(not isinstance(task, Mapping) for task in content):
        problem = "has an entry that is no task"
    elif any("hosts" in task or "import_playbook" in task for task in content):
        problem = "is a playbook"
    if problem:
        raise HookError(
            f"The file {path} of the hook {hook} {problem}.",
            hint="A hook is a list of tasks, as a file for ansible.builtin.include_tasks.",
        )


def _check_name(hook: str, where: str) -> None:
    if hook in HOOKS:
        return
    alike = difflib.get_close_matches(hook, HOOKS, n=1)
    raise HookError(
        f"There is no hook {hook}, which {where} names.",
        hint=(f"Did you mean {alike[0]}? " if alike else "") + f"Hooks are {', '.join(HOOKS)}.",
    )
