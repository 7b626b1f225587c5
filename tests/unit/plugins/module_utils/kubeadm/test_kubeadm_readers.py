# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import kubelet, manifests
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.certificates import parse_certificate
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubeconfig import Kubeconfig

FIXTURES = Path(__file__).parent / "fixtures"


def test_real_manifests() -> None:
    pods = {
        path.stem: manifests.parse_static_pod(path.read_text(), str(path), path.stem)
        for path in FIXTURES.joinpath("1.34.4").iterdir()
    }
    assert {name: pod.tag for name, pod in pods.items()} == {
        "etcd": "3.6.5-0",
        "kube-apiserver": "v1.34.4",
        "kube-controller-manager": "v1.34.4",
        "kube-scheduler": "v1.34.4",
    }
    server = pods["kube-apiserver"].flags
    assert (server["advertise-address"], server["secure-port"]) == ("192.0.2.11", "6443")
    assert server["shutdown-delay-duration"] == "5s"
    assert pods["etcd"].flags["data-dir"] == "/var/lib/etcd"
    assert [pod.api_references for pod in pods.values()] == [[]] * 4


def test_a_manifest_with_api_references_and_a_sidecar() -> None:
    pod = manifests.parse_static_pod(
        "kind: Pod\nmetadata: {name: vip}\nspec:\n  serviceAccountName: vip\n  containers:\n"
        "  - {name: side, image: 'a:1'}\n  - name: vip\n    image: b:2\n    args: [--x, y]\n"
        "    envFrom: [{secretRef: {name: s}}]\n    env: [{name: N, valueFrom: {configMapKeyRef: {name: c, key: k}}}]\n"
        "  volumes: [{name: v, persistentVolumeClaim: {claimName: p}}, {name: h, hostPath: {path: /}}]\n",
        "/m/vip.yaml",
        "vip",
    )
    assert (pod.name, pod.tag, pod.flags) == ("vip", "2", {"x": "y"})
    assert pod.api_references == ["configmap/c", "persistentvolumeclaim/p", "secret/s", "serviceaccount/vip"]


@pytest.mark.parametrize("text", ["", "kind: ConfigMap\n", "a: &b c\n", "kind: Pod\nspec: {}\n"])
def test_what_is_no_manifest_is_reported(text: str) -> None:
    assert manifests.parse_static_pod(text, "f", "c").error


def test_certificates() -> None:
    server = parse_certificate((FIXTURES / "apiserver.crt").read_text(), "p")
    assert (server.path, server.subject_cn, server.subject_o) == ("p", "kube-apiserver", [])
    assert server.not_after == datetime(2027, 11, 21, 5, 55, 12, tzinfo=timezone.utc).timestamp()
    client = parse_certificate((FIXTURES / "apiserver-kubelet-client.crt").read_text(), "p")
    assert (client.subject_cn, client.subject_o) == ("kube-apiserver-kubelet-client", ["kubeadm:cluster-admins"])


@pytest.mark.parametrize("cut", [0, 100, 600])
def test_broken_certificates(cut: int) -> None:
    text = (FIXTURES / "apiserver.crt").read_text()
    body = "".join(text.split("\n")[1:-2])[: cut // 4 * 4]
    with pytest.raises(ValueError):
        parse_certificate(f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n", "p")


KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Y2E=
    server: https://192.0.2.11:6443
  name: kubernetes
contexts:
- context: {cluster: kubernetes, user: node}
  name: here
current-context: here
users:
- name: other
  user: {token: x}
- name: node
  user:
    client-certificate: pki/c.pem
    client-key: /k.pem
"""


def test_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "etc/kubernetes/pki").mkdir(parents=True)
    (tmp_path / "etc/kubernetes/pki/c.pem").write_text("cert")
    config = Kubeconfig.parse(KUBECONFIG, "/etc/kubernetes/kubelet.conf")
    assert config.server == "https://192.0.2.11:6443"
    assert config.ca_pem(tmp_path) == "ca"
    assert config.client_certificate_pem(tmp_path) == "cert"
    with pytest.raises(ValueError, match=r"client-key /k.pem.*cannot be read"):
        config.client_key_pem(tmp_path)
    assert "secret" not in repr(config).lower()


@pytest.mark.parametrize("text", ["", "a: b\n", KUBECONFIG.replace("current-context: here", "current-context: x")])
def test_broken_kubeconfigs(text: str) -> None:
    with pytest.raises(ValueError, match="names no API server"):
        Kubeconfig.parse(text, "/k")


@pytest.mark.parametrize(
    ("text", "flags", "empty"),
    [
        ('KUBELET_KUBEADM_ARGS="--a=b --c d"\n', [("a", "b", 1), ("c", "d", 1)], []),
        ('# KUBELET_EXTRA_ARGS="--a=b"\nKUBELET_EXTRA_ARGS=--node-ip=1.2.3.4\n', [("node-ip", "1.2.3.4", 2)], []),
        ('KUBELET_KUBEADM_ARGS=""\n', [], ["KUBELET_KUBEADM_ARGS"]),
        ("KUBELET_EXTRA_ARGS=\n", [], ["KUBELET_EXTRA_ARGS"]),
        ("A=--x \\\n  --y=1\n", [("x", "true", 1), ("y", "1", 1)], []),
        ("A='--labels=a=b,c=d'\n", [("labels", "a=b,c=d", 1)], []),
        ("A='--broken\n", [("broken", "true", 1)], []),
        ("HTTP_PROXY=http://user:word@proxy\n", [], []),
        ("", [], []),
    ],
)
def test_environment_flags(text: str, flags: list[tuple[str, str, int]], empty: list[str]) -> None:
    found, unset = kubelet.environment_flags(text, "/f")
    assert [(flag.name, flag.value, flag.line) for flag in found] == flags
    assert unset == empty


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (
            "[Service]\nEnvironmentFile=-/etc/default/kubelet\nEnvironmentFile=/etc/own.env\n",
            ["/etc/default/kubelet", "/etc/own.env"],
        ),
        ("EnvironmentFile=/etc/kubelet.d/*.env\nEnvironmentFile=\nEnvironment=A=/b\n", []),
        ("", []),
    ],
)
def test_environment_files(unit: str, expected: list[str]) -> None:
    assert kubelet.environment_files(unit) == expected


def test_unit_flags() -> None:
    unit = (
        '[Service]\nEnvironment="KUBELET_KUBECONFIG_ARGS=--kubeconfig=/k --x=1"\n#Environment="A=--no"\n'
        "EnvironmentFile=-/etc/default/kubelet\nExecStart=\nExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS --v=2\n"
    )
    found = kubelet.unit_flags(unit, "/d")
    assert [(flag.name, flag.value, flag.line) for flag in found] == [
        ("kubeconfig", "/k", 2),
        ("x", "1", 2),
        ("v", "2", 6),
    ]


DPKG = """\
Package: kubelet
Status: hold ok installed
Version: 1.34.4-1.1

Package: kubeadm
Status: install ok installed
Version: 1.35.4-1.1

Package: kubectl
Status: deinstall ok config-files
Version: 1.33.0-1.1

Package: kubelet-extra
Status: install ok installed
Version: 9
"""


def test_dpkg() -> None:
    assert kubelet.dpkg_packages(DPKG) == {
        "kubelet": {"version": "1.34.4-1.1", "held": True, "held_by": "dpkg"},
        "kubeadm": {"version": "1.35.4-1.1", "held": False, "held_by": ""},
    }


@pytest.mark.parametrize(
    ("locks", "held_by"),
    [
        ({}, ""),
        ({"versionlock": "kubelet-0:1.34.4-150500.1.1.*\n"}, "versionlock"),
        ({"versionlock": "kubelet-extra-1\n"}, ""),
        ({"exclude": "exclude=kubelet kubeadm kubectl"}, "exclude"),
        ({"exclude": "exclude=kubeadm kubectl"}, ""),
        ({"zypper": "type: package\nsolvable_name: kubelet\n"}, "zypper"),
        ({"versionlock": '[[packages]]\nname = "kubelet"\n'}, "versionlock"),
    ],
)
def test_rpm(locks: dict[str, str], held_by: str) -> None:
    listing = "package kubeadm is not installed\nkubelet\t1.34.4-150500.1.1\n"
    assert kubelet.rpm_packages(listing, locks) == {
        "kubelet": {"version": "1.34.4-150500.1.1", "held": bool(held_by), "held_by": held_by}
    }
