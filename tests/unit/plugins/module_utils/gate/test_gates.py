# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gates of the user: what was seen, and whether it lets through. Answers of Prometheus are of the shapes it sends."""

from __future__ import annotations

import json
import sys
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.decisions import Check
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.gates import (
    Gate,
    is_truthy,
    judge_command,
    judge_http,
    judge_objects,
    judge_prometheus,
    read_gates,
)

Json = dict[str, t.Any]
TOKEN = "s3cr3t-token-of-the-shop"


def gate(what: str, **options: t.Any) -> Gate:
    defaults: Json = {
        "object": {"api_version": "v1", "kind": "Node"},
        "http": {"url": "https://shop.example.org/healthz?key=1", "status": [200]},
        "prometheus": {"url": "https://prom.example.org", "query": "up"},
        "command": {"argv": ["/bin/true"]},
    }[what]
    (made,) = read_gates([{"name": "g", what: {**defaults, **options}}])
    return made


def one(checks: list[Check]) -> tuple[bool, str]:
    (check,) = checks
    return check["ok"], check["seen"]


@pytest.mark.parametrize(
    ("value", "truthy"),
    [
        (None, False),
        (False, False),
        ("", False),
        ([], False),
        ({}, False),
        (0, True),
        (0.0, True),
        ("x", True),
        ([0], True),
    ],
)
def test_truth_is_that_of_jmespath(value: object, truthy: bool) -> None:
    assert is_truthy(value) is truthy


def thing(name: str, **status: t.Any) -> Json:
    return {"metadata": {"name": name}, "status": status}


def test_objects_must_be_there_and_meet_the_expression_each() -> None:
    ready = gate("object", expression="status.phase == 'Ready'")
    assert one(judge_objects(ready, [], "Node")) == (False, "there is none")
    assert one(judge_objects(ready, [thing("a", phase="Ready"), thing("b", phase="Ready")], "Node"))[0]
    (bad,) = judge_objects(ready, [thing("a", phase="Ready"), thing("b")], "Node")
    assert bad == {"name": "gate g", "subject": "Node b", "ok": False, "seen": "the expression gives false"}


def test_many_objects_are_told_in_a_few_checks() -> None:
    checks = judge_objects(gate("object", expression="status.phase"), [thing(f"n{i}") for i in range(50)], "Node")
    assert [check["seen"] for check in checks] == ["the expression gives null"] * 5 + ["45 more are not"]


def test_a_value_of_a_secret_is_not_told() -> None:
    secret = gate("object", kind="Secret", expression="data.password == 'other' || data.password")
    assert one(judge_objects(secret, [{"metadata": {"name": "s"}, "data": {"password": ""}}], "Secret s")) == (
        False,
        "the expression is not true",
    )
    number = gate("object", kind="Secret", expression="sum(data.password)")
    assert one(judge_objects(number, [{"metadata": {"name": "s"}, "data": {"password": TOKEN}}], "s")) == (
        False,
        "the expression is not true",
    )


@pytest.mark.parametrize(
    ("options", "answer", "ok", "seen"),
    [
        ({}, {"status": 200, "body": "ok"}, True, "status 200"),
        ({}, {"status": 503, "body": "down\nnow"}, False, "status 503, expected 200: down now"),
        ({"status": [200, 204]}, {"status": 204}, True, "status 204"),
        ({"status": [301]}, {"status": 200}, False, "status 200, expected 301:"),
        ({}, {"error": "URLError: refused"}, False, "no answer: URLError: refused"),
        (
            {"expression": "up"},
            {"status": 200, "body": "<html>"},
            False,
            "status 200, and the body is not JSON: <html>",
        ),
        ({"expression": "up"}, {"status": 200, "body": '{"up": true}'}, True, "status 200, the expression gives true"),
        (
            {"expression": "up > `2`"},
            {"status": 200, "body": '{"up": 1}'},
            False,
            "status 200, the expression gives false",
        ),
        (
            {"expression": "length(up)"},
            {"status": 200, "body": '{"up": 1}'},
            False,
            "status 200, the expression cannot be applied",
        ),
    ],
)
def test_http(options: Json, answer: t.Any, ok: bool, seen: str) -> None:
    (check,) = judge_http(gate("http", **options), answer)
    assert check["ok"] is ok
    assert check["seen"].startswith(seen)
    assert check["subject"] == "https://shop.example.org/healthz"


def test_what_was_sent_comes_back_in_no_check() -> None:
    echo = gate("http", headers={"Authorization": f"Bearer {TOKEN}", "X-Key": "abcd"}, expression="headers")
    for body in (f"you sent {TOKEN} and abcd", json.dumps({"headers": f"Bearer {TOKEN}"})):
        for status in (200, 500):
            (check,) = judge_http(echo, {"status": status, "body": body})
            assert TOKEN not in check["seen"]
            assert "abcd" not in check["seen"]
    (check,) = judge_http(gate("http"), {"status": 500, "body": "x" * 5000})
    assert len(check["seen"]) < 300


# As Prometheus 2 and 3 answer /api/v1/query.
def vector(*samples: tuple[Json, str]) -> Json:
    result = [{"metric": metric, "value": [1767225600.781, value]} for metric, value in samples]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


ALERT: Json = {"__name__": "ALERTS", "alertname": "Down", "alertstate": "firing"}
SCALAR: Json = {"status": "success", "data": {"resultType": "scalar", "result": [1767225600.781, "3"]}}
MATRIX: Json = {"status": "success", "data": {"resultType": "matrix", "result": []}}
BAD: Json = {"status": "error", "errorType": "bad_data", "error": 'invalid parameter "query": 1:3: parse error'}
HISTOGRAM: Json = {
    "status": "success",
    "data": {"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {"count": "4"}]}]},
}


@pytest.mark.parametrize(
    ("options", "said", "ok", "seen"),
    [
        ({"expect": "empty"}, vector(), True, "no samples"),
        ({"expect": "empty"}, vector((ALERT, "1")), False, '1 samples: ALERTS{alertname="Down",alertstate="firing"} 1'),
        ({"expect": "non_empty"}, vector(({}, "0")), True, "1 samples: 0"),
        ({"expect": "non_empty"}, vector(), False, "no samples"),
        ({"expression": "value < `5`"}, vector(({"job": "a"}, "4"), ({"job": "b"}, "4.5")), True, "true for 2 samples"),
        (
            {"expression": "value < `5`"},
            vector(({"job": "a"}, "4"), ({"job": "b"}, "9")),
            False,
            '1 of 2 samples: {job="b"} 9',
        ),
        ({"expression": "value < `5`"}, vector(({}, "NaN")), False, "1 of 1 samples: nan"),
        ({"expression": "value < `5`"}, vector(({}, "+Inf")), False, "1 of 1 samples: inf"),
        ({"expression": "value < `5`"}, vector(), False, "no samples"),
        ({"expression": "value == `3`"}, SCALAR, True, "true for 1 samples: 3"),
        ({"expect": "empty"}, MATRIX, False, "the query gives a matrix"),
        ({"expect": "non_empty"}, HISTOGRAM, False, "the query gives native histograms"),
        ({"expect": "empty"}, BAD, False, 'bad_data: invalid parameter "query"'),
        ({"expect": "empty"}, {"status": "success", "data": {}}, False, "the answer has no samples that can be read"),
        ({"expect": "empty"}, ["html"], False, "status 200, and the body is not of Prometheus"),
        (
            {"expect": "empty"},
            {**vector(), "warnings": ["one store is away"]},
            True,
            "no samples; Prometheus warns: one store",
        ),
    ],
)
def test_prometheus(options: Json, said: t.Any, ok: bool, seen: str) -> None:
    (check,) = judge_prometheus(gate("prometheus", **options), {"status": 200, "body": json.dumps(said)})
    assert check["ok"] is ok
    assert check["seen"].startswith(seen)


def test_prometheus_that_does_not_answer() -> None:
    empty = gate("prometheus", expect="empty")
    assert one(judge_prometheus(empty, {"error": "timed out"})) == (False, "no answer: timed out")
    assert not one(judge_prometheus(empty, {"status": 502, "body": "<html>"}))[0]


def test_command() -> None:
    assert one(judge_command(gate("command"), {"status": 0, "said": ""})) == (True, "ended with 0")
    assert one(judge_command(gate("command"), {"status": 3, "said": "busy"})) == (False, "ended with 3: busy")
    assert one(judge_command(gate("command"), {"error": "it had not ended"})) == (False, "it had not ended")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"http": {"url": "ftp://a/"}}, "not one of http or https"),
        ({"http": {"url": "https://u:p@a/"}}, "holds a user"),
        ({"http": {"url": "https://a/", "timeout_s": 0}}, "above 0"),
        ({"http": {"url": "https://a/", "expression": "a ="}}, "is not JMESPath"),
        ({"object": {"expression": "no_such(@)"}}, "is not JMESPath"),
        ({"command": {"argv": []}}, "empty argv"),
    ],
)
def test_a_gate_that_cannot_be_is_named(entry: Json, said: str) -> None:
    with pytest.raises(EvergreenError, match=r"gate mine\b") as raised:
        read_gates([{"name": "mine", **entry}])
    assert said in str(raised.value)


def test_names_are_used_once() -> None:
    entry: Json = {"name": "a", "command": {"argv": ["true"]}}
    with pytest.raises(EvergreenError, match="Several gates have the name a"):
        read_gates([entry, entry])


def test_without_jmespath_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """None in sys.modules is how Python itself marks what must not be imported."""
    monkeypatch.setitem(sys.modules, "jmespath", None)
    assert read_gates([{"name": "a", "http": {"url": "https://a/"}}])
    with pytest.raises(EvergreenError) as raised:
        read_gates([{"name": "b", "object": {"expression": "a"}}])
    assert "The gate b has an expression, which needs the Python library jmespath" in raised.value.message
    assert raised.value.hint.endswith("pip install jmespath")
