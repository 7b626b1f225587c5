# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Where the static pod manifests are not what the installed kubeadm writes, by its own dry run: pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.flags import gone
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.hosts import versions_ahead
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    NOTE,
    WARNING,
    Finding,
    Host,
    Request,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.programs import Programs

SOURCE = "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-reconfigure/"


def static_pod_findings(hosts: list[Host], request: Request, plan: Plan, programs: Programs) -> list[Finding]:
    found = []
    for host in hosts:
        if not host.static_pod_edits or not versions_ahead(plan, host.name):
            continue
        error = str(host.static_pod_edits.get("error") or "")
        if error:
            found.append(_unknown(host, error))
        for component, edits in sorted(dict_of(host.static_pod_edits.get("pods")).items()):
            # The finding on removed flags speaks of these already.
            program = programs.asked.get(component)
            named = {
                kind: [
                    name
                    for name in dict_of(edits).get(kind) or []
                    if not name.startswith("--") or not gone(component, name[2:], request.target, program).why
                ]
                for kind in ("added", "changed", "removed")
            }
            found += _edits(f"pod/kube-system/{component}-{host.name}", host, named)
    return found


def _edits(subject: str, host: Host, named: dict[str, list[str]]) -> list[Finding]:
    found = []
    lost = [f"{kind}: {', '.join(named[kind])}" for kind in ("added", "changed") if named[kind]]
    if lost:
        found.append(
            finding(
                "static-pod-edited",
                WARNING,
                subject,
                f"the manifest is not what kubeadm writes; {'; '.join(lost)}",
                "kubeadm upgrade writes the manifest anew, and this is lost. Put it into the extraArgs, extraEnvs and "
                "extraVolumes of kubeadm-config, or into the patches that every upgrade gives to kubeadm "
                "(control_plane_patches).",
                SOURCE,
            )
        )
    if named["removed"]:
        found.append(
            finding(
                "static-pod-behind-config",
                WARNING,
                subject,
                f"kubeadm writes settings that the manifest does not have: {', '.join(named['removed'])}",
                "They come into force with this upgrade. Apply them before, so that one thing changes at a time: on "
                f"{host.name}, with the kubeadm of today, kubeadm upgrade node; or take them out of kubeadm-config or "
                "the patches.",
                SOURCE,
            )
        )
    return found


def _unknown(host: Host, error: str) -> Finding:
    return finding(
        "static-pod-edits-unknown",
        NOTE,
        f"node/{host.name}",
        f"whether static pod manifests were edited is not known: {error}",
        f"Compare /etc/kubernetes/manifests on {host.name} with kubeadm-config yourself: what is in neither "
        "kubeadm-config nor a patch is lost.",
        SOURCE,
    )
