# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is exchanged on a node, for which a tree of files stands, and a program for its kubeadm."""

from __future__ import annotations

import shutil
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import exchange
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.compose import NodeFacts
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.exchange import Wanted
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import Evidence, Options
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import KeptFile
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.kubeadm.mirror import text_of

FIXTURES = Path(__file__).parent / "fixtures"
CONFIG, FLAGS, INSTANCE = exchange.KUBELET_FILES
KEPT = "/var/lib/evergreen-kubeadm/swap/old/kubelet-files"
COMPONENTS = exchange.STOP_ORDER
OPTIONS = Options("v1.35.4", "control_plane")
FACTS = NodeFacts("cp1", "192.0.2.11", 6443, {})
# Writes the manifests of 1.35.4, with a sidecar first where a folder of patches is given, and the words of ours.
KUBEADM = """\
import json, os, pathlib, shutil, sys
out, fixtures = pathlib.Path(os.environ["KUBEADM_INIT_DRYRUN_DIR"]), pathlib.Path("{fixtures}/1.34.4")
init = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text().split("---\\n")[1])
names = ["etcd"] if "etcd" in sys.argv else ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
for name in names:
    text = (fixtures / (name + ".yaml")).read_text().replace(":v1.34.4", ":v1.35.4").replace("3.6.5-0", "3.6.6-0")
    folder = init.get("patches", {{}}).get("directory")
    if folder:
        text = text.replace("  containers:\\n", "  containers:\\n  - name: beside\\n    image: x\\n", 1)
        for patch in sorted(pathlib.Path(folder).glob(name + "*.json")):
            for operation in json.loads(patch.read_text()):
                assert operation["path"] == "/spec/containers/1/command/-", operation
                text = text.replace("    - " + name + "\\n", "    - " + name + "\\n    - " + operation["value"] + "\\n")
    (out / (name + ".yaml")).write_text(text)
"""


@pytest.fixture
def node(tmp_path: Path) -> Node:
    root = tmp_path / "node"
    shutil.copytree(FIXTURES / "1.34.4", root / "etc/kubernetes/manifests")
    for path, text in ((CONFIG, "old"), (FLAGS, "flags"), ("/etc/hostname", "cp1")):
        put(root, path, text)
    for name in ("kubelet", "kubeadm"):
        put(root, f"/usr/bin/{name}", f"#!{sys.executable}\n{KUBEADM.format(fixtures=FIXTURES)}").chmod(0o755)
    return Node(root)


def put(root: Path, path: str, text: str) -> Path:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def wanted(node: Node, options: Options = OPTIONS) -> Wanted:
    configuration = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.34.4\n"
    return exchange.wanted(node, node.find("kubeadm"), configuration, options, print)


def new(component: str) -> str:
    return text_of(component, "1.35.4")


def live(component: str) -> str:
    return f"/etc/kubernetes/manifests/{component}.yaml"


def test_all_manifests_of_the_target_are_wanted(node: Node) -> None:
    found = wanted(node)
    assert found.manifests == {name: new(name) for name in COMPONENTS}
    assert found.etcd_tag == "3.6.6-0"
    assert found.facts == FACTS
    assert found.write_patches("/nowhere", "/mine") == "/mine"
    assert sorted(exchange.differing(node, found.manifests)) == sorted(COMPONENTS)


@pytest.mark.parametrize(
    "options",
    [
        Options("v1.35.4", "control_plane", etcd_upgrade=False),
        Options("v1.34.4", "control_plane", rollback=True),
    ],
)
def test_etcd_stays(node: Node, options: Options) -> None:
    assert sorted(wanted(node, options).manifests) == sorted(set(COMPONENTS) - {"etcd"})


def test_an_etcd_that_is_newer_than_kubeadm_s_stays(node: Node) -> None:
    path = node.path(live("etcd"))
    path.write_text(path.read_text().replace("3.6.5-0", "3.6.12-0"))
    assert "etcd" not in wanted(node).manifests


def test_a_control_plane_that_is_skipped_stays(node: Node) -> None:
    assert wanted(node, Options("v1.35.4", "control_plane", skip_phases=("control-plane",))).manifests == {}


def test_flags_go_into_the_component_s_own_container(node: Node, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    flags = {"kube-apiserver": {"emulated-version": "1.34", "v": "4"}}
    found = wanted(node, Options("v1.35.4", "control_plane", patches=str(tmp_path / "mine"), extra_flags=flags))
    containers = _yamlread.load_mapping(found.manifests["kube-apiserver"])["spec"]["containers"]
    assert [container["name"] for container in containers] == ["beside", "kube-apiserver"]
    assert {"--emulated-version=1.34", "--v=4"} <= set(containers[1]["command"])
    assert found.write_patches(str(tmp_path / "ours"), str(tmp_path / "mine")) == str(tmp_path / "ours")
    assert [path.name for path in (tmp_path / "ours").iterdir()] == ["kube-apiserver~evergreen+json.json"]


def test_logs_are_raised_where_they_are_lower(node: Node, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    flags = {"kube-scheduler": {"v": "6"}}
    options = Options("v1.35.4", "control_plane", patches=str(tmp_path / "mine"), verbosity=4, extra_flags=flags)
    raised = {name: text.count("--v=4") for name, text in wanted(node, options).manifests.items()}
    assert raised == {"kube-apiserver": 1, "kube-controller-manager": 1, "kube-scheduler": 0, "etcd": 0}


def test_a_manifest_in_another_style_is_the_same(node: Node) -> None:
    node.path(live("etcd")).write_text("# of mine\n" + new("etcd"))
    assert "etcd" not in exchange.differing(node, {"etcd": new("etcd")})
    node.path(live("etcd")).unlink()
    assert exchange.differing(node, {"etcd": new("etcd")}) == ["etcd"]


WORD = "hunter" + "2x"


def test_the_difference_has_etcd_and_no_secrets(node: Node) -> None:
    def with_variable(text: str, value: str) -> str:
        return text.replace("    image: ", f"    env:\n    - name: LICENSE\n      value: |-\n{value}    image: ", 1)

    lines = "".join(f"        line {number}\n" for number in range(9))
    node.path(live("etcd")).write_text(with_variable(new("etcd"), f"{lines}        {WORD}1\n"))
    diff = exchange.manifest_diff(
        node, {"etcd": with_variable(new("etcd"), f"{lines}        {WORD}2\n"), "kube-scheduler": new("kube-scheduler")}
    )
    assert WORD not in diff
    assert "--- /etc/kubernetes/manifests/etcd.yaml" in diff
    assert "+    image: registry.k8s.io/kube-scheduler:v1.35.4" in diff


def test_the_kubelet_s_files_are_restored_where_no_swap_followed(node: Node) -> None:
    exchange.keep_kubelet_files(node)
    put(node.root, CONFIG, "new")
    put(node.root, INSTANCE, "made by kubeadm")
    # Of an interrupted upgrade: what is kept is the old state.
    exchange.restore_kubelet_files(node)
    assert (node.read(CONFIG), node.read(FLAGS), node.read(INSTANCE)) == ("old", "flags", None)
    assert not node.exists(KEPT)
    put(node.root, CONFIG, "new")
    exchange.restore_kubelet_files(node)
    assert node.read(CONFIG) == "new"


def test_copies_that_are_not_complete_are_none(node: Node) -> None:
    put(node.root, f"{KEPT}.part/config.yaml", "half of it")
    exchange.restore_kubelet_files(node)
    assert node.read(CONFIG) == "old"
    exchange.keep_kubelet_files(node)
    assert node.names(KEPT) == ["config.yaml", "kubeadm-flags.env"]
    exchange.forget_kubelet_files(node)
    assert node.names("/var/lib/evergreen-kubeadm/swap/old") == []


def seen(**changes: t.Any) -> Evidence:
    return Evidence(control_plane=True, kubelet_installed_version="1.35.4", **changes)


def test_a_swap_without_another_kubelet_has_what_changes(node: Node) -> None:
    exchange.keep_kubelet_files(node)
    goal = Wanted({name: new(name) for name in COMPONENTS[:3]}, FACTS, {}, {})
    node.path(live("kube-scheduler")).write_text(new("kube-scheduler"))
    swap = exchange.stage(node, goal, ["192.0.2.11", "2001:db8::11"], seen(kubelet_running_version="1.35.4"), OPTIONS)
    assert [pod.name for pod in swap.pods] == ["kube-apiserver", "kube-controller-manager"]
    assert (swap.purpose, swap.notice_s, swap.grace_s) == ("v1.35.4", 2.0, 10.0)
    assert swap.server and (swap.server.addresses, swap.server.port) == (("192.0.2.11", "2001:db8::11"), 6443)
    assert swap.kubelet and swap.kubelet.kept_binary == ""
    assert swap.kubelet.files == (
        KeptFile(CONFIG, f"{KEPT}/config.yaml"),
        KeptFile(FLAGS, f"{KEPT}/kubeadm-flags.env"),
        KeptFile(INSTANCE, ""),
    )
    assert node.read(swap.pods[0].new) == new("kube-apiserver")
    mode = node.path(live("kube-apiserver")).stat().st_mode
    assert node.path(swap.pods[0].new).stat().st_mode == mode


def test_a_swap_with_another_kubelet_has_all(node: Node) -> None:
    # None runs, so that there is none to be kept.
    swap = exchange.stage(node, Wanted({"kube-scheduler": new("kube-scheduler")}, FACTS, {}, {}), [], seen(), OPTIONS)
    assert [pod.name for pod in swap.pods] == list(COMPONENTS)
    assert node.read(swap.pods[3].new) == node.read(live("etcd"))
    assert node.read(swap.pods[2].new) == new("kube-scheduler")


def test_connections_stay_where_the_api_server_does(node: Node) -> None:
    goal = Wanted({"kube-scheduler": new("kube-scheduler")}, FACTS, {}, {})
    swap = exchange.stage(node, goal, [], seen(kubelet_running_version="1.35.4"), OPTIONS)
    assert [pod.name for pod in swap.pods] == ["kube-scheduler"]
    assert swap.server is None


@pytest.mark.parametrize(
    ("flags", "of_node", "expected"),
    [
        ({}, [], ("192.0.2.11",)),
        ({"bind-address": "0.0.0.0"}, ["192.0.2.11", "2001:db8::1"], ("192.0.2.11", "2001:db8::1")),
        # Another address of the node may be that of a load balancer on the same port.
        ({"bind-address": "192.0.2.12"}, ["192.0.2.11"], ("192.0.2.12",)),
    ],
)
def test_addresses(flags: dict[str, str], of_node: list[str], expected: tuple[str, ...]) -> None:
    assert exchange.addresses(flags, "192.0.2.11", of_node) == expected
