# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Flags that a static pod has for a time: what is added, what is kept, what goes."""

from __future__ import annotations

import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import node as node_paths
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.decisions import StaticPodError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.flags import (
    Note,
    Wanted,
    add,
    note_only,
    noted,
    take_out,
    with_words,
    words_of,
)
from ansible_collections.evergreen.kubeadm.plugins.modules import static_pod_flags

MANIFEST = """\
apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 192.0.2.11:6443
  name: kube-apiserver
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=192.0.2.11
    # An administrator's comment.
    - --etcd-servers=https://127.0.0.1:2379
    - --goaway-chance=0.001
    image: registry.k8s.io/kube-apiserver:v1.34.4
    livenessProbe:
      httpGet:
        path: /livez
    name: kube-apiserver
  hostNetwork: true
status: {}
"""
DELAY, OTHERS = "--shutdown-delay-duration=5s", "--etcd-servers=https://192.0.2.12:2379,https://192.0.2.13:2379"
GRACEFUL = Wanted(
    {"shutdown-delay-duration": "5s"},
    {"etcd-servers": ["https://127.0.0.1:2379", "https://192.0.2.12:2379", "https://192.0.2.13:2379"]},
)


def test_what_is_added_comes_last_and_goes_without_a_trace() -> None:
    change = add(MANIFEST, {}, "graceful", GRACEFUL)
    assert change.added == [DELAY, OTHERS]
    assert change.note == {"graceful": [DELAY, OTHERS]}
    assert change.text == MANIFEST.replace(
        "    - --goaway-chance=0.001\n", f"    - --goaway-chance=0.001\n    - {DELAY}\n    - {OTHERS}\n"
    )
    back = take_out(change.text, change.note, "graceful")
    assert (back.text, back.note, back.removed) == (MANIFEST, {}, [DELAY, OTHERS])


def test_a_second_time_changes_nothing() -> None:
    first = add(MANIFEST, {}, "graceful", GRACEFUL)
    again = add(first.text, first.note, "graceful", GRACEFUL)
    assert (again.text, again.note, again.added, again.removed) == (first.text, first.note, [], [])


def test_a_flag_of_the_administrator_keeps_its_value() -> None:
    change = add(MANIFEST, {}, "graceful", Wanted({"goaway-chance": "0.5", "shutdown-delay-duration": "5s"}))
    assert change.kept == {"goaway-chance": "0.001"}
    assert change.added == [DELAY]
    assert "--goaway-chance=0.001" in take_out(change.text, change.note, "graceful").text


def test_the_same_value_is_neither_added_nor_taken_out() -> None:
    change = add(MANIFEST, {}, "graceful", Wanted({"goaway-chance": "0.001"}))
    assert (change.text, change.note, change.kept) == (MANIFEST, {}, {})


def test_what_is_wanted_no_more_goes() -> None:
    first = add(MANIFEST, {}, "graceful", GRACEFUL)
    later = add(first.text, first.note, "graceful", Wanted({"shutdown-delay-duration": "5s"}))
    assert (later.added, later.removed) == ([], [OTHERS])
    assert later.note == {"graceful": [DELAY]}


def test_what_two_purposes_need_stays_until_both_are_done() -> None:
    first = add(MANIFEST, {}, "graceful", Wanted({"shutdown-delay-duration": "5s"}))
    # The second finds the flag there, as if it were the administrator's, and has nothing to take out.
    second = add(first.text, first.note, "upgrade", Wanted({"shutdown-delay-duration": "5s", "v": "4"}))
    assert second.note == {"graceful": [DELAY], "upgrade": ["--v=4"]}
    both = {"graceful": [DELAY], "upgrade": [DELAY, "--v=4"]}
    assert take_out(second.text, both, "graceful").removed == []
    assert noted(both) == [DELAY, "--v=4"]


def test_what_kubeadm_wrote_anew_without_the_flags() -> None:
    back = take_out(MANIFEST, {"graceful": [DELAY, OTHERS]}, "graceful")
    assert (back.text, back.note, back.removed) == (MANIFEST, {}, [])


def test_what_a_killed_task_noted_and_did_not_write() -> None:
    change = add(MANIFEST, {"graceful": [DELAY, OTHERS]}, "graceful", GRACEFUL)
    assert change.added == [DELAY, OTHERS]


@pytest.mark.parametrize("value", ["a b", 'x"y', "a: b", "#no", "{}", "*"])
def test_values_that_need_quotes(value: str) -> None:
    change = add(MANIFEST, {}, "graceful", Wanted({"some-flag": value}))
    assert change.added == words_of({"some-flag": value})
    assert take_out(change.text, change.note, "graceful").text == MANIFEST


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("kind: Pod\n", id="no spec"),
        pytest.param(MANIFEST.replace("  hostNetwork", "  - command:\n    - x\n  hostNetwork"), id="two containers"),
        pytest.param(
            MANIFEST.split("  - command:", maxsplit=1)[0] + "  - command: [kube-apiserver, --v=1]\n    image: x\n",
            id="flow",
        ),
        pytest.param('{"spec": {"containers": [{"command": ["kube-apiserver"]}]}}', id="JSON"),
        pytest.param(MANIFEST + "---\nspec:\n  containers:\n  - command:\n    - x\n", id="two documents"),
    ],
)
def test_manifests_that_are_left_alone(text: str) -> None:
    with pytest.raises(StaticPodError):
        add(text, {}, "graceful", GRACEFUL)


def other_forms() -> t.Iterator[t.Any]:
    yield pytest.param(MANIFEST.replace("\n    - ", "\n      - "), id="deeper items")
    yield pytest.param(MANIFEST.replace("  - command:", "  - name: a\n    command:"), id="command is not first")
    yield pytest.param(MANIFEST.replace("    image:", "    args:\n    - --v=2\n    image:"), id="arguments as well")
    yield pytest.param(MANIFEST.replace("--goaway-chance=0.001\n", "--a=b\n      c\n"), id="a word over two lines")


@pytest.mark.parametrize("text", other_forms())
def test_other_forms_of_manifests(text: str) -> None:
    change = add(text, {}, "graceful", GRACEFUL)
    assert change.added == [DELAY, OTHERS]
    assert take_out(change.text, change.note, "graceful").text == text


def logging(*words: str) -> str:
    """The manifest of a component that has these words of its own."""
    return MANIFEST.replace("    image:", "".join(f"    - {word}\n" for word in words) + "    image:")


@pytest.mark.parametrize(
    ("own", "wanted", "added", "kept"),
    [
        ([], 5, ["--v=5"], {}),
        ([], 0, [], {}),
        (["--v=2"], 5, ["--v=5"], {}),
        (["-v=2"], 5, ["--v=5"], {}),
        (["-v", '"2"'], 5, ["--v=5"], {}),
        (["--v=5"], 5, [], {}),
        (["--v=7"], 5, [], {"v": "7"}),
        (["--v=7", "--v=2"], 5, ["--v=5"], {}),
        (["--v=7"], 0, [], {}),
    ],
)
def test_the_level_of_the_log_is_raised_and_comes_back(
    own: list[str], wanted: int, added: list[str], kept: dict[str, str]
) -> None:
    text = logging(*own)
    change = add(text, {}, "graceful", Wanted(verbosity=wanted))
    assert (change.added, change.kept) == (added, kept)
    again = add(change.text, change.note, "graceful", Wanted(verbosity=wanted))
    assert (again.text, again.note, again.added, again.removed) == (change.text, change.note, [], [])
    assert take_out(change.text, change.note, "graceful").text == text


def test_the_same_word_of_the_administrator_stays() -> None:
    """kubeadm wrote it anew from its configuration, and what was noted came after it."""
    text = logging("--v=5", "--profiling=false", "--v=5")
    assert take_out(text, {"graceful": ["--v=5"]}, "graceful").text == logging("--v=5", "--profiling=false")


@pytest.mark.parametrize(
    ("text", "note", "wanted", "expected"),
    [
        (MANIFEST, {}, Wanted(verbosity=5), {"graceful": ["--v=5"]}),
        (MANIFEST, {"graceful": ["--v=5"]}, Wanted(verbosity=5), {"graceful": ["--v=5"]}),
        # kubeadm has written it.
        (logging("--v=5"), {"graceful": ["--v=5"]}, Wanted(verbosity=5), {"graceful": ["--v=5"]}),
        # Another level, while the manifest still has the first: the last one holds.
        (logging("--v=8"), {"graceful": ["--v=8"]}, Wanted(verbosity=5), {"graceful": ["--v=8", "--v=5"]}),
        (MANIFEST, {"graceful": ["--v=8"]}, Wanted(verbosity=5), {"graceful": ["--v=5"]}),
        # What the manifest has besides, and what is of another purpose.
        (logging(DELAY, "--v=5"), {"graceful": [DELAY, "--v=5"]}, Wanted(verbosity=5), {"graceful": [DELAY, "--v=5"]}),
        (MANIFEST, {"upgrade": ["--a=b"]}, Wanted(verbosity=5), {"upgrade": ["--a=b"], "graceful": ["--v=5"]}),
        # Nothing is wanted: what the manifest has is still to be taken out.
        (logging("--v=5"), {"graceful": ["--v=5"]}, Wanted(), {"graceful": ["--v=5"]}),
        (MANIFEST, {"graceful": ["--v=5"]}, Wanted(), {}),
        (logging("--v=7"), {}, Wanted(verbosity=5), {}),
    ],
)
def test_what_is_noted_for_the_next_manifest(text: str, note: Note, wanted: Wanted, expected: Note) -> None:
    change = note_only(text, note, "graceful", wanted)
    assert (change.text, change.added, change.removed) == (text, [], [])
    assert change.note == expected
    assert note_only(text, change.note, "graceful", wanted).note == expected


def test_what_is_noted_comes_with_a_manifest_and_goes() -> None:
    note = note_only(logging("--v=2"), {}, "graceful", Wanted(verbosity=5)).note
    new = with_words(logging("--v=2"), noted(note))
    assert new == logging("--v=2", "--v=5")
    assert with_words(new, noted(note)) == new
    assert take_out(new, note, "graceful").text == logging("--v=2")


@pytest.mark.parametrize("note", [{}, {"upgrade": ["--v=5"]}])
def test_a_manifest_that_has_nothing_of_a_purpose_need_not_be_readable(note: Note) -> None:
    change = take_out("no: pod\n", note, "graceful")
    assert (change.text, change.note, change.removed) == ("no: pod\n", note, [])
    assert with_words("no: pod\n", []) == "no: pod\n"
    with pytest.raises(StaticPodError):
        take_out("no: pod\n", {"graceful": ["--v=5"]}, "graceful")


def test_the_diff_of_the_module_has_the_words_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter" + "2x"
    text = MANIFEST.replace("    image:", f"    env:\n    - name: LICENSE\n      value: {secret}\n    image:")
    (tmp_path / "kube-apiserver.yaml").write_text(text)
    monkeypatch.setattr(node_paths, "MANIFESTS", str(tmp_path))
    params = {
        "name": ["kube-apiserver"],
        "state": "present",
        "purpose": "graceful",
        "restart": "component",
        "flags": {"shutdown-delay-duration": "5s"},
        "add_to": {},
        "verbosity": 0,
        "timeout_s": 1,
    }
    result = static_pod_flags.run(t.cast("t.Any", types.SimpleNamespace(params=params, check_mode=True)))
    (diff,) = result["diff"]
    assert (diff["before"], diff["after"]) == ("", f"{DELAY}\n")
    assert secret not in str(result)
