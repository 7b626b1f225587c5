# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on workloads, budgets and webhooks."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="budget-broken",
        severities=(BLOCKER, WARNING),
        title="A PodDisruptionBudget cannot be computed",
        meaning="The disruption controller reports that it cannot compute the budget (condition `DisruptionAllowed`, "
        "reason `SyncFailed`). It then allows no eviction, and a drain waits until its timeout. Where an operator may "
        "move the pods itself, as [budget-never-allows](budget-never-allows.md) tells, it is a warning.",
        cure="The message names the cause: mostly pods whose controller has no scale. Give `minAvailable` as a "
        "number, or correct the selector.",
        sources=(rules.BUDGET_SOURCE,),
    ),
    Entry(
        id="budget-never-allows",
        severities=(BLOCKER, WARNING),
        title="A PodDisruptionBudget never lets a pod go",
        meaning="The budget wants as many healthy pods as there are, or allows none to be unavailable. However long "
        "one waits, no pod that it covers can be evicted, and the drain of each of their nodes fails. It is judged as "
        "the drain judges it, with the options of the run: pods that are not ready may go where "
        "`unhealthyPodEvictionPolicy` says so, and what a rule or a label leaves on the node does not count.\n\n"
        "It is a warning where an operator may free the pods although the numbers say never: the selector names a role "
        "(`cnpg.io/instanceRole: primary`, `spilo-role: master`), which the operator gives to another pod when it sees "
        "the cordon; the pods are those of a custom resource; or a webhook about `pods/eviction` refuses the eviction "
        "and its operator moves the pod. The drain waits for that until its timeout.",
        cure="Run one replica more than the budget wants, or raise `maxUnavailable` for the time of the upgrade. "
        "For a single replica that may be down for a moment, `maxUnavailable: 1` says so. The pod of a Deployment with "
        "one replica can be moved without an eviction: `kubelet_drain_surge_singletons: true`.\n\n"
        "With a warning: be sure that the operator runs, and that it has a second instance to move to.",
        sources=(rules.BUDGET_SOURCE,),
    ),
    Entry(
        id="budget-used-up",
        severities=(WARNING,),
        title="A PodDisruptionBudget allows no disruption at the moment",
        meaning="So many of its pods are not healthy now that no other may go, or the budget was changed and its "
        "status is not computed yet. A drain waits for it, until its timeout.",
        cure="Make the pods healthy before the upgrade. The evidence names those that are not ready.",
        sources=(rules.BUDGET_SOURCE,),
    ),
    Entry(
        id="budgets-overlap",
        severities=(BLOCKER,),
        title="Several PodDisruptionBudgets cover the same pods",
        meaning="The API server refuses each eviction of a pod that more than one budget covers, with an error that "
        "looks like a failure of the server. A drain does not end.",
        cure="Change the selectors so that each pod is covered by one budget.",
        sources=(rules.TWO_BUDGETS_SOURCE,),
    ),
    Entry(
        id="deprecated-api-in-use",
        severities=(
            BLOCKER,
            NOTE,
        ),
        title="A deprecated version of an API was asked for",
        meaning="The metric `apiserver_requested_deprecated_apis` of an API server says that somebody asked for a "
        "version of an API that is deprecated. Where the target does not serve it any more, that client fails "
        "after the upgrade.\n\n"
        "The metric lasts until the API server restarts, and does not say who asked or when.",
        cure="The audit log marks such requests with `k8s.io/removed-release`: it says who. Move the client to the "
        "newer version. Where you are sure that nobody asks any more, accept the finding.",
        sources=(rules.DEPRECATED_SOURCE,),
    ),
    Entry(
        id="api-service-unavailable",
        severities=(BLOCKER,),
        title="An aggregated API does not answer",
        meaning="The backend of an APIService is not available. Discovery is then incomplete, namespaces are not "
        "deleted, garbage is not collected, and controllers wait.",
        cure="Bring its backend back: `kubectl get apiservice` shows the Service. Delete the APIService where it "
        "is a leftover.",
        sources=("https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/",),
        passes=True,
    ),
    Entry(
        id="webhook-down",
        severities=(BLOCKER,),
        title="A webhook that must answer has no endpoint",
        meaning="An admission webhook with `failurePolicy: Fail` is answered by a Service without a ready endpoint. "
        "Every request that its rules cover is refused. Where they cover pods, an evicted pod does not come "
        "back, the webhook's own included.",
        cure="Bring the webhook's pods back, or set `failurePolicy: Ignore` for the time of the upgrade. Delete "
        "the configuration where its program is gone.",
        sources=(rules.WEBHOOK_SOURCE,),
        passes=True,
    ),
    Entry(
        id="webhook-on-one-node",
        severities=(WARNING,),
        title="A webhook that must answer runs on one node",
        meaning="All ready endpoints of a webhook with `failurePolicy: Fail` are on one node, and its rules cover "
        "pods, "
        "`pods/eviction`, nodes or leases. While that node is drained no pod can be made, and so not the webhook's own "
        "either; or no pod can be evicted, no node cordoned or uncordoned, or no lease renewed, after which nodes "
        "count "
        "as dead. The cluster locks itself.",
        cure="Run two replicas, on two nodes, with a PodDisruptionBudget; leave the webhook's own namespace out of "
        "its rules.",
        sources=(rules.WEBHOOK_SOURCE,),
    ),
    Entry(
        id="webhook-by-url",
        severities=(WARNING,),
        title="A webhook that must answer is named by a URL",
        meaning="A webhook with `failurePolicy: Fail` has a `clientConfig.url` in place of a Service, and its rules "
        "cover "
        "pods, `pods/eviction`, nodes or leases. What answers there, and where it runs, cannot be seen in the cluster. "
        "Where it is away, what its rules cover is refused, and that can be what the upgrade or a kubelet asks for.",
        cure="See that it answers and that the upgrade takes nothing away that it needs. Accept the finding then, or "
        "set "
        "`failurePolicy: Ignore` for the time of the upgrade.",
        sources=(rules.WEBHOOK_SOURCE,),
    ),
    Entry(
        id="admission-policy-covers-run",
        severities=(WARNING,),
        title="A ValidatingAdmissionPolicy may refuse what the run does",
        meaning="A policy with `failurePolicy: Fail` is bound with the action Deny, and its rules cover nodes, leases "
        "or "
        "`pods/eviction`. The run cordons and annotates nodes, evicts pods and holds a lease; kubelets and leaders "
        "renew "
        "theirs. Whether the policy lets that pass depends on its expressions. One that cannot be evaluated refuses.",
        cure="Read its validations, and try a drain as the user of the run: `kubectl drain <node> --dry-run=server "
        "--ignore-daemonsets`. Leave the user of the run and the group system:nodes out by matchConditions, or accept "
        "the finding.",
        sources=("https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/",),
    ),
    Entry(
        id="webhook-blocks-service-cidr",
        severities=(WARNING,),
        title="A webhook for everything may stop the API servers of 1.33 from becoming ready",
        meaning="From 1.33 on an API server makes the ServiceCIDR of the cluster when it starts for the first time, "
        "and is not ready before. A webhook with `failurePolicy: Fail` whose rules cover every kind is asked "
        "about it, and refuses it where it cannot find the kind, which the older API servers do not have.",
        cure="Name the kinds in the webhook's rules, leave `networking.k8s.io/servicecidrs` out by a "
        "matchCondition, or set `failurePolicy: Ignore` until all API servers are upgraded.",
        sources=(rules.WEBHOOK_SOURCE,),
    ),
    Entry(
        id="webhook-covers-system-pods",
        severities=(WARNING,),
        title="A webhook that must answer decides about pods of kube-system",
        meaning="While the webhook does not answer, no pod of kube-system can be made: neither CoreDNS nor the "
        "network, which the webhook itself may need to answer. After a failure of all of its pods the cluster "
        "does not heal by itself.",
        cure="Leave kube-system out by a namespaceSelector: `kubernetes.io/metadata.name` NotIn `[kube-system]`.",
        sources=("https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/",),
    ),
    Entry(
        id="webhook-slow",
        severities=(NOTE,),
        title="A webhook may take longer than ten seconds",
        meaning="The API server waits for the answer of the webhook with each request that it covers, here for more "
        "than ten seconds. Where it hangs, every eviction and every new pod take that long before they fail.",
        cure="Set `timeoutSeconds` to 10 or less.",
        sources=("https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/",),
    ),
    Entry(
        id="pod-unmanaged",
        severities=(BLOCKER, NOTE),
        title="Pods without a controller",
        meaning="Nothing makes these pods again once they are evicted, so a drain refuses to evict them, and the "
        "upgrade would stop at their node. With `kubelet_drain_force: true` it is a note: they are evicted, and gone.",
        cure="Give them a controller, or delete them. `kubelet_drain_force: true` evicts them all the same, and "
        "the report names it. The label `cluster.x-k8s.io/drain=skip` on a pod, or a rule of "
        "`kubelet_drain_pod_rules`, leaves it on the node.",
        sources=("https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/",),
    ),
    Entry(
        id="pod-local-data",
        severities=(BLOCKER, NOTE),
        title="Pods with local data",
        meaning="The emptyDir volumes of a pod are deleted with it. A drain does not know whether their data matters "
        "and refuses, and the upgrade would stop at their node. With `kubelet_drain_delete_emptydir_data: true` it is "
        "a note: the data is deleted.\n\n"
        "Volumes with `medium: Memory` do not count, nor do those that the annotation "
        "`cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes` of the pod names.",
        cure="Where nothing in them must stay, which is the usual case: `kubelet_drain_delete_emptydir_data: "
        "true`. The report names it. For some pods alone: the annotation in their template, with the names of the "
        "volumes. The label `cluster.x-k8s.io/drain=skip` on a pod, or a rule of `kubelet_drain_pod_rules`, leaves it "
        "on the node.",
        sources=("https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/",),
    ),
    Entry(
        id="pod-of-daemonset",
        severities=(BLOCKER,),
        title="Pods of DaemonSets, and a drain that may not leave them",
        meaning="A DaemonSet makes its pod again on a cordoned node. A drain that is not told to leave such pods "
        "refuses, and the upgrade would stop at the first node.",
        cure="Take `kubelet_drain_ignore_daemonsets: false` out of your variables; the default is true.",
        sources=("https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/",),
    ),
    Entry(
        id="pod-stuck-terminating",
        severities=(BLOCKER, WARNING),
        title="Pods that should be gone",
        meaning="The pod was deleted, its grace period is over, and it is still there. A drain waits for it as for any "
        "other pod, until its timeout. It is a blocker where a finalizer has held it for longer than a drain waits, "
        "and a warning where it was so for less, or where only the kubelet has to confirm that it stopped.",
        cure="See why the controller of the finalizer does not take it off. Where that controller is gone, take the "
        "finalizer off by hand, as the finding says.",
        sources=("https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/",),
    ),
    Entry(
        id="pod-grace-too-long",
        severities=(WARNING,),
        title="Pods that may take longer to stop than a drain waits",
        meaning="The pod's `terminationGracePeriodSeconds` is more than the drain's timeout. Where its program needs "
        "that long, the drain of its node ends with a failure before the pod has stopped.",
        cure="Raise `kubelet_drain_timeout_s` above the grace period, or stop these pods before the upgrade.",
        sources=("https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination",),
    ),
    Entry(
        id="pod-never-completes",
        severities=(BLOCKER,),
        title="Pods that the drain waits for and that never end",
        meaning="A rule of `kubelet_drain_pod_rules` or the label `cluster.x-k8s.io/drain` says that the drain waits "
        "until the pod has ended by itself. With `restartPolicy: Always` its containers are started again each time, "
        "and the drain ends with its timeout.",
        cure="Use that behaviour for the pods of Jobs alone.",
        sources=("https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy",),
    ),
    Entry(
        id="job-not-repeatable",
        severities=(WARNING,),
        title="Jobs that fail with the eviction of their pod",
        meaning="An evicted pod counts as a failure of its Job. With `backoffLimit: 0`, or where the limit is reached, "
        "the Job makes no other pod, and its work is lost. A `podFailurePolicy` that ignores `DisruptionTarget` "
        "prevents that.",
        cure="Begin the upgrade when the Job is done, or have the drain wait for it: the label "
        "`cluster.x-k8s.io/drain=wait-completed` on the pod, or a rule of `kubelet_drain_pod_rules` with the behaviour "
        "`wait_completed`, and a `kubelet_drain_timeout_s` that is long enough.",
        sources=("https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy",),
    ),
    Entry(
        id="volume-pinned",
        severities=(WARNING,),
        title="Pods with a volume that only one node has",
        meaning="The PersistentVolume of the pod names one node, as local volumes do. Once evicted, the pod is "
        "Pending until its node is uncordoned: for the time of the node's upgrade its service has one replica "
        "less, or none.",
        cure="Be sure that the service bears it, and that no two of its replicas are on nodes that are upgraded "
        "together. A pod may also be left on the node: a pod rule of drain_node with the behaviour `skip`.",
        sources=("https://kubernetes.io/docs/concepts/storage/volumes/#local",),
    ),
    Entry(
        id="pod-tolerates-everything",
        severities=(NOTE,),
        title="Pods that may come back to a cordoned node",
        meaning="A cordoned node has the taint `node.kubernetes.io/unschedulable`. A pod that tolerates it, as network "
        "operators and the DaemonSets of OpenKruise do, may be placed on the node again right after its eviction. The "
        "drain leaves what comes back where it is, with a warning, as it does with the pods of DaemonSets.",
        cure="Nothing for the upgrade. Where such a pod is to move, name the taints in its tolerations. What must run "
        "on each node belongs into a DaemonSet.",
        sources=("https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/",),
    ),
    Entry(
        id="workload-singleton",
        severities=(NOTE,),
        title="Workloads with one serving pod",
        meaning="One ready pod serves, and it is on a node that is drained. An eviction stops it first and the next "
        "one starts afterwards, so that the service is down in between, as long as its image, its volumes and "
        "its start take.",
        cure="Run two replicas. For a Deployment that may run twice for a moment, drain_node can start the next "
        "pod first: `kubelet_drain_surge_singletons: true`.",
        sources=("https://kubernetes.io/docs/concepts/workloads/pods/disruptions/",),
    ),
    Entry(
        id="capacity-short",
        severities=(WARNING,),
        title="The pods of the nodes that are away have no room elsewhere",
        meaning="The pods that are moved from the node that asks for most were put, by their requests, node selectors "
        "and tolerations, on the other nodes that take pods, the largest pod first. Some found no place. They "
        "would be Pending while their node is away. With `upgrade_worker_serial` it is the group of workers that is "
        "upgraded at the same time.\n\n"
        "It is an estimate: affinity, spread constraints and volumes are not looked at.",
        cure="Add a node for the time of the upgrade, scale something down, lower requests that are higher than "
        "the use, or upgrade fewer workers at a time.",
        sources=("https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",),
    ),
)
