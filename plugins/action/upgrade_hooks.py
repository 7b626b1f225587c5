# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the user's task files for the hooks of a run; documented in plugins/modules/upgrade_hooks.py.

An action plugin, because the files are the controller's, and may be encrypted
with Ansible's vault.
"""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import journal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._run import hooks

ARGUMENT_SPEC: dict[str, t.Any] = {
    "hooks": {"type": "dict", "default": {}},
    "folder": {"type": "path"},
}


class ActionModule(ActionBase):
    """Works on the controller, whatever host the task is for."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        inventory = (task_vars or {}).get("inventory_dir")
        places = [*([journal.plain_text(inventory)] if inventory else []), os.getcwd()]
        try:
            found = self._found(journal.plain(options["hooks"]), journal.plain_text(options["folder"] or ""), places)
        except hooks.HookError as error:
            raise AnsibleActionFail(str(error)) from error
        result.update(changed=False, hooks=found)
        return result

    def _found(self, asked: dict[str, t.Any], folder: str, places: list[str]) -> dict[str, list[str]]:
        folder = self._folder(folder, places) if folder else ""
        named = hooks.asked_for(asked, folder, os.listdir(folder) if folder else [])
        found = {hook: [hooks.located(path, places, os.path.isfile, hook) for path in named[hook]] for hook in named}
        for hook, paths in found.items():
            for path in paths:
                try:
                    content = self._loader.load_from_file(path)
                except AnsibleError as error:
                    raise hooks.HookError(f"The file {path} of the hook {hook} cannot be read: {error}") from error
                hooks.check_tasks(content, path, hook)
        return found

    def _folder(self, folder: str, places: list[str]) -> str:
        candidates = list(dict.fromkeys(os.path.normpath(os.path.join(place, folder)) for place in places))
        for candidate in candidates:
            if os.path.isdir(candidate):
                return candidate
        raise hooks.HookError(
            f"There is no folder of hooks at {' or '.join(candidates)}.",
            hint="Give upgrade_hooks_dir an absolute path, or one from the folder of the inventory or the working "
            "directory.",
        )
