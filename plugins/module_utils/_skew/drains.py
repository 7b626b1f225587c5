# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the drains of a run will do with the pods that are there, judged by the drain's own functions. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain import budgets
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.decisions import classify, ways_out
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import (
    Options,
    PodRecord,
    daemon_set_of,
    is_finished,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.surge import singletons_among
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Cluster, Json, Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import drained_by


class Drains(t.NamedTuple):
    """`batches` are the nodes that are away at the same time.

    `records` say what is done with each of their pods once none is refused. `needs` has the options that each pod is
    refused for the want of, by the names that drain_node has for them; those that are given are among them.
    `budgets` are the drain's judgements, one entry for each batch and budget.
    """

    options: Options
    batches: list[list[str]]
    records: list[PodRecord]
    needs: dict[str, list[Json]]
    budgets: list[Json]

    @property
    def moved(self) -> list[Json]:
        """The pods that need a place elsewhere."""
        return [each.pod for each in self.records if each.decision in ("evict", "surge") and not is_finished(each.pod)]


def foresee(cluster: Cluster, hops: t.Sequence[t.Mapping[str, t.Any]], request: Request) -> Drains:
    """What the drains of `hops` do, on those nodes that the run has."""
    options, batches = request.drain, batches_of(hops, request)
    on: dict[str, list[PodRecord]] = {name: [] for batch in batches for name in batch}
    needs: dict[str, list[Json]] = {}
    daemon_sets = cluster.daemon_sets
    if daemon_sets is None:
        # They could not be read, which is a finding of its own.
        daemon_sets = {found for found in map(daemon_set_of, cluster.pods) if found}
    strict = replace(options, ignore_daemonsets=False, delete_emptydir_data=False, force=False)
    lenient = replace(options, ignore_daemonsets=True, delete_emptydir_data=True, force=True)
    for pod in cluster.pods:
        name = api.node_of(pod)
        if name in on:
            on[name].append(classify(pod, name, lenient, daemon_sets))
            for option in ways_out(classify(pod, name, strict, daemon_sets)):
                needs.setdefault(option, []).append(pod)
    if options.surge_singletons:
        for records in on.values():
            singletons_among(records, records, lambda *key: cluster.surge_objects.get(key))
    judged: list[Json] = []
    if not options.disable_eviction:
        index = _Index(cluster.budgets)
        for batch in batches:
            records = [record for name in batch for record in on[name]]
            judged += [{**entry, "nodes": batch} for entry in budgets.analyse(index.over(records), records)]
    return Drains(options, batches, [record for records in on.values() for record in records], needs, judged)


def batches_of(hops: t.Sequence[t.Mapping[str, t.Any]], request: Request) -> list[list[str]]:
    """The nodes that are drained at the same time: each of the control plane alone, workers as `serial` says."""
    found: list[list[str]] = []
    for hop in hops:
        drained = {name for name in drained_by(hop) if not request.places or name in request.places}
        workers = [name for name in hop["workers"] if not request.places or name in request.places]
        for batch in [[name] for name in hop["control_plane"]] + in_batches(workers, request.worker_serial):
            found.append([name for name in batch if name in drained])
    return [list(batch) for batch in dict.fromkeys(map(tuple, found)) if batch]


def in_batches(names: t.Sequence[str], serial: t.Sequence[str]) -> list[list[str]]:
    """`names` as Ansible's ``serial`` divides the hosts of a play: numbers or percentages, the last one repeated.

    https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_strategies.html#setting-the-batch-size-with-serial
    """
    sizes = [_size(text, len(names)) for text in serial] or [1]
    made: list[list[str]] = []
    left = list(names)
    while left:
        size = sizes[min(len(made), len(sizes) - 1)]
        size = size if size > 0 else len(left)
        made.append(left[:size])
        left = left[size:]
    return made


def _size(text: str, total: int) -> int:
    try:
        return int(int(text[:-1]) / 100 * total) or 1 if text.endswith("%") else int(text)
    except ValueError:
        raise EvergreenError(
            f"worker_serial has {text!r}, which is neither a number of workers nor a percentage of them."
        ) from None


class _Index:
    """Budgets by namespace and by one label of their selector, so that a pod is compared with few of them."""

    def __init__(self, every: t.Sequence[Json]) -> None:
        self._found: dict[tuple[str, tuple[str, str] | None], list[Json]] = {}
        for budget in every:
            labels = ((budget.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
            key = (str(budget["metadata"].get("namespace")), min(labels.items(), default=None))
            self._found.setdefault(key, []).append(budget)

    def over(self, records: t.Sequence[PodRecord]) -> list[Json]:
        """Those that may select one of these pods."""
        keys = {
            (str(record.pod["metadata"].get("namespace")), label)
            for record in records
            for label in (None, *api.labels(record.pod).items())
        }
        return [budget for key in sorted(keys & self._found.keys(), key=str) for budget in self._found[key]]
