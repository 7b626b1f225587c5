# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of what the programs say. The texts are excerpts of what 1.34.4 and 1.35.4 printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs import answers

FIXTURES = Path(__file__).parent / "fixtures"


def read(name: str) -> answers.Help:
    return answers.read_help((FIXTURES / name).read_text())


def test_flags_of_the_kubelet() -> None:
    old, new = read("kubelet-1.34.4.help"), read("kubelet-1.35.4.help")
    assert set(old["flags"]) - set(new["flags"]) == {"pod-infra-container-image"}
    assert {"address", "config", "node-ip", "help", "v", "version"} <= set(new["flags"])
    assert new["deprecated_flags"]["address"].startswith("This parameter should be set via the config file")
    assert "cadvisor" in new["deprecated_flags"]["containerd"]
    assert not {"config", "node-ip"} & set(new["deprecated_flags"])
    assert new["admission_plugins"] == []


def test_feature_gates() -> None:
    of_kubelet, of_server = read("kubelet-1.35.4.help"), read("kube-apiserver-1.35.4.help")
    assert of_kubelet["feature_gates"]["SELinuxMount"] == {"stage": "BETA", "default": False}
    assert of_kubelet["feature_gates"]["WindowsGracefulNodeShutdown"] == {"stage": "BETA", "default": True}
    # With the name of the component before it.
    assert of_server["feature_gates"]["APIServerIdentity"] == {"stage": "BETA", "default": True}
    assert of_server["feature_gates"]["AllAlpha"] == {"stage": "ALPHA", "default": False}


def test_admission_plugins() -> None:
    old, new = read("kube-apiserver-1.34.4.help"), read("kube-apiserver-1.35.4.help")
    assert {"AlwaysAdmit", "NodeRestriction", "ValidatingAdmissionWebhook"} <= set(old["admission_plugins"])
    assert "NodeDeclaredFeatureValidator" in set(new["admission_plugins"]) - set(old["admission_plugins"])
    assert all(name.isalnum() for name in new["admission_plugins"])


@pytest.mark.parametrize("text", ["", "sh: kubelet: not found", "Error: unknown command"])
def test_what_is_no_help(text: str) -> None:
    assert answers.read_help(text) == {
        "flags": [],
        "deprecated_flags": {},
        "feature_gates": {},
        "admission_plugins": [],
    }


LOG = 'E1121 20:32:46.331075   12033 run.go:72] "command failed" err='


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("Error: unknown flag: --cloud-config\n", "cloud-config", "unknown"),
        (f'{LOG}"failed to parse kubelet flag: unknown flag: --cloud-config"', "cloud-config", "unknown"),
        ("Error: unknown flag: --cloud-config\n", "cloud", "known"),
        ("Kubernetes v1.35.4\n", "cloud-config", "known"),
        ('Error: invalid argument "true" for "--v" flag: strconv.ParseInt\n', "v", "known"),
    ],
)
def test_flag_answer(text: str, name: str, expected: str) -> None:
    assert answers.flag_answer(text, name) == expected


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (f'{LOG}"unrecognized feature gate: CPUManager"', "CPUManager", "unknown"),
        (f'{LOG}"unrecognized feature gate: CPUManager"', "CPU", "known"),
        ("panic: failed to merge, error: unrecognized feature gate: CPUManager", "CPUManager", "unknown"),
        (f'{LOG}"cannot set feature gate NodeSwap to false, feature is locked to true"', "NodeSwap", "locked"),
        ("Setting GA feature gate NodeSwap=true. It will be removed in a future release.", "NodeSwap", "known"),
        (f'{LOG}"failed to load kubelet config file, path: /x, error: no such file"', "NodeSwap", "known"),
    ],
)
def test_gate_answer(text: str, name: str, expected: str) -> None:
    assert answers.gate_answer(text, name) == expected


REFUSED = (
    'I1121 20:34:13.105401 14361 codec.go:102] "Using lenient decoding as strict decoding failed" '
    'err="strict decoding error: unknown field \\"noSuchField\\", unknown field \\"other\\""\n'
    f'{LOG}"failed to validate kubelet configuration, error: [{{}}invalid configuration: eventBurst (--event-burst) -1 '
    "must not be a negative number, invalid configuration: healthzPort (--healthz-port) 70000 must be between 1 and "
    '65535, inclusive{}], path: &TypeMeta{{Kind:,APIVersion:,}}"\n'
)


@pytest.mark.parametrize(
    ("before", "after", "errors"),
    [
        ("", "", []),
        (
            "",
            ", invalid configuration: maxPods (--max-pods) -3 must not be a negative number",
            ["maxPods (--max-pods) -3 must not be a negative number"],
        ),
        # That of the node, not of the configuration.
        ("", ", kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is unsupported", []),
        (
            "invalid configuration: memoryThrottlingFactor 7 must be greater than 0 and less than or equal to 1.0, ",
            "",
            ["memoryThrottlingFactor 7 must be greater than 0 and less than or equal to 1.0"],
        ),
    ],
)
def test_kubelet_config(before: str, after: str, errors: list[str]) -> None:
    text = REFUSED.format(before, after)
    assert answers.was_guarded(text)
    assert answers.kubelet_config_answer(text) == {"unknown_fields": ["noSuchField", "other"], "errors": errors}


def test_a_kubelet_config_that_cannot_be_read() -> None:
    text = (
        f'{LOG}"failed to load kubelet config file, path: /x/kubelet.json, error: no kind \\"X\\" is registered"\n'
        "panic: failed to merge, error: unrecognized feature gate: X\n\ngoroutine 1 [running]:\n"
    )
    (error,) = answers.kubelet_config_answer(text)["errors"]
    assert "no kind" in error
    assert not answers.was_guarded(text)


def test_image_list() -> None:
    text = (
        "registry.k8s.io/kube-apiserver:v1.35.4\nregistry.k8s.io/coredns/coredns:v1.13.1\n"
        'W1121 version.go:109] could not fetch: "https://dl.k8s.io/release/stable-1.txt": no such host\n'
        "registry.example:5000/etcd:3.6.6-0\n"
    )
    assert answers.image_list(text) == [
        {"name": "kube-apiserver", "image": "registry.k8s.io/kube-apiserver:v1.35.4", "tag": "v1.35.4"},
        {"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.13.1", "tag": "v1.13.1"},
        {"name": "etcd", "image": "registry.example:5000/etcd:3.6.6-0", "tag": "3.6.6-0"},
    ]
