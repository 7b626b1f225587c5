# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The Lease of the controller managers on the API server: take it, keep it, give it back."""

from __future__ import annotations

import time
import typing as t
from datetime import datetime, timezone

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError, Client
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.retry import retrying
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._hold import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._hold.decisions import Election, HoldError

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

Json = dict[str, t.Any]
PODS = "/api/v1/namespaces/kube-system/pods"
LOOK_S = 0.5


class Hold:
    """Every call is retried until `deadline` where the server gave no answer."""

    def __init__(self, client: Client, deadline: Deadline) -> None:
        self._client = client
        self._deadline = deadline

    def election(self, *, strict: bool) -> Election:
        """How they elect; where that stands against holding and `strict` is false, how kubeadm has it."""
        query = {"labelSelector": f"component={decisions.COMPONENT}"}
        pods = retrying(lambda: self._client.list(PODS, query), self._deadline, what="listing the controller managers")
        try:
            return decisions.election([pod for pod in pods if api.is_mirror(pod)])
        except HoldError:
            if strict:
                raise
            return Election()

    def read(self, election: Election) -> Json | None:
        try:
            return self._call("GET", _path(election))
        except ApiStatusError as error:
            if error.status == 404:
                return None
            raise

    def take(self, election: Election, holder: str, duration_s: int) -> str:
        """Hold the Lease; who held it before. Returns once a leader of before has given up."""
        before = decisions.holder_of(self.read(election))
        self._write(election, lambda lease: decisions.held(lease, holder, duration_s, _now()))
        if before and not before.startswith(decisions.OURS):
            self._see_it_kept(election)
        return before

    def give_back(self, election: Election) -> str:
        """Release the Lease where this tool holds it, and wait until a controller manager leads; its identity."""
        if decisions.is_ours(self.read(election)):
            self._write(
                election,
                lambda lease: decisions.released(lease, _now()) if lease and decisions.is_ours(lease) else None,
            )
        while True:
            leader = decisions.holder_of(self.read(election))
            if leader and not leader.startswith(decisions.OURS):
                return leader
            if self._deadline.expired():
                raise HoldError(
                    f"No {decisions.COMPONENT} took the lead within {self._deadline.seconds:g} s after the Lease was "
                    "given back.",
                    hint=f"See its log on each control-plane node: crictl logs $(crictl ps -q --name "
                    f"{decisions.COMPONENT})",
                    result={"changed": True},
                )
            self._deadline.sleep(LOOK_S)

    def _see_it_kept(self, election: Election) -> None:
        """A leader that cannot renew stops its controllers after its renew deadline, and ends."""
        until = time.monotonic() + election.renew_deadline_s + decisions.RETRY_S
        while True:
            lease = self.read(election)
            if not decisions.is_ours(lease):
                raise HoldError(
                    f"{decisions.holder_of(lease) or 'Nobody'} took the Lease of the {decisions.COMPONENT} while it "
                    "was held.",
                    hint="Somebody else writes this Lease. Find out who, or do not hold the controller managers.",
                    result={"changed": True},
                )
            if time.monotonic() >= until:
                return
            time.sleep(LOOK_S)

    def _write(self, election: Election, make: t.Callable[[Json | None], Json | None]) -> None:
        """Write what `make` makes of the Lease, again where the leader renewed it in between."""
        while True:
            body = make(self.read(election))
            if body is None:
                return
            try:
                self._call("PUT", _path(election), body)
                return
            except ApiStatusError as error:
                if error.status != 409 or self._deadline.expired():
                    raise

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        return retrying(
            lambda: self._client.request(method, path, body=body, timeout_s=max(1.0, self._deadline.clip(10.0))),
            self._deadline,
            what=f"{method} {path}",
        )


def _path(election: Election) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{election.namespace}/leases/{election.name}"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
