# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on the live control plane: what its static pods run with, and leaders. Pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import parse_time
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.flags import Flags, configured_flags, flags_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    WARNING,
    Cluster,
    Finding,
    Json,
    Request,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import system_pods

LEADERS = ("kube-controller-manager", "kube-scheduler")
# How much older than its duration a lease may look: what says "now" here is renewed every 10 s only.
LEASE_GRACE_S = 30
LEASE_SOURCE = "https://kubernetes.io/docs/concepts/architecture/leases/"
EMULATION_SOURCE = "https://github.com/kubernetes/apiserver/blob/master/pkg/util/compatibility/version.go"


def control_plane_findings(cluster: Cluster, request: Request) -> list[Finding]:
    pods = system_pods(cluster)
    live = {
        component: {
            node: flags_of(api.pod_arguments(pod)) for node, pod in sorted(api.static_pods(pods, component).items())
        }
        for component in LEADERS
    }
    return [
        *_configured_emulation(cluster, request),
        *_leaders(cluster, live),
    ]


def _configured_emulation(cluster: Cluster, request: Request) -> list[Finding]:
    """Only what kubeadm-config says stays through an upgrade."""
    found = []
    for component in _emulation.COMPONENTS:
        for value in configured_flags(cluster.cluster_config, component).get("emulated-version", []):
            minor = _emulation.emulated_minor(value)
            behind = 0 if minor is None else request.target.minor - minor
            if behind <= 0:
                continue
            too_old = behind > _emulation.EMULATED_MINORS
            found.append(
                finding(
                    "emulated-version",
                    BLOCKER if too_old else WARNING,
                    f"{component} --emulated-version",
                    f"set to {value} in kubeadm-config"
                    + (
                        f"; {request.target.minor_text} does not start with more than {_emulation.EMULATED_MINORS} "
                        "minors back"
                        if too_old
                        else f", so that after the upgrade it has the features of 1.{minor}"
                    ),
                    "Take it out of the extraArgs of kubeadm-config, unless it is meant.",
                    EMULATION_SOURCE,
                )
            )
    return found


def _leaders(cluster: Cluster, live: dict[str, dict[str, Flags]]) -> list[Finding]:
    """Leases that nobody renews, by the newest renewal that the API shows: no clock of this machine is in it."""
    renewed = [moment for lease in cluster.leases if (moment := _renewed(lease)) is not None]
    leases = {api.name_of(lease): lease for lease in cluster.leases}
    found = []
    for component in LEADERS:
        lease = leases.get(component)
        elected = [flags.get("leader-elect", ["true"])[-1] != "false" for flags in live[component].values()]
        if lease is None or not any(elected):
            continue  # A lease that nobody is to hold may be left over.
        spec = lease.get("spec") or {}
        moment = _renewed(lease)
        duration = int(spec.get("leaseDurationSeconds") or 0)
        age = max(renewed) - moment if moment is not None else None
        if spec.get("holderIdentity") and age is not None and age <= duration + LEASE_GRACE_S:
            continue
        holder = str(spec.get("holderIdentity") or "").partition("_")[0]
        since = "never renewed" if age is None else f"not renewed for {age:.0f} s"
        found.append(
            finding(
                "leader-lease-stale",
                BLOCKER,
                f"lease/kube-system/{component}",
                f"held by {holder}, and {since}; it lasts {duration} s" if holder else "nobody holds it",
                f"No {component} is at work, so that evicted pods would not come back. See its log on each "
                f"control-plane node: crictl logs $(crictl ps -q --name {component})",
                LEASE_SOURCE,
            )
        )
    return found


def _renewed(lease: Json) -> float | None:
    moment = parse_time((lease.get("spec") or {}).get("renewTime"))
    return moment.timestamp() if moment else None
