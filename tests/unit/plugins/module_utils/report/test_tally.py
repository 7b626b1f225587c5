# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.client
import socket
import ssl

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.probe import worker_count
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.request import BadAnswer, classify, split_url
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.tally import FAILURES_KEPT, Tally


@pytest.mark.parametrize(
    "start, answers, end, gap",
    [
        (0.0, [], 5.0, 5.0),  # no answer at all
        (0.0, [0.1, 0.2, 0.3], 0.35, 0.1),
        (0.0, [2.0, 2.1], 2.1, 2.0),  # from the start to the first
        (0.0, [0.1, 0.2], 4.0, 3.8),  # from the last to the end
        (10.0, [10.1, 13.1, 13.2], 13.2, 3.0),
        (0.0, [0.1, 0.3, 0.2, 0.4], 0.4, 0.2),  # reported out of order: 0.3 to 0.4 is no gap of 0.2
        (0.0, [0.1, 1.5], 1.0, 1.4),  # an answer that came after the last request was made
    ],
)
def test_longest_gap(start: float, answers: list[float], end: float, gap: float) -> None:
    tally = Tally("api", start)
    for at in answers:
        tally.good(at)
    result = tally.result(end)
    assert result["longest_gap_s"] == pytest.approx(gap)
    assert (result["requests"], result["failed"]) == (len(answers), 0)


def test_lines_of_seconds_add_up_to_the_result() -> None:
    tally = Tally("service/web", 0.0)
    lines = []
    for at in (0.1, 0.5):
        tally.good(at)
    lines.append(tally.second(1.0, "T1"))
    lines.append({**tally.bad("T", "refused", "Connection refused", 0.0011), "line": "failure"})
    lines.append(tally.second(2.0, "T2"))
    tally.good(3.5)
    lines.append(tally.second(4.0, "T4"))
    result = tally.result(4.0)
    seconds = [line for line in lines if "requests" in line]
    assert [line["gap_s"] for line in seconds] == [0.5, 1.5, 3.0]
    assert max(line["gap_s"] for line in seconds) == result["longest_gap_s"] == 3.0
    assert sum(line["requests"] for line in seconds) == result["requests"] == 4
    assert sum(line["failed"] for line in seconds) == result["failed"] == 1
    assert lines[1] == {
        "time": "T",
        "target": "service/web",
        "error": "refused",
        "message": "Connection refused",
        "after_s": 0.001,
        "line": "failure",
    }
    assert result["errors"] == {"refused": 1}


def test_only_the_first_failures_are_kept_and_all_are_counted() -> None:
    tally = Tally("api", 0.0)
    for number in range(FAILURES_KEPT + 5):
        tally.bad(str(number), "timeout" if number % 2 else "http_503", "", 2.0)
    result = tally.result(1.0)
    assert [failure["time"] for failure in result["failures"]] == [str(number) for number in range(FAILURES_KEPT)]
    assert result["failed"] == FAILURES_KEPT + 5
    assert result["errors"] == {"http_503": 13, "timeout": 12}


@pytest.mark.parametrize(
    "error, expected",
    [
        (BadAnswer(403, "Forbidden"), "http_403"),
        (BadAnswer(503, "Service Unavailable"), "http_503"),
        (socket.timeout("timed out"), "timeout"),
        (socket.gaierror(-2, "Name or service not known"), "name_resolution"),
        (ConnectionRefusedError(111, "Connection refused"), "refused"),
        (ConnectionResetError(104, "Connection reset by peer"), "reset"),
        (http.client.RemoteDisconnected("Remote end closed connection without response"), "closed"),
        (http.client.IncompleteRead(b"", 5), "closed"),
        (BrokenPipeError(32, "Broken pipe"), "closed"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "closed"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "tls"),
        (http.client.BadStatusLine("SSH-2.0"), "protocol"),
        (OSError(113, "No route to host"), "network"),
        (KeyError("x"), "defect"),
    ],
)
def test_classify(error: Exception, expected: str) -> None:
    found, message = classify(error)
    assert found == expected
    assert message


@pytest.mark.parametrize(
    "url, expected",
    [
        ("http://10.0.0.10:30080/", ("http", "10.0.0.10", 30080, "/")),
        ("http://web.example", ("http", "web.example", 80, "/")),
        ("https://web.example/a/b?c=d", ("https", "web.example", 443, "/a/b?c=d")),
        ("https://[fd00::1]:8443/healthz", ("https", "fd00::1", 8443, "/healthz")),
    ],
)
def test_split_url(url: str, expected: tuple[str, str, int, str]) -> None:
    assert split_url(url) == expected


@pytest.mark.parametrize("url", ["web:80", "ftp://web/", "http://", "http://web:port/", "http://[fd00::1/", ""])
def test_split_url_refuses(url: str) -> None:
    with pytest.raises(EvergreenError):
        split_url(url)


@pytest.mark.parametrize("rate, timeout, expected", [(20, 2, 64), (1, 0.5, 6), (1000, 10, 128)])
def test_worker_count(rate: float, timeout: float, expected: int) -> None:
    assert worker_count(rate, timeout) == expected
