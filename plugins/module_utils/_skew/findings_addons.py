# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on CoreDNS, kube-proxy and on addons of other makers. Pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dicts_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import coredns, rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.addon_table import Addon, Support, with_added
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_pods import images_of, workload_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Cluster,
    Finding,
    Json,
    Request,
    finding,
    version_or_none,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import absent_addons
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import image_tag
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

IMAGES_SOURCE = "https://github.com/kubernetes/kubernetes/blob/master/cmd/kubeadm/app/images/images.go"
DEFAULT_REPOSITORY = "registry.k8s.io"
COREDNS = "coredns"
DNS, PROXY = f"deployment/kube-system/{COREDNS}", "daemonset/kube-system/kube-proxy"


def addon_findings(cluster: Cluster, request: Request, plan: Plan) -> list[Finding]:
    found = [*_others(cluster, request, plan)]
    # kubeadm touches its own addons where it applies a version only.
    if any(hop["apply_needed"] for hop in plan.hops):
        found += _images(cluster, request)
        found += _coredns(cluster, request, plan)
    return [*found, *_absent(cluster, request, plan), *(_rivals(cluster) if plan.hops else [])]


def _rivals(cluster: Cluster) -> list[Finding]:
    """Controllers that drain, delete or uncordon nodes themselves, or evict pods, each workload once."""
    seen: dict[tuple[str, str, str, str], None] = {}
    for pod in cluster.pods:
        owner = workload_of(pod)
        for container in dicts_of((pod.get("spec") or {}).get("containers")):
            name = repository_of(str(container.get("image", ""))).rpartition("/")[2]
            if name in rules.RIVALS and owner is not None:
                seen[(name, *owner)] = None
    found = []
    for name, kind, namespace, workload in sorted(seen):
        what = f"-n {namespace} {kind.lower()} {workload}"
        if kind == "Job":
            # Those of a CronJob have its name and a number.
            suspend = '{"spec":{"suspend":true}}'
            pause = f"kubectl -n {namespace} patch cronjob {workload.rpartition('-')[0]} -p '{suspend}'"
        elif name == "kured":
            pause = f'kubectl annotate {what} weave.works/kured-node-lock=\'{{"nodeID":"manual"}}\''
        else:
            pause = f"kubectl scale {what} --replicas=0"
        found.append(
            finding(
                "other-controller-active",
                WARNING,
                f"{kind.lower()}/{namespace}/{workload}",
                f"{name} runs: it {rules.RIVALS[name]}, and may do so to a node that the run is at work on",
                f"Pause it for the time of the upgrade: {pause}",
                rules.RIVALS_SOURCES[name],
            )
        )
    return found


def _absent(cluster: Cluster, request: Request, plan: Plan) -> list[Finding]:
    """Addons that the cluster does not have, and that kubeadm would bring."""
    config = cluster.cluster_config or {}
    found = []
    for name in absent_addons(cluster):
        key, configured, subject = {
            COREDNS: ("dns", cluster.corefile is not None, DNS),
            "kube-proxy": ("proxy", cluster.kube_proxy_config is not None, PROXY),
        }[name]
        off = bool((config.get(key) or {}).get("disabled"))
        towards = [Version.parse(hop["to"]) for hop in plan.hops if hop["control_plane"] and not hop["rollback_safe"]]
        bringing = [version for version in towards if _brings(version, configured=configured, off=off)]
        if request.skips(f"addon/{name}") or not bringing:
            continue
        told = ", ".join(str(version) for version in bringing)
        old = [version for version in bringing if version.minor < rules.ADDON_PHASES_SINCE]
        evidence = f"the cluster has no {name}, and kubeadm {told} would deploy it"
        found.append(
            finding(
                "addon-absent",
                WARNING if old else NOTE,
                subject,
                f"{evidence}, since there is its ConfigMap; it has no phases that could be skipped"
                if old
                else evidence,
                f"Before the upgrade: kubectl -n kube-system delete configmap {name}"
                if old
                else f"Nothing: the run skips the phase addon/{name} of kubeadm. If the cluster is to have {name}, "
                f"deploy it before: kubeadm init phase addon {name} --config <file>",
                rules.ADDON_SOURCE,
            )
        )
    return found


def _brings(version: Version, *, configured: bool, off: bool) -> bool:
    """Whether kubeadm of a version deploys an addon that is not there. `configured` is whether its ConfigMap is."""
    if version.minor < rules.ADDON_PHASES_SINCE:
        return configured
    return not off or version < Version.parse(rules.ADDON_DISABLED_SINCE)


def repository_of(image: str) -> str:
    """An image without its tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _images(cluster: Cluster, request: Request) -> list[Finding]:
    """Images that are not from where kubeadm takes them, which it puts in their place."""
    config = cluster.cluster_config
    if config is None:
        return []
    base = str(config.get("imageRepository") or DEFAULT_REPOSITORY)
    dns = str((config.get("dns") or {}).get("imageRepository") or base)
    wanted = {
        "coredns": (cluster.coredns, DNS, f"{dns}/coredns/coredns" if dns == DEFAULT_REPOSITORY else f"{dns}/coredns"),
        "kube-proxy": (cluster.kube_proxy, PROXY, f"{base}/kube-proxy"),
    }
    found = []
    for name, (workload, subject, repository) in wanted.items():
        image = api.pod_image(_template(workload), name) if workload else ""
        if image and repository_of(image) != repository and not request.skips(f"addon/{name}"):
            found.append(
                finding(
                    "addon-image-differs",
                    WARNING,
                    subject,
                    f"its image is {repository_of(image)}, kubeadm puts {repository} in its place",
                    "Set imageRepository"
                    + (" or dns.imageRepository" if name == "coredns" else "")
                    + " in kubeadm-config to where the nodes can pull it from, or leave the addon to yourself: "
                    f"control_plane_skip_phases: [addon/{name}].",
                    IMAGES_SOURCE,
                )
            )
    return found


def _template(workload: Json | None) -> Json:
    return ((workload or {}).get("spec") or {}).get("template") or {}


def _coredns(cluster: Cluster, request: Request, plan: Plan) -> list[Finding]:
    if cluster.coredns is None:
        return []
    found = []
    tag = image_tag(api.pod_image(_template(cluster.coredns), "coredns")).lstrip("v")
    deployed = [coredns.DEPLOYED.get(Version.parse(hop["to"]).minor) for hop in plan.hops if hop["apply_needed"]]
    if any(version != tag for version in deployed if version):
        found += _migration(cluster, request, tag)
    changed = coredns.customised(cluster.coredns)
    if changed and not request.skips(f"addon/{COREDNS}"):
        found.append(
            finding(
                "coredns-customised",
                WARNING,
                DNS,
                f"{', '.join(changed)} are not as kubeadm writes them, and it writes them anew; it keeps the replicas",
                "Put the changes into a patch for the target corednsdeployment, which kubeadm applies in each upgrade "
                "(--patches), or make them again afterwards.",
                coredns.MANIFEST_SOURCE,
            )
        )
    return found


def _migration(cluster: Cluster, request: Request, tag: str) -> list[Finding]:
    """What kubeadm refuses to migrate."""
    found = []
    version = version_or_none(tag)
    plain = version is not None and not version.pre and str(version) == tag
    newest = max(Version.parse(text) for text in coredns.KNOWN_VERSIONS)
    unknown = not plain or (tag not in coredns.KNOWN_VERSIONS and version is not None and version < newest)
    left_out = request.ignores("CoreDNSMigration", "control_plane") and request.skips(f"addon/{COREDNS}")
    if unknown and not left_out:
        found.append(
            finding(
                "coredns-version-unknown",
                BLOCKER,
                DNS,
                f"{f'the tag {tag}' if tag else 'an image without a tag'} is no release of CoreDNS that kubeadm can "
                "migrate from, and its check CoreDNSMigration fails",
                "Put the release of CoreDNS in place that your kubeadm deploys, or leave CoreDNS to yourself: "
                "control_plane_ignore_preflight_errors: [CoreDNSMigration, CoreDNSUnsupportedPlugins] and "
                "control_plane_skip_phases: [addon/coredns].",
                coredns.SOURCE,
            )
        )
    foreign = [name for name in coredns.plugins_of(cluster.corefile or "") if name not in coredns.KNOWN_PLUGINS]
    if foreign and not request.ignores("CoreDNSUnsupportedPlugins", "control_plane"):
        found.append(
            finding(
                "coredns-plugin-unknown",
                BLOCKER,
                "configmap/kube-system/coredns",
                f"kubeadm cannot migrate the plug-ins {', '.join(foreign)} of the Corefile, and its check "
                "CoreDNSUnsupportedPlugins fails",
                "Look up in CoreDNS' release notes whether they changed, then: "
                "control_plane_ignore_preflight_errors: [CoreDNSUnsupportedPlugins]. kubeadm leaves them as they are.",
                coredns.SOURCE,
            )
        )
    return found


def _others(cluster: Cluster, request: Request, plan: Plan) -> list[Finding]:
    """Addons of the table, each version of one once."""
    minors = sorted({Version.parse(hop["to"]).minor for hop in plan.hops})
    if not minors:
        return []
    versions: dict[tuple[str, str], Addon] = {}
    table = with_added(request.addons)
    for image in images_of(cluster.pods):
        repository = repository_of(image)
        for addon in table:
            if any(repository == end or repository.endswith(f"/{end}") for end in addon.images):
                versions[addon.name, image_tag(image)] = addon
                break
    found = []
    for (name, tag), addon in sorted(versions.items(), key=lambda item: item[0]):
        support = _support(addon, tag)
        subject = f"addon/{name}"
        read = f" (read on {addon.read})" if addon.read else ""
        if support is None:
            found.append(
                finding(
                    "addon-version-unknown",
                    NOTE,
                    subject,
                    f"{name} {tag or 'without a tag'} is in no table of supported versions that is known here{read}",
                    f"Look it up for Kubernetes {', '.join(f'1.{minor}' for minor in minors)}, and add it to the "
                    "option addons.",
                    addon.source,
                )
            )
            continue
        outside = [minor for minor in minors if not _covers(support, minor)]
        if outside:
            found.append(
                finding(
                    "addon-not-supported",
                    WARNING,
                    subject,
                    f"{name} {tag} is for Kubernetes 1.{support.first} to "
                    f"{f'1.{support.last}' if support.last is not None else 'any newer one'}, and not for "
                    f"{', '.join(f'1.{minor}' for minor in outside)}{read}",
                    _advice(addon, outside),
                    addon.source,
                )
            )
    return found


def _covers(support: Support, minor: int) -> bool:
    return support.first <= minor and (support.last is None or minor <= support.last)


def _support(addon: Addon, tag: str) -> Support | None:
    text = tag.lstrip("v")
    matching = [
        row for row in addon.versions if text == row.version or text.startswith((f"{row.version}.", f"{row.version}-"))
    ]
    return max(matching, key=lambda row: len(row.version), default=None)


def _advice(addon: Addon, minors: list[int]) -> str:
    """The versions of the table that support all of these minors."""
    fit = [row.version for row in addon.versions if all(_covers(row, minor) for minor in minors)]
    if fit:
        return f"Upgrade {addon.name} to {' or '.join(fit)} before, if that supports the present version too."
    return f"No version that is known here is for it. See whether {addon.name} has a newer one."
