# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an image counts as one that cannot be pulled, and how that is said; with answers of containerd and CRI-O."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._images import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images.decisions import Answer, Bounds

BOUNDS = Bounds(attempts=3, retry_s=20)
HEAD = (
    'failed to pull and unpack image "registry.k8s.io/etcd:3.6.6-0": failed to resolve reference '
    '"registry.k8s.io/etcd:3.6.6-0": '
)
STOPPED = Answer(
    2,
    HEAD
    + 'failed to do request: Head "http://192.0.2.5:5000/v2/": dial tcp 192.0.2.5:5000: connect: connection refused',
)
ABSENT = Answer(5, HEAD + "registry.k8s.io/etcd:3.6.6-0: not found")
SILENT = Answer(None, "it was not there after 600 s")


@pytest.mark.parametrize(
    ("answer", "attempt", "elapsed_s", "expected"),
    [
        pytest.param(STOPPED, 1, 0.1, True, id="refused at once, asked again"),
        pytest.param(STOPPED, 2, 3.2, True, id="and again"),
        pytest.param(STOPPED, 3, 6.3, False, id="refused three times"),
        pytest.param(STOPPED, 1, 19.9, True, id="slow, and still in time"),
        pytest.param(STOPPED, 1, 30.0, False, id="one attempt took all of the time"),
        pytest.param(SILENT, 1, 600.0, False, id="no answer at all"),
        pytest.param(ABSENT, 1, 0.1, False, id="the registry does not have it"),
        pytest.param(Answer(2, HEAD + "manifest unknown: manifest unknown"), 1, 0.1, False, id="the same by its words"),
        pytest.param(
            Answer(2, HEAD + "unexpected status from HEAD request: 403 Forbidden"), 1, 0.1, False, id="not allowed"
        ),
        pytest.param(Answer(16, "unauthorized"), 1, 0.1, False, id="not known"),
        pytest.param(Answer(3, "invalid"), 1, 0.1, False, id="no name of an image"),
        pytest.param(
            Answer(2, HEAD + "unexpected status from HEAD request: 429 Too Many Requests"), 1, 0.1, True, id="too many"
        ),
        pytest.param(
            Answer(2, HEAD + "unexpected status from HEAD request: 503 Service Unavailable"), 1, 0.1, True, id="starts"
        ),
        pytest.param(
            Answer(14, "dial tcp: lookup registry.k8s.io on 192.0.2.53:53: no such host"), 2, 11.0, True, id="no name"
        ),
    ],
)
def test_again(answer: Answer, attempt: int, elapsed_s: float, expected: bool) -> None:
    assert decisions.again(answer, attempt, elapsed_s, BOUNDS) is expected


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (STOPPED.said, "Have the registry answer"),
        (SILENT.said, "See what the container runtime on cp1 says"),
        (ABSENT.said, "Push the image to the registry, or correct imageRepository"),
        ("write /var/lib/containerd/x: no space left on device", "Make room"),
        ("unexpected status from HEAD request: 429 Too Many Requests", "node_prepare_parallel"),
        ("pull access denied, repository does not exist or may require authorization", "the right to pull"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "trust that registry"),
        ("http: server gave HTTP response to HTTPS client", "trust that registry"),
        ("pinging container registry r: Get https://r/v2/: dial tcp: i/o timeout", "Have the registry answer"),
        ("net/http: TLS handshake timeout", "Have the registry answer"),
        ("unexpected status from HEAD request: 503 Service Unavailable", "Have the registry answer"),
        ("reading manifest 3.6.6-0 in r/etcd: manifest unknown", "Push the image"),
    ],
)
def test_the_advice_fits_the_answer(said: str, advice: str) -> None:
    message, hint = decisions.failure("registry.k8s.io/etcd:3.6.6-0", Answer(2, said), "cp1", 3, 6.2)
    assert message.startswith("The image registry.k8s.io/etcd:3.6.6-0 could not be pulled on cp1: ")
    assert said in message
    assert message.endswith("It was asked for 3 times, in 6 s.")
    assert hint.startswith(advice) or advice in hint
    assert hint.endswith("images that are on the node are not asked for, and need no registry.")


def test_a_long_answer_is_cut_and_one_attempt_is_once() -> None:
    message, _hint = decisions.failure("i", Answer(2, "x\n" * 2000), "cp1", 1, 0.1)
    assert len(message) < 1200
    assert "asked for once, in 0 s." in message


@pytest.mark.parametrize(
    ("version", "repository", "etcd_tag", "expected"),
    [
        ("1.35.4", "", "", ("v1beta4", "registry.k8s.io", {})),
        ("1.31.0", "r.example/k8s", "", ("v1beta4", "r.example/k8s", {})),
        ("1.30.14", "", "3.5.27-0", ("v1beta3", "registry.k8s.io", {"imageTag": "3.5.27-0"})),
    ],
)
def test_cluster_configuration(
    version: str, repository: str, etcd_tag: str, expected: tuple[str, str, dict[str, str]]
) -> None:
    api, images, local = expected
    assert decisions.cluster_configuration(version, repository, etcd_tag) == {
        "apiVersion": f"kubeadm.k8s.io/{api}",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": f"v{version}",
        "imageRepository": images,
        "etcd": {"local": local},
    }


def test_known_images() -> None:
    assert decisions.known_images("1.35.4", "r.example/k8s")[0] == "r.example/k8s/kube-apiserver:v1.35.4"
    assert len(decisions.known_images("1.35.4", "")) == 4
