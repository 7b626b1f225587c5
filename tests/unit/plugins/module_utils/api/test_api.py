# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What answers of an API server mean, and how the connection is configured."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api import auth, client, errors, retry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

BUDGET = {"details": {"causes": [{"reason": "DisruptionBudget"}]}}


def status(code: int, message: str = "", body: dict[str, t.Any] | None = None, after: float | None = None) -> t.Any:
    return errors.ApiStatusError(code, "", message, body, after)


@pytest.mark.parametrize(
    ("error", "attempt", "starting", "pause"),
    [
        (errors.ApiUnreachable("x"), 1, False, 0.5),
        (errors.ApiUnreachable("x"), 3, False, 2.0),
        (errors.ApiUnreachable("x"), 9, False, 5.0),
        (errors.ApiUnreachable("x", permanent=True), 1, False, None),
        (status(429), 1, False, 0.5),
        (status(429, after=12), 1, False, 12),
        (status(429, body=BUDGET, after=12), 1, False, None),
        (status(502), 1, False, 0.5),
        (status(503, after=4), 1, False, 4),
        (status(504), 2, False, 1.0),
        (status(500, "etcdserver: request timed out"), 1, False, 0.5),
        (status(500, "rpc error: code = Unavailable desc = transport is closing"), 1, False, 0.5),
        (status(500, 'failed calling webhook "a": connection refused'), 1, False, None),
        (status(500, "nil pointer"), 1, False, None),
        (status(401), 1, False, None),
        (status(401), 1, True, 0.5),
        (status(403), 1, True, 0.5),
        (status(404), 1, True, None),
        (status(409), 1, True, None),
    ],
)
def test_when_to_try_again(error: t.Any, attempt: int, starting: bool, pause: float | None) -> None:
    assert retry.pause_after(error, attempt, starting=starting) == pause


def test_the_last_error_says_what_was_tried() -> None:
    tries = []

    def call() -> None:
        tries.append(1)
        raise errors.ApiUnreachable("no answer from it.")

    with pytest.raises(errors.ApiUnreachable) as caught:
        retry.retrying(call, Deadline(0.2), what="reading node w1")
    assert caught.value.message == "Reading node w1 failed (2 tries in 0.2 s): no answer from it."
    assert len(tries) == 2
    with pytest.raises(errors.ApiUnreachable):
        retry.retrying(call, Deadline(0), what="x")
    assert len(tries) == 3


def test_refusals_are_believed_unless_the_server_was_just_away() -> None:
    answers: list[t.Any] = [errors.ApiUnreachable("away"), status(403), {"kind": "Node"}]

    def call() -> dict[str, t.Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return t.cast("dict[str, t.Any]", answer)

    assert retry.retrying(call, Deadline(5), what="x") == {"kind": "Node"}
    answers = [status(403)]
    with pytest.raises(errors.ApiStatusError):
        retry.retrying(call, Deadline(5), what="x")


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        (
            403,
            'nodes "a" is forbidden: User "u" cannot patch resource "nodes" in API group "" at the cluster scope',
            "Grant the verb patch on nodes, cluster-wide to the user u.",
        ),
        (
            403,
            'x is forbidden: User "u" cannot get resource "daemonsets" in API group "apps" in the namespace "n"',
            "Grant the verb get on daemonsets (API group apps) in the namespace n to the user u.",
        ),
        (403, "something else", ""),
        (404, "not found", ""),
    ],
)
def test_hints(code: int, message: str, hint: str) -> None:
    assert errors.hint_for(code, message) == hint


@pytest.mark.parametrize(
    ("header", "body", "expected"),
    [
        ("3", {}, 3.0),
        (None, {"details": {"retryAfterSeconds": 10}}, 10.0),
        ("2", {"details": {"retryAfterSeconds": 10}}, 2.0),
        ("0", {}, None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", {"details": None}, None),
        (None, {}, None),
    ],
)
def test_retry_after(header: str | None, body: dict[str, t.Any], expected: float | None) -> None:
    assert client.retry_after_of(header, body) == expected


@pytest.mark.parametrize(
    ("message", "denied", "failed"),
    [
        ('admission webhook "a.b" denied the request: no', "a.b", None),
        ('Internal error occurred: failed calling webhook "a.b": timeout', None, "a.b"),
        ("not found", None, None),
    ],
)
def test_webhooks_are_named(message: str, denied: str | None, failed: str | None) -> None:
    assert (errors.webhook_that_denied(message), errors.webhook_that_failed(message)) == (denied, failed)


def test_a_kubeconfig_given_by_content_shows_nothing_of_it() -> None:
    for content in (
        {"users": [{"user": {"token": "secret"}}]},
        "apiVersion: v1\nusers: secret\n",
        '{"token": "secret"}',
    ):
        option = auth.kubeconfig_option(content)
        assert isinstance(option, auth.InlineKubeconfig)
        assert "secret" not in str(option) and option.content == content
    assert not isinstance(auth.kubeconfig_option("/etc/kubernetes/admin.conf"), auth.InlineKubeconfig)


@pytest.mark.parametrize(
    ("host", "environment", "expected"),
    [
        ("https://10.0.0.1:6443", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://10.0.0.1:6443", {"HTTP_PROXY": "http://p:1"}, None),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://localhost:6443", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://api.example.com:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".example.com"}, None),
        ("https://10.0.0.1:6443", {}, None),
    ],
)
def test_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, host: str, environment: dict[str, str], expected: str | None
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert auth.environment_proxy(host) == expected
