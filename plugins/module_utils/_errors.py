# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The one family of errors, and the one place that turns them into a failed task."""

from __future__ import annotations

import traceback
import typing as t
from collections.abc import Callable

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import stopwatch

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


class EvergreenError(Exception):
    """Something that an operator must act on.

    `message` says what was being done, to what, and what was seen, in one or
    two sentences. `hint` is the next step. `result` holds the structured keys
    that the failed task returns beside them, in the shapes that the module's
    RETURN block documents; set ``changed`` in it when something was changed
    before the failure.
    """

    def __init__(self, message: str, *, hint: str = "", result: dict[str, t.Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.result = result or {}

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ModuleBody(t.NamedTuple):
    """What a module does. The action plugins do it in their own process where that is possible."""

    act: Callable[[t.Any], dict[str, t.Any]]
    """Gets what has `params`, `check_mode` and `warn()`, as an AnsibleModule has them; returns the result."""
    spec: dict[str, t.Any]
    """What AnsibleModule and ArgumentSpecValidator are made with."""
    timed: bool = False


def outcome(module: t.Any, action: Callable[[t.Any], dict[str, t.Any]], *, timed: bool) -> dict[str, t.Any]:
    """The result of `action`, or that of its failure; `timed` adds the times.

    An EvergreenError becomes ``msg`` (and ``hint`` where there is one) and its
    `result`. Anything else is a defect of this collection and is reported as
    one, with its traceback.
    """
    times: Callable[[], dict[str, t.Any]] = stopwatch() if timed else dict
    try:
        return {**action(module), **times()}
    except EvergreenError as error:
        extra = {"hint": error.hint} if error.hint else {}
        return {"failed": True, "msg": str(error), "changed": False, **error.result, **times(), **extra}
    except Exception as error:
        return {
            "failed": True,
            "msg": f"This is a defect of evergreen.kubeadm, please report it: {type(error).__name__}: {error}",
            "exception": traceback.format_exc(),
        }


def run_module(
    module: AnsibleModule, action: Callable[[AnsibleModule], dict[str, t.Any]], *, timed: bool = False
) -> t.NoReturn:
    """Run `action` and end the module with its result, or with one clear failure."""
    result = outcome(module, action, timed=timed)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
