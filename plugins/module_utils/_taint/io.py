# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Puts the soft taint on nodes of an API server and takes it off, each Node where nobody was faster."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ApiStatusError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import Conflict, DrainApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._taint import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._taint.decisions import Json

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

PAUSE_S = 0.2


class Tainting:
    """The work of one task, and what it did. In check mode the API server is asked whether it would do it."""

    def __init__(self, api: DrainApi, deadline: Deadline, *, run: str, check_mode: bool) -> None:
        self._api = api
        self._deadline = deadline
        self._run = run
        self._check_mode = check_mode
        self._actions: list[Json] = []
        self._before: dict[str, list[str]] = {}
        self._after: dict[str, list[str]] = {}

    def settle(self, state: str, names: Sequence[str] | None, *, exclusive: bool) -> None:
        """Raise EvergreenError where a node of `names` is not there, before anything is changed."""
        for node in self._observed(state, names, exclusive=exclusive):
            self._settle_one(node, decisions.is_wanted(node, state, names, self._run, exclusive=exclusive))

    def _observed(self, state: str, names: Sequence[str] | None, *, exclusive: bool) -> list[Json]:
        if names is not None and not (exclusive and state == "present"):
            return [self._api.node(name) for name in dict.fromkeys(names)]
        nodes = self._api.nodes()
        missing = sorted(set(names or ()) - {node["metadata"]["name"] for node in nodes})
        if missing:
            raise EvergreenError(
                f"There are no nodes {', '.join(missing)} in the cluster.", hint="Give the names of the Node objects."
            )
        return nodes

    def _settle_one(self, first: Json, wanted: bool | None) -> None:
        """Patch the Node; read it again and decide again where somebody else changed it meanwhile."""
        name, node = first["metadata"]["name"], first
        while (action := decisions.action_for(node, wanted, self._run)) is not None:
            try:
                self._patch(node, action)
                break
            except Conflict:
                if self._deadline.expired():
                    raise EvergreenError(
                        f"Node {name} is changed by others all the time; its taints were left as they are.",
                        hint="Find out what changes the Node so often, and run this again.",
                    ) from None
            self._deadline.sleep(PAUSE_S)
            node = self._api.node(name)
        # A patch whose answer was lost is sent again and meets a conflict with itself, so the first look counts.
        done = action or decisions.action_for(first, wanted, self._run)
        if done is not None:
            self._actions.append({"node": name, "action": done})
            self._before[name] = decisions.words(decisions.taints_of(first))
            self._after[name] = decisions.words(decisions.taints_after(node, done, self._run))

    def _patch(self, node: Json, action: str) -> None:
        name = node["metadata"]["name"]
        what = f"{'removing' if action == decisions.REMOVED else 'setting'} the soft taint of node {name}"
        patch = decisions.patch_for(node, action, self._run)
        try:
            self._api.patch_node(name, patch, what, dry_run=self._check_mode)
        except ApiStatusError as error:
            # A webhook that knows no dry run answers 400, which says nothing of the real patch.
            if not (self._check_mode and error.status == 400):
                raise

    def result(self) -> dict[str, t.Any]:
        """The keys of the module's result."""
        return {
            "changed": bool(self._actions),
            "actions": list(self._actions),
            "diff": {"before": dict(self._before), "after": dict(self._after)},
        }
