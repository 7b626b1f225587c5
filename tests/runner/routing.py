# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What meta/runtime.yml must say of the modules, which it names one by one.

docs/decisions/0018 says why modules that a run uses on nodes are routed.
"""

from __future__ import annotations

import re
import typing as t

import yaml

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

TASK = re.compile(r"^\s+(?:- )?evergreen\.kubeadm\.(\w+):", re.MULTILINE)
AUTH = re.compile(r"^\s+- evergreen\.kubeadm\._auth$", re.MULTILINE)
ACTION = "evergreen.kubeadm.node_reached"
# Roles of playbooks in which no run is under way.
WITHOUT_RUN = ("restore", "restore_rehearsal")
ELSEWHERE: Mapping[str, str] = {
    "availability_probe": "runs on the controller",
    "etcd_backup_program": "installs the timer, which no run does",
}


def problems(runtime: str, modules: Mapping[str, str], tasks: Iterable[str], actions: Collection[str]) -> list[str]:
    """Breaches, one line each.

    `runtime` is the text of meta/runtime.yml, `modules` the sources by name,
    `tasks` the task files of the roles that a run has, and `actions` the
    modules with an action plugin of their own name.
    """
    meta = yaml.safe_load(runtime)
    routed = {name for name, entry in meta["plugin_routing"]["modules"].items() if entry["action_plugin"] == ACTION}
    used = {name for text in tasks for name in TASK.findall(text)} & set(modules)
    group = set(meta["action_groups"]["api"])
    asking = {name for name, source in modules.items() if AUTH.search(source)}
    found = {
        f"is used in a run and not routed to {ACTION}": used - routed - set(actions) - set(ELSEWHERE),
        "is routed and no module of a run": routed - used,
        "has the options of the API and is not in the action group api": asking - group,
        "is in the action group api and has not its options": group - asking,
    }
    return [f"meta/runtime.yml: {name} {what}" for what, names in found.items() for name in sorted(names)]
