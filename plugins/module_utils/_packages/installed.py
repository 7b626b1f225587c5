# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The Kubernetes packages that a node is to have, by its own package manager.

Which command brings them is decided by what is installed, and for the kubelet
by its program as well: one that was restored without the package manager is not
that of its package.
"""

from __future__ import annotations

import abc
import os
import re
import subprocess
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version, VersionError

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

KUBELET = "kubelet"
PROGRAM = "/usr/bin/kubelet"
"""Where the packages have it."""
INSTALL, DOWNGRADE, REINSTALL = "install", "downgrade", "reinstall"
_LOCKED = re.compile(r"Could not get lock|lock was locked")
"""What apt says of its own locks, and dpkg, which waits for none."""
_INTERRUPTED = "dpkg was interrupted"
_PAUSE_S = 2.0
_SAID = 600


class PackagesError(EvergreenError):
    """Packages that could not be installed."""


class Installed(t.NamedTuple):
    """One package; `version` is empty where it is not installed."""

    version: str = ""
    held: bool = False


def verb_for(version: str, wanted: str, *, replaced: bool) -> str:
    """What brings a package to `wanted`; empty for nothing. `replaced`: its program is not that of the package."""
    if version == wanted:
        return REINSTALL if replaced else ""
    try:
        return DOWNGRADE if Version.parse(version) > Version.parse(wanted) else INSTALL
    except VersionError:
        return INSTALL


class Packages(abc.ABC):
    """The packages of one node. `deadline` is that of all commands together."""

    def __init__(self, node: Node, wanted: str, deadline: Deadline, *, downgrade: bool, check_mode: bool) -> None:
        self._node = node
        self._wanted = wanted
        self._deadline = deadline
        self._downgrade = downgrade
        self._check_mode = check_mode

    def have(self, names: t.Sequence[str], downloaded: t.Sequence[str] = ()) -> bool:
        """Install `names`, and fetch the files of `downloaded`; whether that changed anything. Raises PackagesError.

        In check mode nothing is known of what can be fetched.
        """
        verbs = self._verbs(names)
        fetched = {} if self._check_mode else self._verbs(downloaded)
        newer = [*verbs.get(DOWNGRADE, []), *fetched.get(DOWNGRADE, [])]
        if newer and not self._downgrade:
            raise PackagesError(f"{', '.join(newer)} of a newer version than {self._wanted} is installed.")
        for verb, of_verb in verbs.items():
            if not self._check_mode:
                self.bring(verb, of_verb, download=False)
        changed = [self.bring(verb, these, download=True) for verb, these in fetched.items() if verb != REINSTALL]
        return self.hold([*names, *downloaded]) or bool(verbs) or any(changed)

    def _verbs(self, names: t.Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        # Asked for no package, both package managers tell of every one.
        for name, seen in (self.installed(names) if names else {}).items():
            verb = verb_for(seen.version, self._wanted, replaced=name == KUBELET and self._kubelet() != self._wanted)
            if verb:
                found.setdefault(verb, []).append(name)
        return found

    def _kubelet(self) -> str:
        return self._node.version_of(KUBELET, "--version", executable=str(self._node.path(PROGRAM)))

    @abc.abstractmethod
    def installed(self, names: t.Sequence[str]) -> dict[str, Installed]:
        """What is installed of these, by name."""

    @abc.abstractmethod
    def bring(self, verb: str, names: t.Sequence[str], *, download: bool) -> bool:
        """Run the command; whether it fetched something."""

    @abc.abstractmethod
    def hold(self, names: t.Sequence[str]) -> bool:
        """Have a later upgrade of the whole system leave them; whether that changed anything."""

    def _run(self, *command: str) -> str:
        """What the command says. Raises PackagesError. Another package manager is waited for."""
        repaired = False
        while True:
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
                    timeout=self._deadline.remaining(),
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise PackagesError(f"{' '.join(command[:2])} did not end in {self._deadline.seconds:g} s.") from None
            except OSError as error:
                raise PackagesError(f"{command[0]} could not be run: {error.strerror}.") from None
            said = done.stdout.decode("utf-8", "replace")
            if not done.returncode:
                return said
            if _INTERRUPTED in said and not repaired:
                # What a node was doing when it lost its power. dpkg takes up its own notes; the rest is apt's.
                subprocess.run(["dpkg", "--configure", "kubeadm", "kubectl", KUBELET], capture_output=True, check=False)
                repaired = True
            elif not _LOCKED.search(said) or self._deadline.expired():
                errors = [line for line in said.splitlines() if line.startswith(("E:", "Error:", "dpkg:"))]
                told = " ".join(" ".join(errors or [said]).split())[-_SAID:]
                raise PackagesError(f"{' '.join(command[:2])} failed: {told or f'exit code {done.returncode}'}")
            else:
                self._deadline.sleep(_PAUSE_S)


class Apt(Packages):
    """apt-get and dpkg."""

    _SHOW = "--showformat=${Package} ${db:Status-Abbrev} ${Version}\\n"

    def installed(self, names: t.Sequence[str]) -> dict[str, Installed]:
        # A package that is not known is an error to dpkg-query, beside the answers for the others.
        said = self._node.output("dpkg-query", "--show", self._SHOW, *names, any_rc=True)
        found = dict.fromkeys(names, Installed())
        for line in said.splitlines():
            name, status, *version = line.split()
            there = status[1:2] == "i" and bool(version)
            found[name] = Installed(version[0].rpartition("-")[0] if there else "", held=status[:1] == "h")
        return found

    def bring(self, verb: str, names: t.Sequence[str], *, download: bool) -> bool:
        said = self._run(
            *("apt-get", "install", "--yes", "--allow-change-held-packages", "-o", "DPkg::Lock::Timeout=60"),
            *("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"),
            *(["--download-only"] if download else []),
            *(["--allow-downgrades"] if self._downgrade else []),
            *(["--reinstall"] if verb == REINSTALL else []),
            *(f"{name}={self._wanted}-*" for name in names),
        )
        return "Get:" in said

    def hold(self, names: t.Sequence[str]) -> bool:
        loose = [name for name, seen in self.installed(names).items() if not seen.held]
        if loose and not self._check_mode:
            self._run("apt-mark", "hold", *loose)
        return bool(loose)


class Dnf(Packages):
    """dnf and rpm. The repository excludes these packages, so that nothing but this tool upgrades them."""

    def __init__(self, program: str, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._program = program

    def installed(self, names: t.Sequence[str]) -> dict[str, Installed]:
        said = self._node.output("rpm", "--query", "--queryformat", "%{NAME} %{VERSION}\\n", *names, any_rc=True)
        rows = [line.split() for line in said.splitlines()]
        versions = {row[0]: row[1] for row in rows if len(row) == 2}
        return {name: Installed(versions.get(name, "")) for name in names}

    def bring(self, verb: str, names: t.Sequence[str], *, download: bool) -> bool:
        self._run(
            *(self._program, verb, "--assumeyes", "--setopt=disable_excludes=kubernetes"),
            *(["--downloadonly"] if download else []),
            *(f"{name}-{self._wanted}" for name in names),
        )
        return False

    def hold(self, names: t.Sequence[str]) -> bool:
        return False
