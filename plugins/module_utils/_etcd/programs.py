# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""etcd's own programs on a node whose etcd is a static pod: they are in its image, and seldom anywhere else.

A program that is found in the image is copied out, because the image cannot
run it while etcd is stopped. The images have no shell, and need none.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _processes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError

PLACES = ("/usr/local/bin", "/usr/bin", "/bin")
_VERSION = re.compile(r"\bversion:\s*v?(\d+\.\d+\.\d+[^\s]*)", re.IGNORECASE)
_TIMEOUT_S = 60.0


class ProgramMissing(EtcdError):
    """A program of etcd that is not on this node."""


@dataclass(frozen=True)
class Program:
    path: str
    version: str
    """``3.6.5``."""
    source: str
    """Where it was found."""


@dataclass(frozen=True)
class Pod:
    """What is known of the static pod of etcd. Both may be empty."""

    words: tuple[str, ...] = ()
    """The command line of its container."""
    image: str = ""


def find(name: str, given: str, pod: Pod, folder: str) -> Program:
    """The program `name`: the one `given`, that of the host, or that of etcd's image, which is copied to `folder`.

    Raises ProgramMissing with all places that were looked at.
    """
    if given:
        return _program(given, "the option")
    on_host = shutil.which(name)
    if on_host:
        return _program(on_host, "the host")
    looked = ["this host's PATH"]
    for pid in _processes.running(pod.words) if pod.words else ():
        found = next((p for p in _inside(f"/proc/{pid}/root", name) if os.path.isfile(p)), None)
        if found:
            return _program(_copied(found, folder), "the static pod of etcd")
        looked.append("the static pod of etcd")
    earlier = os.path.join(folder, name)
    if os.path.isfile(earlier):
        return _program(earlier, "an earlier copy")
    if pod.image and shutil.which("ctr"):
        looked.append(f"the image {pod.image}")
        path = _from_image(name, pod.image, folder)
        if path:
            return _program(path, f"the image {pod.image}")
    raise ProgramMissing(
        f"There is no {name} here: not in {', '.join(looked)}.",
        hint=f"Install the {name} of your etcd's version on this node, or set the option {name} to its path.",
    )


def _inside(root: str, name: str) -> list[str]:
    return [f"{root}{place}/{name}" for place in PLACES]


def _copied(source: str, folder: str) -> str:
    """A copy of an executable in `folder`, under its own name."""
    target = os.path.join(folder, os.path.basename(source))
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        shutil.copyfile(source, target + ".part")
        os.chmod(target + ".part", 0o700)
        os.replace(target + ".part", target)
    except OSError as error:
        raise EtcdError(f"{source} could not be copied to {folder}: {error.strerror}.") from None
    return target


def _from_image(name: str, image: str, folder: str) -> str:
    """A copy of the program out of an image that containerd has; empty where there is none."""
    mount = os.path.join(folder, "image")
    ctr = ["ctr", "--namespace", "k8s.io", "images"]
    try:
        os.makedirs(mount, mode=0o700, exist_ok=True)
    except OSError as error:
        raise EtcdError(f"{mount} could not be made: {error.strerror}.") from None
    if _run([*ctr, "mount", image, mount]).returncode != 0:
        return ""
    try:
        found = next((path for path in _inside(mount, name) if os.path.isfile(path)), None)
        return _copied(found, folder) if found else ""
    finally:
        _run([*ctr, "unmount", "--rm", mount])


def _program(path: str, source: str) -> Program:
    argument = "--version" if os.path.basename(path) == "etcd" else "version"
    done = _run([path, argument])
    match = _VERSION.search(done.stdout)
    if done.returncode != 0 or match is None:
        raise ProgramMissing(
            f"{path} is not a program of etcd: {' '.join((done.stderr or done.stdout).split())[:200]}."
        )
    return Program(path, match[1], source)


def _run(argv: t.Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ETCDCTL_", "ETCD_"))}
    try:
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EtcdError(f"{argv[0]} did not end in {_TIMEOUT_S:g} s.") from None
    except OSError as error:
        raise ProgramMissing(f"{argv[0]} could not be started: {error.strerror}.") from None
