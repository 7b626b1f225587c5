# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Ask programs of Kubernetes what they know, without starting them.

Each question ends before the program does anything: with ``--help`` or
``--version``, or with a configuration that it must refuse. Beyond that they run
as nobody, with a clean environment and a time limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs import answers

_NOBODY = 65534
_TIMEOUT_S = 30.0
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
ASKED = ("kubelet", *CONTROL_PLANE, "kube-proxy")


class Used(t.NamedTuple):
    """What is in use of one program, and has to be known of its target."""

    flags: frozenset[str] = frozenset()
    gates: frozenset[tuple[str, bool]] = frozenset()


class NoAnswer(Exception):
    """A program could not be run."""


class Program:
    """One program file, under the name that it is to be called by."""

    def __init__(self, name: str, path: Path, scratch: Path) -> None:
        """`scratch` is a folder that others may read, for configurations."""
        self.name = name
        self.path = path
        self._scratch = scratch

    def say(self, *arguments: str) -> str:
        """What it prints. Raises NoAnswer."""
        as_nobody: dict[str, t.Any] = {}
        if os.geteuid() == 0:
            as_nobody = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        try:
            done = subprocess.run(
                [self.name, *arguments],
                executable=str(self.path),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/nonexistent"},
                timeout=_TIMEOUT_S,
                check=False,
                **as_nobody,
            )
        except subprocess.TimeoutExpired:
            raise NoAnswer(f"{self.name} {' '.join(arguments)} did not end within {_TIMEOUT_S:.0f} s") from None
        except (OSError, subprocess.SubprocessError) as error:
            raise NoAnswer(f"{self.path} cannot be run: {error}") from error
        return done.stdout.decode("utf-8", "replace")

    def help(self) -> answers.Help:
        """Raises NoAnswer, also where what it printed is no help."""
        text = self.say("--help")
        found = answers.read_help(text)
        if not found["flags"]:
            raise NoAnswer(f"{self.name} --help lists no flags, but says: {text.strip()[:200]}")
        return found

    def flag(self, name: str) -> str:
        """Whether it knows a flag. Raises NoAnswer."""
        return answers.flag_answer(self.say(f"--{name}=true", "--version"), name)

    def gate(self, name: str, value: bool) -> str:
        """Whether it takes a feature gate with this value. Raises NoAnswer."""
        setting = f"--feature-gates={name}={str(value).lower()}"
        if self.name == "kubelet":
            # It prints its version before it looks at the gates; of a configuration that is missing it complains after.
            text = self.say(setting, f"--config={self._scratch / 'no-such-file'}")
        elif self.name == "kube-proxy":
            # It takes gates from its configuration only, where one is given.
            text = self.say(f"--config={self._kube_proxy_config({name: value})}", "--hostname-override=nobody")
        else:
            text = self.say(setting, "--version")
        return answers.gate_answer(text, name)

    def configuration(self, config: dict[str, t.Any]) -> answers.ConfigAnswer | None:
        """What the kubelet says of a KubeletConfiguration; None where it did not come to its end. Raises NoAnswer."""
        # An unknown gate would end the kubelet before it looks at anything else; gates are asked for one by one.
        rest = {key: value for key, value in config.items() if key != "featureGates"}
        kind = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
        path = self._write("kubelet.json", {**kind, **rest, **answers.KUBELET_GUARDS})
        text = self.say(f"--config={path}")
        found = answers.kubelet_config_answer(text)
        return found if found["errors"] or answers.was_guarded(text) else None

    def _kube_proxy_config(self, gates: dict[str, bool]) -> Path:
        kind = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}
        return self._write("kube-proxy.json", {**kind, **answers.KUBE_PROXY_GUARDS, "featureGates": gates})

    def _write(self, name: str, value: dict[str, t.Any]) -> Path:
        path = self._scratch / name
        path.write_text(json.dumps(value), encoding="utf-8")
        path.chmod(0o644)
        return path


def ask(program: Program, used: Used) -> dict[str, t.Any]:
    """Everything that the target is asked of one program, in the shape of the module's RETURN. Raises NoAnswer."""
    found = program.help()
    hidden = sorted(name for name in used.flags if name not in found["flags"])
    return {
        "path": str(program.path),
        "error": "",
        **found,
        "asked_flags": {name: program.flag(name) for name in hidden},
        "asked_feature_gates": {
            f"{name}={str(value).lower()}": program.gate(name, value) for name, value in sorted(used.gates)
        },
    }


def not_asked(why: str) -> dict[str, t.Any]:
    """The same shape for a program that could not be asked."""
    return {
        "path": "",
        "error": why,
        **answers.read_help(""),
        "asked_flags": {},
        "asked_feature_gates": {},
    }
