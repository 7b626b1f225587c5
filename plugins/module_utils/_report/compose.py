# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""From the journal and the probe's lines to the report. Pure; no clock, no files.

A run can end anywhere, so every event may be missing. What the journal does
not say is null in the report, never guessed.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import parse_time, seconds_between
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of, dicts_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.aside import set_aside
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.bypasses import bypasses
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.events import count, data_of, node_of_host
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.evictions import evictions, per_hop
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.steps import Step, Steps
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version, VersionError

Json = dict[str, t.Any]
FAILURES_KEPT = 100
MEASURED_TO_THE_END_S = 60.0
ENDS = ("run_finished", "run_failed", "run_stopped")
API_TARGET = "api"
API_CLIENTS = {"watch": f"{API_TARGET}/watch", "list": f"{API_TARGET}/list"}
SERVICE_PREFIX = "service/"


def compose(journal: Sequence[Json], probe: Sequence[Json]) -> Json:
    """The report of the newest run in `journal`, with the availability that `probe` measured.

    `journal` holds entries as upgrade_journal writes them, `probe` the lines
    of availability_probe. The keys are those that RETURN of upgrade_report
    documents.
    """
    events = newest_run(journal)
    starts = [data_of(event) for event in events if event.get("event") == "run_started"]
    start = starts[0] if starts else {}
    steps = Steps.replay(events)
    end = next((event for event in reversed(events) if event.get("event") in ENDS), None)
    aside = set_aside(events)
    result = outcome(end, steps, [node["host"] for node in aside])
    started = events[0].get("time") if events else None
    finished = end.get("time") if end else None
    return {
        "result": result,
        "from": _tag(start.get("from")),
        "to": _tag(start.get("to")),
        "started": started,
        "finished": finished,
        "duration_s": seconds_between(started, finished or _last_time(events)),
        "run_id": start.get("run_id"),
        "hops": hops(events, finished),
        "nodes": nodes(events, steps, result),
        "availability": {
            **availability(probe),
            "measured_until": measured_until(probe, finished or _last_time(events)),
        },
        "evictions": evictions(events),
        "findings": findings(events),
        "bypasses": _distinct(
            [
                *bypasses(start.get("options")),
                *(data_of(event) for event in events if event.get("event") == "bypass"),
            ]
        ),
        "set_aside": aside,
        "failure": failure(end, steps, [node["host"] for node in aside]) if result == "failed" else None,
        "stop": {key: data_of(end).get(key) for key in ("stage", "message")} if result == "stopped" else None,
    }


def hops(events: Sequence[Json], finished: str | None) -> list[Json]:
    """``{from, to, etcd_image_tag, started, finished, duration_s, evictions}`` of each hop.

    One ends where the next begins.
    """
    begun = [event for event in events if event.get("event") == "hop"]
    ends = [event.get("time") for event in begun[1:]] + [finished]
    return [
        {
            "from": _tag(data_of(event).get("from")),
            "to": _tag(data_of(event).get("to")),
            "etcd_image_tag": data_of(event).get("etcd_image_tag") or "",
            "started": event.get("time"),
            "finished": end,
            "duration_s": seconds_between(event.get("time"), end),
            "evictions": figures,
        }
        for event, end, figures in zip(begun, ends, per_hop(events))
    ]


def newest_run(journal: Sequence[Json]) -> list[Json]:
    """The events from the last ``run_started`` on; all where there is none."""
    begin = 0
    for index, event in enumerate(journal):
        if event.get("event") == "run_started":
            begin = index
    return list(journal[begin:])


def outcome(end: Json | None, steps: Steps, aside: Sequence[str] = ()) -> str:
    """``succeeded``, ``partial``, ``failed``, ``stopped`` or ``interrupted``.

    The end of the journal decides, then a host that stands failed and was not
    set aside. A run that ended well without some host is partial.
    """
    if end is None:
        return "failed" if set(steps.failed_hosts()) - set(aside) else "interrupted"
    if end.get("event") == "run_failed" or end.get("status") == "failed":
        return "failed"
    if end.get("event") == "run_stopped":
        return "stopped"
    return "partial" if aside else "succeeded"


def nodes(events: Sequence[Json], steps: Steps, result: str) -> list[Json]:
    """One entry a node, in the order of the plan, then in the order of their first step."""
    planned = _node_versions(events, "plan", keep_first=True)
    verified = _node_versions(events, "verified", keep_first=False)
    known = {**planned, **{name: node for name, node in verified.items() if name not in planned}}
    hosts: dict[str, list[str]] = {name: [] for name in known}
    for host in steps.hosts():
        hosts.setdefault(node_of_host(host, known), []).append(host)
    made = []
    for name, its_hosts in hosts.items():
        its_steps = [step for host in its_hosts for step in steps.of(host, result)]
        if name not in known and name in ("localhost", "127.0.0.1"):
            continue
        made.append(
            {
                "name": name,
                "role": known.get(name, {}).get("role"),
                "from": _tag(_version_of(planned.get(name, {}))),
                "to": _tag(_version_of(verified.get(name, {})) or _version_seen(its_steps)),
                "restarts": restarts(events, its_hosts),
                "steps": [
                    {
                        "name": step.name,
                        "started": step.started,
                        "finished": step.finished,
                        "duration_s": seconds_between(step.started, step.finished),
                        "status": step.status,
                    }
                    for step in its_steps
                ],
            }
        )
    return made


def restarts(events: Sequence[Json], hosts: Sequence[str]) -> dict[str, int]:
    """How often each static pod of a node was started, by its name, as the upgrades of the node counted it."""
    found: dict[str, int] = {}
    for event in events:
        if event.get("event") == "step" and event.get("host") in hosts:
            for name, times in dict_of(data_of(event).get("restarts")).items():
                found[name] = found.get(name, 0) + (count(times) or 0)
    return found


def availability(probe: Sequence[Json]) -> Json:
    """``{api, clients: {name}, services: {name}}``, each with what ``_nothing_measured`` has.

    `api` is what all clients of the API saw, and its gap that of the one which
    asks with new connections; `clients` are the others by themselves.
    `failures` holds the first ones, each with its error; `failed_seconds` is
    complete: ``{time, requests, failed}`` of each second, by its end, in which
    a request failed.
    Where nothing was measured there are no requests, and the gap is None.
    """
    targets: dict[str, Json] = {}
    for line in probe:
        target = line.get("target")
        if not isinstance(target, str):
            continue
        total = targets.setdefault(target, _nothing_measured())
        if isinstance(line.get("requests"), int):
            total["requests"] += line["requests"]
            failed = int(line.get("failed") or 0)
            total["failed"] += failed
            if failed:
                total["failed_seconds"].append({key: line.get(key) for key in ("time", "requests", "failed")})
            total["longest_gap_s"] = max(total["longest_gap_s"] or 0.0, float(line.get("gap_s") or 0.0))
        elif "error" in line and len(total["failures"]) < FAILURES_KEPT:
            total["failures"].append({key: line.get(key) for key in ("time", "error", "message", "after_s")})
    clients = {name: targets[target] for name, target in API_CLIENTS.items() if target in targets}
    return {
        "api": _together(targets.get(API_TARGET, _nothing_measured()), clients),
        "clients": clients,
        "services": {
            target[len(SERVICE_PREFIX) :]: total
            for target, total in sorted(targets.items())
            if target.startswith(SERVICE_PREFIX)
        },
    }


def _together(api: Json, clients: Mapping[str, Json]) -> Json:
    """What the API answered, whoever asked; failures of `clients` have the name of the client in their message."""
    named = [
        {**failure, "message": f"{name}: {failure['message']}"}
        for name, client in clients.items()
        for failure in client["failures"]
    ]
    seconds = [second for each in (api, *clients.values()) for second in each["failed_seconds"]]
    return {
        **api,
        **{key: sum(each[key] for each in (api, *clients.values())) for key in ("requests", "failed")},
        "failures": sorted([*api["failures"], *named], key=lambda failure: str(failure["time"]))[:FAILURES_KEPT],
        "failed_seconds": sorted(seconds, key=lambda second: str(second["time"])),
    }


def measured_until(probe: Sequence[Json], end: str | None) -> str | None:
    """When the measurement ended, where that was before the run did; None where it covers the run, or there is none.

    The probe writes each second. A run that ends tells it to stop.
    """
    last = max((found for line in probe if (found := parse_time(line.get("time")))), default=None)
    over = parse_time(end)
    told = any(line.get("end") == "stop_file" for line in probe)
    if told or last is None or over is None or (over - last).total_seconds() <= MEASURED_TO_THE_END_S:
        return None
    return last.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def findings(events: Sequence[Json]) -> list[Json]:
    """The findings of the plans and those that were recorded on the way, each once."""
    found: list[Json] = []
    for event in events:
        if event.get("event") == "plan":
            found.extend(dicts_of(data_of(event).get("findings")))
        elif event.get("event") == "finding" and data_of(event):
            found.append(data_of(event))
    return _distinct(found)


def failure(end: Json | None, steps: Steps, aside: Sequence[str] = ()) -> Json:
    """``{host, step, message, hint, says, diagnostics}`` of what ended the run.

    The first host that stands failed is the cause; the event that ended the
    run may come from another host, because handlers run where they can.
    """
    data = data_of(end) if end else {}
    failed = [host for host in steps.failed_hosts() if host not in aside]
    host = data.get("host") or (failed[0] if failed else None) or (end or {}).get("host")
    last = steps.last(str(host)) if host else None
    seen = last.data if last and last.status == "failed" else {}
    return {
        "host": host,
        "step": data.get("step") or (last.name if last else None),
        "message": data.get("message") or seen.get("message") or "The journal does not say what failed.",
        "hint": data.get("hint") or seen.get("hint") or "",
        "says": [str(line) for line in data.get("says") or []],
        "diagnostics": data.get("diagnostics") or "",
    }


def _last_time(events: Sequence[Json]) -> str | None:
    """The newest time of any event; hosts write at once, so the last line need not have it."""
    known = [(found, str(event["time"])) for event in events if (found := parse_time(event.get("time")))]
    return max(known)[1] if known else None


def _version_seen(steps: Sequence[Step]) -> object:
    """The version that the newest finished step with one saw on the node: for a run that came to no verification."""
    for step in reversed(steps):
        if step.status == "finished" and step.data.get("version"):
            return step.data["version"]
    return None


def _node_versions(events: Sequence[Json], name: str, *, keep_first: bool) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for event in events:
        if event.get("event") == name:
            for node in dicts_of(data_of(event).get("nodes")):
                if isinstance(node.get("name"), str) and not (keep_first and node["name"] in found):
                    found[node["name"]] = node
    return found


def _nothing_measured() -> Json:
    return {"requests": 0, "failed": 0, "longest_gap_s": None, "failures": [], "failed_seconds": []}


def _distinct(items: Sequence[Json]) -> list[Json]:
    found: list[Json] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _version_of(node: Mapping[str, t.Any]) -> t.Any:
    """The version in a node of a plan or a verification; skew_check's nodes call it ``kubelet_version``."""
    return node.get("version") or node.get("kubelet_version")


def _tag(text: object) -> str | None:
    """A version as the API writes it (``v1.35.4``); what is no version stays as it is."""
    if not text:
        return None
    try:
        return Version.parse(str(text)).tag
    except VersionError:
        return str(text)
