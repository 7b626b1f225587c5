# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of a node go into the archive."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import node_files
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.node_files import Named, NodeFilesMissing
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.etcd.control_plane_files import (
    make_node,
    put,
)


def pod(*command: str, mounts: dict[str, str] | None = None, volumes: dict[str, str] | None = None) -> dict[str, t.Any]:
    """A pod with one container ``c``; `mounts` is mountPath to hostPath, `volumes` name to hostPath."""
    pairs = list((mounts or {}).items())
    return {
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "command": list(command),
                    "volumeMounts": [{"mountPath": pair[0], "name": f"v{index}"} for index, pair in enumerate(pairs)],
                }
            ],
            "volumes": [{"name": f"v{index}", "hostPath": {"path": pair[1]}} for index, pair in enumerate(pairs)]
            + [{"name": name, "hostPath": {"path": path}} for name, path in (volumes or {}).items()],
        }
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, [], id="no pod"),
        pytest.param({"spec": None}, [], id="no spec"),
        pytest.param(pod("/bin/prog", "--v=2", "/positional"), [], id="no flag with a path"),
        pytest.param(pod("p", "--a=/x/a", "--b", "/x/b"), [Named("/x/a", "c --a"), Named("/x/b", "c --b")], id="flags"),
        pytest.param(pod("p", "--a=/x/a", "--a=/x/b"), [Named("/x/a", "c --a"), Named("/x/b", "c --a")], id="repeated"),
        pytest.param(pod("p", "--a=/x//a/"), [Named("/x/a", "c --a")], id="normalised"),
        pytest.param(
            pod("p", "--sni=/x/c,/x/k:name.org"), [Named("/x/c", "c --sni"), Named("/x/k", "c --sni")], id="a pair"
        ),
        pytest.param(pod("p", "--data-dir=/d", "--audit-log-path=/l", "--log-file=/f"), [], id="what is written to"),
        pytest.param(pod("p", "--kms=unix:///run/kms.sock", "--u=https://h/x", "--s=/"), [], id="no paths"),
        pytest.param(
            pod("p", "--x=/e", "--encryption-provider-config=/e"),
            [Named("/e", "c --encryption-provider-config", True)],
            id="what must be there",
        ),
        pytest.param(
            pod("p", "--a=/in/x", mounts={"/in": "/out"}),
            [Named("/out/x", "c --a"), Named("/out", "volume v0")],
            id="as the host names it",
        ),
        pytest.param(
            pod("p", "--a=/in/deep/x", mounts={"/in": "/out", "/in/deep": "/else"}),
            [Named("/else/x", "c --a"), Named("/out", "volume v0"), Named("/else", "volume v1")],
            id="the longest mount",
        ),
        pytest.param(pod("p", volumes={"f": "/etc/f"}), [Named("/etc/f", "volume f")], id="a volume"),
    ],
)
def test_what_a_pod_names(given: dict[str, t.Any], expected: list[Named]) -> None:
    assert node_files.named_files(given) == expected


def test_a_whole_node(tmp_path: Path) -> None:
    expected = make_node(tmp_path)
    found = node_files.collect(str(tmp_path))
    assert [file.path for file in found.files] == expected
    assert dict(found.left_out) == {"/etc/oidc/ca.crt": "No such file or directory"}
    by = {file.path: file.by for file in found.files}
    assert by["/srv/encryption/config.yaml"] == "kube-apiserver --encryption-provider-config"
    assert found.size == sum((tmp_path / path.lstrip("/")).stat().st_size for path in expected)


def test_the_key_of_an_external_ca_is_said_to_be_elsewhere(tmp_path: Path) -> None:
    make_node(tmp_path)
    (tmp_path / "etc/kubernetes/pki/ca.key").unlink()
    left_out = dict(node_files.collect(str(tmp_path)).left_out)
    assert left_out["/etc/kubernetes/pki/ca.key"] == "it is not on this node"


def move_certificates(root: Path, folder: str) -> None:
    """The node as it is with another ``certificatesDir``."""
    (root / folder.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    (root / "etc/kubernetes/pki").rename(root / folder.lstrip("/"))
    path = root / "etc/kubernetes/manifests/kube-apiserver.yaml"
    path.write_text(path.read_text().replace("/etc/kubernetes/pki", folder))


@pytest.mark.parametrize("beside", [False, True])
def test_another_folder_of_certificates(tmp_path: Path, beside: bool) -> None:
    expected = [path.replace("/etc/kubernetes/pki", "/srv/pki") for path in make_node(tmp_path)]
    put(tmp_path, "/etc/kubernetes/pki/sa.pub", "a key")
    move_certificates(tmp_path, "/srv/pki")
    expected = sorted([*expected, "/srv/pki/sa.pub"])
    if beside:
        put(tmp_path, "/etc/kubernetes/pki/old.crt", "of no use any more")
    found = node_files.collect(str(tmp_path))
    assert found.certificates_dir == "/srv/pki"
    assert [file.path for file in found.files] == expected
    assert set(dict(found.left_out)) == {"/etc/oidc/ca.crt"}
    for name in ("ca.key", "etcd/ca.key", "sa.key"):
        (tmp_path / "srv/pki" / name).unlink()
    left_out = dict(node_files.collect(str(tmp_path)).left_out)
    gone = {f"/srv/pki/{name}" for name in ("ca.key", "etcd/ca.key", "sa.key")}
    assert {path for path, reason in left_out.items() if reason == "it is not on this node"} == gone


def test_links_are_followed_and_never_in_a_circle(tmp_path: Path) -> None:
    make_node(tmp_path)
    pki = tmp_path / "etc/kubernetes/pki"
    put(tmp_path, "/elsewhere/extra.crt", "more")
    (pki / "more").symlink_to(tmp_path / "elsewhere")
    (pki / "again").symlink_to(pki)
    (pki / "gone.crt").symlink_to("/nonexistent")
    found = node_files.collect(str(tmp_path))
    paths = [file.path for file in found.files]
    assert "/etc/kubernetes/pki/more/extra.crt" in paths
    assert not [path for path in paths if "again" in path]
    assert "/etc/kubernetes/pki/gone.crt" in dict(found.left_out)


def test_what_is_no_configuration_is_left_out(tmp_path: Path) -> None:
    make_node(tmp_path)
    (tmp_path / "etc/kubernetes/audit/policy.yaml").write_bytes(b"x" * (node_files.MOST_BYTES + 1))
    put(tmp_path, "/etc/kubernetes/manifests/other.yaml", "a: [b")
    put(tmp_path, "/etc/oidc/ca.crt/folder", "")
    left_out = dict(node_files.collect(str(tmp_path)).left_out)
    assert "more than any configuration" in left_out["/etc/kubernetes/audit/policy.yaml"]
    assert left_out["files named by /etc/kubernetes/manifests/other.yaml"] == "the manifest could not be read"
    assert left_out["/etc/oidc/ca.crt"] == "it is no regular file"


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("/etc/kubernetes/pki", "holds no file"),
        ("/etc/kubernetes/manifests", "no /etc/kubernetes/manifests/kube-apiserver.yaml"),
        ("/srv/encryption", "--encryption-provider-config names /srv/encryption/config.yaml"),
    ],
)
def test_without_these_there_is_no_restore(tmp_path: Path, gone: str, said: str) -> None:
    make_node(tmp_path)
    (tmp_path / gone.lstrip("/")).rename(tmp_path / "gone")
    with pytest.raises(NodeFilesMissing, match=said):
        node_files.collect(str(tmp_path))


@pytest.mark.parametrize("text", ["", "a: [b", "just words"])
def test_a_manifest_of_the_api_server_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    make_node(tmp_path)
    put(tmp_path, "/etc/kubernetes/manifests/kube-apiserver.yaml", text)
    with pytest.raises(NodeFilesMissing, match=r"kube-apiserver\.yaml"):
        node_files.collect(str(tmp_path))
