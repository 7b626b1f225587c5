# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree of files stands for the node. Its logs are made and taken away as a kubelet does."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics import keeping
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.gathering import gather
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.keeping import LogKeeper, surplus
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.pod_logs import KEPT, PodLog, kept_logs
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.sources import pod_log_sources
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

OLD = "/var/log/pods/kube-system_kube-apiserver-cp1_0a1b2c3d4e5f60718293a4b5c6d7e8f9"
NEW = "/var/log/pods/kube-system_kube-apiserver-cp1_1111111111111111111111111111aaaa"
OTHER = "/var/log/pods/kube-system_etcd-cp1_2222222222222222222222222222bbbb"
UNKNOWN = "2026-01-31T12:00:00.5Z stderr F Error: unknown flag: --no-such-flag\n"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path)
    put(made, f"{OLD}/kube-apiserver/0.log", "the old one\n")
    put(made, f"{OTHER}/etcd/0.log", "etcd\n")
    return made


def put(node: Node, path: str, text: str) -> None:
    file = node.path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def take_away(node: Node, pod: str) -> None:
    shutil.rmtree(node.path(pod))


def wait_held(node: Node, path: str) -> None:
    """Until a descriptor of this process is that of the file."""
    wanted = node.path(path).stat()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for name in os.listdir("/proc/self/fd"):
            try:
                # A number of an inode alone may be that of a pipe.
                if os.path.samestat(os.stat(f"/proc/self/fd/{name}"), wanted):
                    return
            except OSError:
                continue
        time.sleep(0.05)
    raise AssertionError(f"{path} is not held")


def kept(node: Node) -> dict[str, str]:
    return {log.name: node.path(log.path).read_text() for log in kept_logs(node)}


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_what_a_pod_that_is_gone_said_last_is_gathered(node: Node) -> None:
    before = open_files()
    with LogKeeper(node) as logs:
        take_away(node, OLD)
        put(node, f"{NEW}/kube-apiserver/3.log", UNKNOWN)
        wait_held(node, f"{NEW}/kube-apiserver/3.log")
        with node.path(f"{NEW}/kube-apiserver/3.log").open("a") as file:
            file.write("--token " + "correct" + "horse7 usage\n")
        take_away(node, NEW)
        put(node, f"{OLD}/kube-apiserver/0.log", "the old one is back\n")
        assert f"is kept in {KEPT}" in logs.save()
    assert open_files() == before
    name = "pod-kube-apiserver-cp1-11111111-kube-apiserver-3.log"
    assert kept(node)[name] == UNKNOWN + "--token (hidden) usage\n"
    # That of etcd was there before and is there now.
    assert not [each for each in kept(node) if "etcd" in each]
    assert all(node.path(f"{KEPT}/{each}").stat().st_mode & 0o777 == 0o600 for each in kept(node))
    found = {
        each.name: each.text
        for each in gather(pod_log_sources(node, 30), most_each=1 << 18, most_all=1 << 20, deadline=Deadline(30))
    }
    assert found[name] == kept(node)[name]
    # What is there is read where it is.
    assert found["pod-kube-apiserver-cp1-0a1b2c3d-kube-apiserver-0.log"] == "the old one is back\n"
    assert found["pod-etcd-cp1-22222222-etcd-0.log"] == "etcd\n"


def test_a_log_that_goes_between_listing_and_reading(node: Node) -> None:
    with LogKeeper(node) as logs:
        put(node, f"{NEW}/kube-apiserver/3.log", UNKNOWN)
        logs.save()
    sources = pod_log_sources(node, 30)
    take_away(node, NEW)
    texts = [each.text for each in gather(sources, most_each=1 << 18, most_all=1 << 20, deadline=Deadline(30))]
    assert UNKNOWN in texts


def test_of_a_container_that_starts_again_and_again_the_last_two_are_kept(node: Node) -> None:
    before = open_files()
    with LogKeeper(node) as logs:
        for number in range(4):
            put(node, f"{NEW}/kube-apiserver/{number}.log", f"run {number}\n")
            os.utime(node.path(f"{NEW}/kube-apiserver/{number}.log"), (number + 1, number + 1))
            wait_held(node, f"{NEW}/kube-apiserver/{number}.log")
            node.path(f"{NEW}/kube-apiserver/{number - 2}.log").unlink(missing_ok=True)
        take_away(node, NEW)
        # Two of the new pod, and one of each of those that were there.
        assert open_files() - before <= 4
        logs.save()
    assert sorted(text for name, text in kept(node).items() if "1111" in name) == ["run 2\n", "run 3\n"]
    # Their age is that of what was said, so that an earlier run's do not count for a later one.
    assert sorted(log.written for log in kept_logs(node)) == [3.0, 4.0]


def test_a_log_that_was_rotated(node: Node) -> None:
    log = node.path(f"{OTHER}/etcd/0.log")
    with LogKeeper(node) as logs:
        log.rename(log.with_name("0.log.20260131-120000"))
        put(node, f"{OTHER}/etcd/0.log", "after it was rotated\n")
        wait_held(node, f"{OTHER}/etcd/0.log")
        take_away(node, OTHER)
        logs.save()
    assert kept(node)["pod-etcd-cp1-22222222-etcd-0.log"] == "after it was rotated\n"


def test_only_the_end_of_a_long_log_is_kept(node: Node) -> None:
    with LogKeeper(node) as logs:
        put(node, f"{NEW}/kube-apiserver/0.log", "".join(f"line {number}\n" for number in range(100_000)))
        logs.save()
    (text,) = kept(node).values()
    assert len(text) <= keeping.BYTES_EACH
    assert text.startswith("line ") and text.endswith("line 99999\n")


def test_where_they_cannot_be_written_a_sentence_says_so(node: Node) -> None:
    with LogKeeper(node) as logs:
        put(node, f"{NEW}/kube-apiserver/0.log", UNKNOWN)
        # A file in the place of the folder, as root may write to every folder.
        put(node, KEPT, "")
        assert f"could not be kept in {KEPT}: File exists" in logs.save()


def test_where_no_pod_is_another_one_nothing_is_kept(node: Node) -> None:
    with LogKeeper(node) as logs:
        assert logs.save() == ""
    assert not node.exists(KEPT)


def test_what_was_kept_goes_with_the_next_run(node: Node) -> None:
    with LogKeeper(node) as logs:
        put(node, f"{NEW}/kube-apiserver/0.log", UNKNOWN)
        logs.save()
    assert kept(node)
    with LogKeeper(node):
        assert not node.exists(KEPT)
    assert not node.exists(KEPT)
    keeping.forget(node)


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ([], []),
        ([("a", 0, 5.0), ("a", 1, 6.0), ("b", 0, 1.0)], []),
        ([("a", 0, 5.0), ("a", 1, 6.0), ("a", 2, 7.0), ("b", 0, 1.0)], ["a-0.log"]),
        # By when they were written, not by their numbers, which may be of two digits.
        ([("a", 9, 5.0), ("a", 10, 6.0), ("a", 11, 7.0)], ["a-9.log"]),
        ([(f"c{number}", 0, float(number)) for number in range(34)], ["c1-0.log", "c0-0.log"]),
    ],
)
def test_surplus(logs: list[tuple[str, int, float]], expected: list[str]) -> None:
    held = [PodLog(container, f"{container}-{number}.log", "/x", at) for container, number, at in logs]
    assert surplus(held) == expected
