# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the HTML page shows, from the report: texts and positions, no markup. Pure."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import parse_time
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.summary import grouped

Json = dict[str, t.Any]
COLOURS = 10
LABEL_CHARACTER_PERCENT = 0.78  # of the chart on a desk; a phone shows no labels
LABEL_PADDING_PERCENT = 1.3
TICKS_AT_MOST = 8
TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
NONE = "\N{EN DASH}"
ROLES = {"control_plane": "control plane", "first_control_plane": "control plane"}
SENTENCES = {
    "succeeded": "The upgrade succeeded",
    "partial": "The upgrade is done except for the nodes that were set aside",
    "failed": "The upgrade failed",
    "stopped": "The upgrade stopped where it was asked to",
    "interrupted": "The upgrade was interrupted",
}


def page(report: Mapping[str, t.Any]) -> Json:
    """Everything that templates/report.html.j2 prints which is not in `report` as it stands."""
    scale, hops = Scale(report), report["hops"]
    until = report["availability"].get("measured_until")
    steps = [step["name"] for node in report["nodes"] for step in node["steps"]]
    aside = [node["node"] for node in report.get("set_aside") or []]
    colours = {name: index % COLOURS for index, name in enumerate(dict.fromkeys(steps))}
    return {
        "sentence": SENTENCES.get(report["result"], str(report["result"])),
        "versions": " \N{RIGHTWARDS ARROW} ".join(report[key] or "unknown" for key in ("from", "to")),
        "duration": duration(report["duration_s"]),
        "started": clock(report["started"], date=True),
        "finished": clock(report["finished"], date=True),
        "tiles": tiles(report["availability"]),
        "measured_until": clock(until, date=True) if until else "",
        "timeline": {
            "ticks": scale.ticks(),
            "legend": [
                {"name": name, "colour": colour, "duration": duration(_time_in(report["nodes"], name))}
                for name, colour in colours.items()
            ],
            "rows": [row(node, scale, colours) for node in report["nodes"] if node["steps"]],
            "marks": marks(report["availability"], scale),
        },
        "nodes": [node_line(node, aside) for node in report["nodes"]],
        "evictions": {
            **figures(report["evictions"]),
            # One hop is the whole run.
            "hops": [{"to": hop["to"], **figures(hop["evictions"])} for hop in hops] if len(hops) > 1 else [],
            "moves": [{**move, "at": clock(move["evicted_at"])} for move in report["evictions"]["moves"]],
        },
        "findings": grouped(report["findings"]),
        "failed_requests": [
            {
                **failure,
                "target": name,
                "at": clock(failure["time"], millis=True),
                "after": duration(failure["after_s"]),
            }
            for name, total in _targets(report["availability"])
            for failure in total["failures"]
        ],
    }


class Scale:
    """Places moments of the run on a line from 0 to 100 percent."""

    def __init__(self, report: Mapping[str, t.Any]) -> None:
        timed = [report, *(step for node in report["nodes"] for step in node["steps"])]
        edges = [parse_time(each[key]) for each in timed for key in ("started", "finished")]
        known = [edge for edge in edges if edge]
        self._begin = min(known) if known else None
        self.length_s = max((max(known) - min(known)).total_seconds(), report["duration_s"] or 0.0) if known else 0.0

    def seconds(self, time: object) -> float | None:
        found = parse_time(time)
        return None if found is None or self._begin is None else (found - self._begin).total_seconds()

    def percent(self, seconds: float) -> float:
        return round(min(100.0, max(0.0, 100.0 * seconds / self.length_s)), 3) if self.length_s else 0.0

    def ticks(self) -> list[Json]:
        """Round times since the start, few enough to be read."""
        fitting = [step for step in TICK_STEPS_S if self.length_s / step <= TICKS_AT_MOST]
        step = fitting[0] if fitting else TICK_STEPS_S[-1] * math.ceil(self.length_s / TICK_STEPS_S[-1] / TICKS_AT_MOST)
        count_ = int(self.length_s // step) + 1 if self.length_s else 0
        return [{"left": self.percent(index * step), "label": duration(index * step)} for index in range(count_)]


def row(node: Mapping[str, t.Any], scale: Scale, colours: Mapping[str, int]) -> Json:
    """The bars of one node."""
    bars = []
    for step in node["steps"]:
        begin = scale.seconds(step["started"])
        if begin is None:
            continue
        end = scale.seconds(step["finished"])
        left = scale.percent(begin)
        width = round(scale.percent(scale.length_s if end is None else end) - left, 3)
        took = duration(step["duration_s"]) if end is not None else "no end recorded"
        bars.append(
            {
                "left": left,
                "width": width,
                "colour": colours[step["name"]],
                "status": step["status"],
                "name": step["name"],
                "title": f"{step['name']}: {took} ({step['status']}, from {clock(step['started'])})",
                "labelled": width >= len(step["name"]) * LABEL_CHARACTER_PERCENT + LABEL_PADDING_PERCENT,
            }
        )
    return {"name": node["name"], "role": _role(node), "bars": bars}


def marks(availability: Mapping[str, t.Any], scale: Scale) -> list[Json]:
    """A line of marks for each target that was asked: where its requests failed."""
    return [
        {
            "name": name,
            "failed": total["failed"],
            "marks": [
                {
                    "left": scale.percent(at),
                    "title": f"{second['failed']} of {second['requests']} failed until {clock(second['time'])}",
                }
                for second in total["failed_seconds"]
                if (at := scale.seconds(second["time"])) is not None
            ],
        }
        for name, total in _targets(availability)
        if total["requests"]
    ]


def tiles(availability: Mapping[str, t.Any]) -> list[Json]:
    """One for the API, one for each of its clients beside the one of new connections, and one for each service."""
    api, *services = _targets(availability)
    clients = [(f"API, {name}", total) for name, total in availability["clients"].items()]
    return [
        {
            "name": name,
            "kind": "Kubernetes API" if index <= len(clients) else "Service",
            "state": "unmeasured" if not total["requests"] else "bad" if total["failed"] else "good",
            "requests": count(total["requests"]),
            "failed": count(total["failed"]),
            "gap": duration(total["longest_gap_s"]),
            "share": _share(total),
        }
        for index, (name, total) in enumerate([api, *clients, *services])
    ]


def figures(evictions: Mapping[str, t.Any]) -> Json:
    """How often pods were evicted, of the run or of a hop."""
    least = evictions["minimum"]
    return {
        **{key: count(evictions[key]) for key in ("pods", "total")},
        "per_pod": f"{evictions['per_pod']:.2f}",
        "minimum": NONE if least is None else f"{least:.2f}",
    }


def node_line(node: Mapping[str, t.Any], aside: Sequence[str] = ()) -> Json:
    """One row of the table of nodes; `aside` are those that the run went on without."""
    known = [step["duration_s"] for step in node["steps"] if step["duration_s"] is not None]
    statuses = [step["status"] for step in node["steps"]]
    if node["name"] in aside:
        status = "set aside"
    elif "failed" in statuses[-1:]:
        status = "failed"
    elif "interrupted" in statuses[-1:]:
        status = "interrupted"
    elif node["to"] is None:
        status = "not verified"
    else:
        status = "upgraded" if node["from"] != node["to"] else "verified"
    return {
        "name": node["name"],
        "role": _role(node),
        "from": node["from"] or NONE,
        "to": node["to"] or NONE,
        "duration": duration(sum(known) if known else None),
        "status": status,
        "steps": [
            {
                "name": step["name"],
                "started": clock(step["started"]),
                "duration": duration(step["duration_s"]),
                "status": step["status"],
            }
            for step in node["steps"]
        ],
    }


def duration(seconds: float | None) -> str:
    """``0.12 s``, ``14.2 s``, ``2 min 5 s``, ``1 h 3 min``: as exact as the length deserves."""
    if seconds is None:
        return NONE
    if seconds == 0:
        return "0 s"
    if seconds < 10:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s" if seconds >= 0.005 else "< 0.01 s"
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(seconds / 60)
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def clock(time: object, *, date: bool = False, millis: bool = False) -> str:
    """The time of day in UTC, with its date where asked; a dash for none."""
    found = parse_time(time)
    if found is None:
        return NONE
    text = found.isoformat(sep=" ", timespec="milliseconds" if millis else "seconds").split("+", maxsplit=1)[0]
    return f"{text} UTC" if date else text.split(" ")[1]


def count(number: int) -> str:
    """``11,037``."""
    return f"{number:,}"


def _share(total: Mapping[str, t.Any]) -> str:
    """How many of the requests were answered, never rounded up to all of them."""
    if not total["requests"]:
        return NONE
    if not total["failed"]:
        return "100 %"
    share = 100.0 * (total["requests"] - total["failed"]) / total["requests"]
    return f"{math.floor(share * 1000) / 1000:.3f} %"


def _targets(availability: Mapping[str, t.Any]) -> list[tuple[str, Json]]:
    return [("API", availability["api"]), *availability["services"].items()]


def _time_in(nodes: Sequence[Mapping[str, t.Any]], name: str) -> float:
    return sum(step["duration_s"] or 0.0 for node in nodes for step in node["steps"] if step["name"] == name)


def _role(node: Mapping[str, t.Any]) -> str:
    role = str(node["role"] or "")
    return ROLES.get(role, role)
