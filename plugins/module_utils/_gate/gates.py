# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Gates of the user: what they are, and whether what was seen lets one through. Pure but for the import of jmespath."""

from __future__ import annotations

import contextlib
import json
import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.decisions import Answer, Check
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.model import Json
from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import HIDDEN
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.journal import plain

OBJECT, HTTP, PROMETHEUS, COMMAND = KINDS = ("object", "http", "prometheus", "command")
SHOWN = 200
"""Characters of what was seen that are told."""
SUBJECTS_SHOWN = 5
NOT_RUN = "not run in check mode"

Search = t.Callable[[t.Any], t.Any]

# Options of the module; documented in plugins/modules/cluster_gate.py.
_ASK: dict[str, t.Any] = {
    "url": {"type": "str", "required": True},
    "headers": {"type": "dict", "no_log": True},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout_s": {"type": "float", "default": 10},
}
GATE_OPTIONS: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "mutually_exclusive": [KINDS],
    "required_one_of": [KINDS],
    "options": {
        "name": {"type": "str", "required": True},
        "object": {
            "type": "dict",
            "mutually_exclusive": [("name", "label_selector")],
            "options": {
                "api_version": {"type": "str", "required": True},
                "kind": {"type": "str", "required": True},
                "namespace": {"type": "str"},
                "name": {"type": "str"},
                "label_selector": {"type": "str"},
                "expression": {"type": "str", "required": True},
            },
        },
        "http": {
            "type": "dict",
            "options": {
                **_ASK,
                "status": {"type": "list", "elements": "int", "default": [200]},
                "expression": {"type": "str"},
            },
        },
        "prometheus": {
            "type": "dict",
            "mutually_exclusive": [("expect", "expression")],
            "required_one_of": [("expect", "expression")],
            "options": {
                **_ASK,
                "query": {"type": "str", "required": True},
                "expect": {"type": "str", "choices": ["empty", "non_empty"]},
                "expression": {"type": "str"},
            },
        },
        "command": {
            "type": "dict",
            "options": {
                "argv": {"type": "list", "elements": "str", "required": True},
                "timeout_s": {"type": "float", "default": 60},
            },
        },
    },
}


class Gate(t.NamedTuple):
    """One gate. `options` are those of its kind; `search` is its expression, None where it has none."""

    name: str
    kind: str
    options: Json
    search: Search | None = None

    def check(self, subject: str, ok: bool, seen: str) -> Check:
        return Check(name=f"gate {self.name}", subject=subject, ok=ok, seen=self.safe(seen))

    def safe(self, text: str) -> str:
        """`text` in one line, short, and without what was sent in a header."""
        for value in (self.options.get("headers") or {}).values():
            for secret in (str(value), str(value).rpartition(" ")[2]):
                if len(secret) > 3:
                    text = text.replace(secret, HIDDEN)
        line = str(plain(" ".join(text.split())))
        return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."


class Ran(t.TypedDict, total=False):
    """What a command came to: `status` and the last line that it wrote, or `error` where it did not end or start."""

    status: int
    said: str
    error: str


def read_gates(entries: t.Sequence[Json]) -> list[Gate]:
    """The option `gates`. EvergreenError names the gate that cannot be as it is written."""
    gates = []
    for entry in entries:
        kind = next((name for name in KINDS if entry.get(name) is not None), None)
        if kind is None:
            raise EvergreenError(f"The gate {entry['name']} has none of {', '.join(KINDS)}.")
        options = entry[kind]
        expression = options.get("expression")
        search = _compiled(entry["name"], expression) if expression else None
        gate = Gate(entry["name"], kind, options, search)
        _examine(gate)
        gates.append(gate)
    twice = {gate.name for gate in gates if sum(other.name == gate.name for other in gates) > 1}
    if twice:
        raise EvergreenError(f"Several gates have the name {', '.join(sorted(twice))}.", hint="Give each its own.")
    return gates


def _examine(gate: Gate) -> None:
    options = gate.options
    if options.get("timeout_s") is not None and options["timeout_s"] <= 0:
        raise EvergreenError(f"The gate {gate.name} has a timeout_s of {options['timeout_s']:g}; it must be above 0.")
    if gate.kind == COMMAND and not options["argv"]:
        raise EvergreenError(f"The gate {gate.name} has an empty argv.", hint="Name a program.")
    if gate.kind in (HTTP, PROMETHEUS):
        url = urlsplit(options["url"])
        if url.scheme not in ("http", "https") or not url.hostname:
            raise EvergreenError(f"The url of the gate {gate.name} is not one of http or https.")
        if url.username is not None:
            raise EvergreenError(
                f"The url of the gate {gate.name} holds a user; an address is shown in results and logs.",
                hint="Send the header Authorization with the option headers.",
            )


def _compiled(name: str, expression: str) -> Search:
    try:
        import jmespath
        import jmespath.exceptions
    except ImportError as error:
        raise EvergreenError(
            f"The gate {name} has an expression, which needs the Python library jmespath where the task runs: {error}.",
            hint="Install it for the Python of that host: pip install jmespath",
        ) from error
    try:
        compiled = jmespath.compile(expression)
        with contextlib.suppress(jmespath.exceptions.JMESPathTypeError):
            # A function that does not exist is noticed only where it is called.
            compiled.search({})
    except jmespath.exceptions.JMESPathError as error:
        raise EvergreenError(f"The expression of the gate {name} is not JMESPath: {expression}: {error}") from error

    def search(value: t.Any) -> t.Any:
        try:
            return compiled.search(value)
        except jmespath.exceptions.JMESPathError as error:
            raise ExpressionError(str(error)) from error

    return search


class ExpressionError(Exception):
    """An expression that cannot be applied to what was seen, such as a function on a value of another type."""


def is_truthy(value: t.Any) -> bool:
    """As JMESPath has it: everything but false, null, and empty texts, lists and objects. So the number 0 is true."""
    return not (value is None or value is False or (isinstance(value, (str, list, dict)) and not value))


def address_of(gate: Gate) -> str:
    """The address that the gate asks, without its query, which may hold a token."""
    url = urlsplit(gate.options["url"])
    return f"{url.scheme}://{url.netloc}{url.path}"


def judge_objects(gate: Gate, objects: t.Sequence[Json], where: str) -> list[Check]:
    """Each object must meet the expression, and one at least must be there. `where` says what was looked for."""
    if not objects:
        return [gate.check(where, False, "there is none")]
    bad, good = [], 0
    for each in objects:
        ok, seen = _judged(gate, each)
        if gate.options["kind"] == "Secret":
            seen = f"the expression is {'true' if ok else 'not true'}"
        good += ok
        if not ok:
            subject = model.qualified(each).lstrip("/")
            bad.append(gate.check(f"{gate.options['kind']} {subject}", False, seen))
    if not bad:
        return [gate.check(where, True, f"true for {good} of {good}")]
    more = len(bad) - SUBJECTS_SHOWN
    rest = [gate.check(where, False, f"{more} more are not")] if more > 0 else []
    return [*bad[:SUBJECTS_SHOWN], *rest]


def judge_http(gate: Gate, answer: Answer) -> list[Check]:
    where = address_of(gate)
    if "error" in answer:
        return [gate.check(where, False, f"no answer: {answer['error']}")]
    status, body = answer["status"], answer.get("body", "")
    wanted = gate.options["status"]
    if status not in wanted:
        return [gate.check(where, False, f"status {status}, expected {' or '.join(map(str, wanted))}: {body}")]
    if gate.search is None:
        return [gate.check(where, True, f"status {status}")]
    try:
        value = json.loads(body)
    except ValueError:
        return [gate.check(where, False, f"status {status}, and the body is not JSON: {body}")]
    ok, seen = _judged(gate, value)
    return [gate.check(where, ok, f"status {status}, {seen}")]


def judge_prometheus(gate: Gate, answer: Answer) -> list[Check]:
    """By the answer of /api/v1/query (https://prometheus.io/docs/prometheus/latest/querying/api/)."""
    where = f"{gate.options['query']} at {address_of(gate)}"
    if "error" in answer:
        return [gate.check(where, False, f"no answer: {answer['error']}")]
    try:
        said = json.loads(answer.get("body", ""))
        good = said["status"] == "success"
    except (ValueError, KeyError, TypeError):
        return [gate.check(where, False, f"status {answer['status']}, and the body is not of Prometheus")]
    if not good:
        return [gate.check(where, False, f"{said.get('errorType', 'error')}: {said.get('error', '')}")]
    try:
        samples = samples_of(said["data"])
    except ValueError as error:
        return [gate.check(where, False, str(error))]
    except (KeyError, TypeError, IndexError):
        return [gate.check(where, False, "the answer has no samples that can be read")]
    warned = "; ".join(map(str, said.get("warnings") or []))
    ok, seen = _samples(gate, samples)
    return [gate.check(where, ok, f"{seen}; Prometheus warns: {warned}" if warned else seen)]


def samples_of(data: Json) -> list[Json]:
    """``{metric, value, time}`` of each sample of a vector, or of the one of a scalar. ValueError for other types."""
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return [{"metric": {}, "value": float(result[1]), "time": float(result[0])}]
    if kind != "vector":
        raise ValueError(f"the query gives a {kind}, and a gate needs an instant vector or a scalar")
    found = []
    for sample in result:
        if "value" not in sample:
            raise ValueError("the query gives native histograms, which a gate does not read")
        time, value = sample["value"]
        found.append({"metric": sample["metric"], "value": float(value), "time": float(time)})
    return found


def judge_command(gate: Gate, ran: Ran) -> list[Check]:
    where = gate.options["argv"][0]
    if "error" in ran:
        return [gate.check(where, False, ran["error"])]
    said = f": {ran['said']}" if ran.get("said") else ""
    return [gate.check(where, ran["status"] == 0, f"ended with {ran['status']}{said}")]


def _samples(gate: Gate, samples: t.Sequence[Json]) -> tuple[bool, str]:
    if gate.search is None:
        ok = bool(samples) == (gate.options["expect"] == "non_empty")
        return ok, _counted(samples)
    judged = [(sample, *_judged(gate, sample)) for sample in samples]
    bad = [(sample, seen) for sample, ok, seen in judged if not ok]
    if not samples:
        return False, "no samples"
    if bad:
        return False, f"{len(bad)} of {len(samples)} samples: {_named(bad[0][0])}: {bad[0][1]}"
    return True, f"true for {_counted(samples)}"


def _counted(samples: t.Sequence[Json]) -> str:
    if not samples:
        return "no samples"
    more = f" and {len(samples) - SUBJECTS_SHOWN} more" if len(samples) > SUBJECTS_SHOWN else ""
    return f"{len(samples)} samples: " + ", ".join(map(_named, samples[:SUBJECTS_SHOWN])) + more


def _named(sample: Json) -> str:
    """As Prometheus writes it: ``up{job="node"} 0``."""
    labels = {key: value for key, value in sample["metric"].items() if key != "__name__"}
    inner = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    name = sample["metric"].get("__name__", "")
    return f"{name}{{{inner}}} {sample['value']:g}".replace("{} ", " " if name else "").strip()


def _judged(gate: Gate, value: t.Any) -> tuple[bool, str]:
    """Whether the expression is truthy for `value`, and what it gave."""
    if gate.search is None:
        return True, ""
    try:
        found = gate.search(value)
    except ExpressionError as error:
        return False, f"the expression cannot be applied: {error}"
    return is_truthy(found), f"the expression gives {_short(found)}"


def _short(value: t.Any) -> str:
    return re.sub(r"\s+", " ", json.dumps(plain(value), ensure_ascii=False))
