# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Try the installed kubelet with the flags and the configuration that its unit gives it, beside the one that runs.

It is started with a kubeconfig that is not there. A kubelet reads its flags
and its configuration and validates both before it misses that one, and has
done nothing by then (cmd/kubelet/app/server.go).
"""

from __future__ import annotations

import re
import shlex
import subprocess
import time

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.decisions import UpgradeError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import redact
from ansible_collections.evergreen.kubeadm.plugins.module_utils._systemd import systemctl

ABSENT = "/run/evergreen-kubeadm/absent.kubeconfig"
RUNS_S = 20
_TIMEOUT_S = 60.0
_MOST = 600
_ARGV = re.compile(r"argv\[\]=(.*?) ; ignore_errors=")
_FILE = re.compile(r"^(?P<path>.+) \(ignore_errors=(?P<ignore>yes|no)\)$")
_FAILED = re.compile(
    r'"command failed" err="(?P<klog>(?:[^"\\]|\\.)*)"'
    r'|"msg":"command failed".*?"err":"(?P<json>(?:[^"\\]|\\.)*)"'
    r"|^Error: (?P<plain>.+)$"
)


def try_kubelet(node_name: str) -> None:
    """Raises UpgradeError, with the kubelet's own words, where it does not accept its flags and configuration."""
    systemctl("daemon-reload")
    shown = _output(["systemctl", "show", "kubelet", "--property=ExecStart,Environment,EnvironmentFiles"])
    argv = command(shown)
    if not argv:
        raise UpgradeError(
            f"systemd on {node_name} has no unit kubelet that starts a program.",
            hint="See systemctl cat kubelet. Nothing was stopped.",
        )
    began = time.monotonic()
    said = refusal(_output(argv))
    # One that runs for so long accepts them, whatever it waits for.
    if said and time.monotonic() - began < RUNS_S:
        raise UpgradeError(
            f"The installed kubelet does not start on {node_name} with its flags and its configuration: {said}.",
            hint="Nothing was stopped, and the kubelet's files are as before. Correct what it names, in "
            "/var/lib/kubelet/kubeadm-flags.env, /etc/default/kubelet (or /etc/sysconfig/kubelet), the ConfigMap "
            "kubelet-config or the patches, then run this again.",
        )


def command(shown: str) -> list[str]:
    """The trial, from what ``systemctl show`` tells of the unit; empty where there is no program."""
    words: list[str] = []
    setting: list[str] = []
    for line in shown.splitlines():
        key, _equals, value = line.partition("=")
        found, file = _ARGV.search(value), _FILE.match(value)
        if key == "ExecStart" and found:
            words = shlex.split(found[1])
        elif key == "Environment":
            setting += [f"--setenv={assignment}" for assignment in shlex.split(value)]
        elif key == "EnvironmentFiles" and file:
            setting.append(f"--property=EnvironmentFile={'-' if file['ignore'] == 'yes' else ''}{file['path']}")
    if not words:
        return []
    run = ["systemd-run", "--pipe", "--wait", "--collect", "--quiet", f"--property=RuntimeMaxSec={RUNS_S}", *setting]
    # The last one of a flag counts. With a bootstrap kubeconfig it would ask for that one instead.
    return [*run, *words, "--bootstrap-kubeconfig=", f"--kubeconfig={ABSENT}"]


def refusal(output: str) -> str:
    """Why a kubelet that was tried does not start; empty where it only misses the kubeconfig."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    found = [match for line in lines if (match := _FAILED.search(line))]
    said = found[-1][found[-1].lastgroup or 0].replace('\\"', '"') if found else " | ".join(lines[-3:])
    if ABSENT in said and "no such file" in said:
        return ""
    # An error of the configuration ends with all of it.
    return redact(said)[:_MOST].rstrip(".") or "it says nothing"


def _output(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UpgradeError(f"{argv[0]} did not end: {error}.", hint="Nothing was stopped.") from None
    return (done.stdout + done.stderr).decode("utf-8", "replace")
