# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trial of a kubelet: what is run, and what its words mean."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubelet_trial import ABSENT, command, refusal

SHOWN = """\
EnvironmentFiles=/var/lib/kubelet/kubeadm-flags.env (ignore_errors=yes)
EnvironmentFiles=/etc/default/kubelet (ignore_errors=no)
ExecStart={ path=/usr/bin/kubelet ; argv[]=/usr/bin/kubelet $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS ; \
ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/b --kubeconfig=/k" KUBELET_CONFIG_ARGS=--config=/c
"""


def test_the_command_is_that_of_the_unit() -> None:
    assert command(SHOWN)[5:] == [
        "--property=RuntimeMaxSec=20",
        "--property=EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env",
        "--property=EnvironmentFile=/etc/default/kubelet",
        "--setenv=KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/b --kubeconfig=/k",
        "--setenv=KUBELET_CONFIG_ARGS=--config=/c",
        *["/usr/bin/kubelet", "$KUBELET_CONFIG_ARGS", "$KUBELET_KUBEADM_ARGS"],
        *["--bootstrap-kubeconfig=", f"--kubeconfig={ABSENT}"],
    ]
    assert command("Environment=\n") == []


KLOG = 'E0131 12:00:00.000000    4711 run.go:72] "command failed" err="{}"\n'
MISSED = f"failed to run Kubelet: unable to load kubeconfig: stat {ABSENT}: no such file or directory"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (f"I0131 12:00:00.000000    4711 server.go:529] Version\n{KLOG.format(MISSED)}", ""),
        (f'{{"ts":1.0,"msg":"command failed","err":"{MISSED}"}}\n', ""),
        (f"Error: {MISSED}\n", ""),
        # A verbose log has the flags.
        (
            f'FLAG: --kubeconfig="{ABSENT}"\n{KLOG.format("failed to validate: no such file")}',
            "failed to validate: no such file",
        ),
        (
            KLOG.format("failed to parse kubelet flag: unknown flag: --pod-infra-container-image"),
            "failed to parse kubelet flag: unknown flag: --pod-infra-container-image",
        ),
        (KLOG.format('strict decoding error: unknown field \\"nope\\"'), 'strict decoding error: unknown field "nope"'),
        ("Error: unknown flag: --x\n", "unknown flag: --x"),
        (
            "one\ntwo\nFailed to find executable kubelet\nit ends.\n",
            "two | Failed to find executable kubelet | it ends",
        ),
        ("", "it says nothing"),
    ],
)
def test_why_a_kubelet_does_not_start(said: str, why: str) -> None:
    assert refusal(said) == why


def test_the_configuration_in_an_error_is_cut_off() -> None:
    assert len(refusal(KLOG.format("x" * 5000))) == 600
