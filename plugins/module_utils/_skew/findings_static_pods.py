# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Where the running static pods are not what kubeadm would write from kubeadm-config: pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.manifests import (
    copied_proxies,
    proxy_variables,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dicts_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.flags import (
    Flags,
    configured_flags,
    flags_of,
    gone,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.kubeadm_defaults import DEFAULT_FLAGS, SOURCE
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    WARNING,
    Cluster,
    Finding,
    Json,
    Request,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.pod_drift import Drift, pod_drift
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.programs import Programs


def static_pod_findings(
    cluster: Cluster, static: dict[str, dict[str, Json]], request: Request, programs: Programs
) -> list[Finding]:
    """`static` has the mirror pods by component and node."""
    config = cluster.cluster_config
    if config is None:
        return []
    found = []
    copied = _copied_proxies(static)
    for component, pods in static.items():
        by_node = {node: flags_of(api.pod_arguments(pod)) for node, pod in pods.items()}
        # The finding on removed flags speaks of these already.
        removed = {
            name
            for name in (*configured_flags(config, component), *(name for flags in by_node.values() for name in flags))
            if gone(component, name, request.target, programs.asked.get(component)).why
        }
        for node, pod in pods.items():
            subject = f"pod/kube-system/{component}-{node}"
            flags, rest = (
                _flag_drift(component, by_node[node], config, removed),
                pod_drift(component, pod, config, copied.get(node)),
            )
            edited, behind = [*flags.edited, *rest.edited], [*flags.behind, *rest.behind]
            if edited:
                found.append(
                    finding(
                        "static-pod-edited",
                        WARNING,
                        subject,
                        f"it is not as kubeadm writes it from kubeadm-config; {'; '.join(edited)}",
                        "kubeadm upgrade writes the manifest anew, and this is lost. Put it into the extraArgs, "
                        "extraEnvs and extraVolumes of kubeadm-config, or into the patches that you give to kubeadm "
                        "in every upgrade.",
                        SOURCE,
                    )
                )
            if behind:
                found.append(
                    finding(
                        "static-pod-behind-config",
                        WARNING,
                        subject,
                        f"kubeadm-config has settings that the running pod does not have: {'; '.join(behind)}",
                        "They come into force with this upgrade. Apply them before, so that one thing changes at a "
                        f"time: on {node}, with the kubeadm of today, kubeadm upgrade node; or take them out.",
                        SOURCE,
                    )
                )
    return found


def _copied_proxies(static: dict[str, dict[str, Json]]) -> dict[str, set[str]]:
    """Names of the proxy variables by node that all its static pods have, so that the run keeps them."""
    found: dict[str, list[dict[str, str]]] = {}
    for component in api.VERSIONED_COMPONENTS:
        for node, pod in static.get(component, {}).items():
            containers = dicts_of((pod.get("spec") or {}).get("containers"))
            main = next((entry for entry in containers if entry.get("name") == component), {})
            variables = {str(entry.get("name")): str(entry.get("value") or "") for entry in dicts_of(main.get("env"))}
            found.setdefault(node, []).append(proxy_variables(variables))
    return {node: set(copied_proxies(pods)) for node, pods in found.items()}


def _flag_drift(component: str, flags: Flags, config: Json, removed: set[str]) -> Drift:
    extra = configured_flags(config, component)
    defaults = DEFAULT_FLAGS[component]
    # That of an upgrade which can be taken back is another finding's.
    known = {*defaults, *extra, *removed, _emulation.FLAG}
    added = [name for name in flags if name not in known]
    changed = [name for name, values in flags.items() if _is_changed(name, values, extra, defaults)]
    absent = [name for name in extra if name not in flags and name not in removed]
    edited = [
        f"{what}: {_options(names)}"
        for what, names in (("set by hand or by a patch", added), ("with another value", changed))
        if names
    ]
    return Drift(edited, [_options(absent)] if absent else [])


def _options(names: list[str]) -> str:
    return ", ".join(f"--{name}" for name in sorted(names))


def _is_changed(name: str, values: list[str], extra: Flags, defaults: dict[str, str | None]) -> bool:
    if name == "authorization-mode":
        return False  # kubeadm changes what it is given here
    if name in extra:
        return sorted(values) != sorted(extra[name])
    default = defaults.get(name)
    return default is not None and values != [default]
