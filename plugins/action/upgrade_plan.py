# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows a plan and writes it down; documented in plugins/modules/upgrade_plan.py.

An action plugin, because the terminal and the files are the controller's.
Whether there are colours is for Ansible's display to decide, which minds
NO_COLOR, ANSIBLE_NOCOLOR, ANSIBLE_FORCE_COLOR and what it writes to.
"""

from __future__ import annotations

import json
import os
import tempfile
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.evergreen.kubeadm.plugins.module_utils._artifacts import make_folder
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan import markdown, terminal, words
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import journal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ARGUMENT_SPEC: dict[str, t.Any] = {
    "plan": {"type": "dict", "required": True},
    "json_path": {"type": "path"},
    "markdown_path": {"type": "path"},
}
# Settings of Ansible by kind of line.
COLOURS = {
    terminal.TITLE: "COLOR_HIGHLIGHT",
    terminal.BAD: "COLOR_ERROR",
    terminal.GOOD: "COLOR_OK",
    BLOCKER: "COLOR_ERROR",
    WARNING: "COLOR_WARN",
    NOTE: "COLOR_VERBOSE",
}
# Of the task that made the plan, not of the plan: the same plan is the same file.
OF_THE_TASK = ("invocation", "changed", "failed", "started", "finished", "duration_s", "warnings", "deprecations")

display = Display()


class ActionModule(ActionBase):
    """Works on the controller, whatever host the task is for."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        plan = {
            key: value
            for key, value in journal.plain(options["plan"]).items()
            if key not in OF_THE_TASK and not key.startswith("_ansible")
        }
        missing = [key for key in ("target", "hops", "findings", "blockers") if key not in plan]
        if missing:
            raise AnsibleActionFail(f"This is no result of skew_check: it has no {', '.join(missing)}.")
        # The process that displays has the terminal; this one, which is a fork of it, has not.
        width: int | None = display.columns
        colours = {kind: constants.config.get_config_value(name) for kind, name in COLOURS.items()}
        for line in terminal.lines(plan, width or terminal.WIDEST):
            display.display(line.text, color=colours.get(line.kind))
        changed = False
        for path, text in (
            (options["json_path"], json.dumps(plan, indent=1, ensure_ascii=False) + "\n"),
            (options["markdown_path"], markdown.page(plan)),
        ):
            if path:
                changed |= self._write(journal.plain_text(path), text)
        result.update(
            changed=changed,
            verdict=words.verdict(plan),
            json_path=options["json_path"],
            markdown_path=options["markdown_path"],
        )
        return result

    def _write(self, path: str, text: str) -> bool:
        """Have `text` in the file at `path`, which is replaced as a whole; whether it was another one."""
        try:
            with open(path, encoding="utf-8") as file:
                if file.read() == text:
                    return False
        except (FileNotFoundError, ValueError):
            pass
        except OSError as error:
            raise AnsibleActionFail(f"The plan {path} cannot be read: {error}.") from error
        if self._task.check_mode:
            return True
        directory = os.path.dirname(os.path.abspath(path))
        try:
            make_folder(directory)
            with tempfile.NamedTemporaryFile("w", dir=directory, encoding="utf-8", delete=False) as new:
                new.write(text)
            os.chmod(new.name, 0o644)
            os.replace(new.name, path)
        except OSError as error:
            raise AnsibleActionFail(f"The plan {path} cannot be written: {error}.") from error
        return True
