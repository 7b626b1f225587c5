# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""etcdctl, on the host or inside the static pod: the way where the JSON gateway is off.

Programs are run by argument lists only: the etcd images have no shell.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.manifest import in_container
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import (
    Access,
    EtcdError,
    EtcdRefused,
    EtcdUnreachable,
    KvHash,
    Member,
    RouteMissing,
    Status,
    hash_from_json,
    members_from_json,
    status_from_json,
)

_GRACE_S = 5.0
"""How much longer than etcdctl's own timeout its process may live."""


def host_argv(access: Access, etcdctl: str, url: str, timeout_s: float, arguments: t.Sequence[str]) -> list[str]:
    """The command line of the host's etcdctl against one endpoint."""
    return [
        etcdctl,
        f"--endpoints={url}",
        *_certificates(access.ca_cert, access.client_cert, access.client_key),
        f"--dial-timeout={min(timeout_s, 5.0):.3f}s",
        f"--command-timeout={timeout_s:.3f}s",
        *arguments,
    ]


def pod_argv(
    access: Access,
    crictl: str,
    runtime_endpoint: str,
    container: str,
    url: str,
    timeout_s: float,
    arguments: t.Sequence[str],
) -> list[str]:
    """The command line of the etcdctl in the static pod; the certificates must be in its volumes."""
    paths = []
    for path in (access.ca_cert, access.client_cert, access.client_key):
        inside = in_container(path, access.mounts) if path else ""
        if inside is None:
            raise RouteMissing(f"etcdctl in the static pod cannot see {path}: no volume of the pod holds it.")
        paths.append(inside)
    return [
        *crictl_argv(crictl, runtime_endpoint),
        "exec",
        "--sync",
        f"--timeout={int(timeout_s + _GRACE_S)}",
        container,
        "etcdctl",
        f"--endpoints={url}",
        *_certificates(*paths),
        f"--dial-timeout={min(timeout_s, 5.0):.3f}s",
        f"--command-timeout={timeout_s:.3f}s",
        *arguments,
    ]


def crictl_argv(crictl: str, runtime_endpoint: str) -> list[str]:
    return [crictl, *([f"--runtime-endpoint={runtime_endpoint}"] if runtime_endpoint else [])]


def _certificates(ca_cert: str, client_cert: str, client_key: str) -> list[str]:
    return [
        f"--{name}={path}" for name, path in (("cacert", ca_cert), ("cert", client_cert), ("key", client_key)) if path
    ]


class Etcdctl:
    """One member, asked through etcdctl. `etcdctl` and `crictl` are paths; where etcdctl is empty the pod's is used."""

    route = "etcdctl"

    def __init__(self, access: Access, *, etcdctl: str = "", crictl: str = "", runtime_endpoint: str = "") -> None:
        self._access = access
        self._etcdctl = etcdctl
        self._crictl = crictl
        self._runtime_endpoint = runtime_endpoint
        self._container = "" if etcdctl else self._find_container()

    @property
    def in_pod(self) -> bool:
        return not self._etcdctl

    def status(self, url: str, timeout_s: float) -> Status:
        answer = self._json(["endpoint", "status"], timeout_s, url)
        return status_from_json(answer[0]["Status"])

    def members(self, timeout_s: float) -> list[Member]:
        return members_from_json(self._json(["member", "list"], timeout_s))

    def read(self, url: str, timeout_s: float) -> None:
        self._json(["get", "health", "--consistency=l", "--keys-only"], timeout_s, url)

    def count(self, revision: int, timeout_s: float) -> int:
        # The count is of all keys whatever the limit; --count-only has no JSON.
        question = ["get", "", "--from-key", "--keys-only", "--limit=1", "--consistency=s", f"--rev={revision}"]
        return int(self._json(question, timeout_s).get("count", 0))

    def kv_hash(self, url: str, revision: int, timeout_s: float) -> KvHash:
        answer = self._json(["endpoint", "hashkv", f"--rev={revision}"], timeout_s, url)
        return hash_from_json(answer[0]["HashKV"], revision)

    def move_leader(self, target: int, timeout_s: float) -> None:
        self._run(["move-leader", f"{target:x}"], timeout_s)

    def save(self, path: str, timeout_s: float) -> None:
        """Save the snapshot to `path`, as the process that runs etcdctl names it."""
        self._run(["snapshot", "save", path], timeout_s)

    def save_directory(self) -> str | None:
        """The host's name of the directory that etcdctl in the pod can write to; None where any will do."""
        if not self.in_pod:
            return None
        directory = self._access.data_dir
        if not directory or in_container(directory, self._access.mounts) is None:
            raise RouteMissing("etcdctl in the static pod has no directory that the host sees too.")
        return directory

    def inside(self, path: str) -> str:
        """`path` of the host as etcdctl names it."""
        return (in_container(path, self._access.mounts) or path) if self.in_pod else path

    def _json(self, arguments: list[str], timeout_s: float, url: str | None = None) -> t.Any:
        text = self._run([*arguments, "--write-out=json"], timeout_s, url)
        try:
            return json.loads(text)
        except ValueError:
            raise EtcdError(f"etcdctl {' '.join(arguments)} did not answer in JSON: {text[:200]!r}.") from None

    def _run(self, arguments: list[str], timeout_s: float, url: str | None = None) -> str:
        url = url or self._access.endpoint
        if self._etcdctl:
            argv = host_argv(self._access, self._etcdctl, url, timeout_s, arguments)
        else:
            argv = pod_argv(
                self._access, self._crictl, self._runtime_endpoint, self._container, url, timeout_s, arguments
            )
        what = f"etcdctl {' '.join(arguments[:2])} at {url}"
        # ETCDCTL_* of the caller's environment would clash with the flags.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ETCDCTL_")}
        code, out, said = _execute(argv, timeout_s + 2 * _GRACE_S, what, {**environment, "ETCDCTL_API": "3"})
        if code == 0:
            return out
        reason = said.splitlines()[-1] if said else f"exit code {code}"
        if "context deadline exceeded" in said or "connection refused" in said:
            raise EtcdUnreachable(f"{what}: {reason}")
        raise EtcdRefused(f"{what} failed: {reason}", reason=reason)

    def _find_container(self) -> str:
        argv = [*crictl_argv(self._crictl, self._runtime_endpoint), "ps", "--name=^etcd$", "--state=Running", "--quiet"]
        code, out, said = _execute(argv, 30.0, "crictl ps", None)
        if code != 0:
            raise RouteMissing(f"crictl could not list the containers: {said.splitlines()[-1] if said else code}.")
        containers = out.split()
        if not containers:
            raise RouteMissing("No etcd container runs on this node.")
        return containers[0]


def _execute(argv: list[str], timeout_s: float, what: str, environment: dict[str, str] | None) -> tuple[int, str, str]:
    """(exit code, stdout, stderr without etcdctl's own log lines)."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise EtcdUnreachable(f"{what} did not end in {timeout_s:.0f} s.") from None
    except OSError as error:
        raise RouteMissing(f"{argv[0]} could not be started: {error.strerror}.") from None
    lines = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line and line[0] != "{"]
    return done.returncode, done.stdout.decode("utf-8", "replace"), "\n".join(lines)


def find_etcdctl(access: Access, *, etcdctl: str = "", runtime_endpoint: str = "") -> Etcdctl:
    """The host's etcdctl where there is one, else that of the static pod; RouteMissing where there is neither."""
    program = etcdctl or shutil.which("etcdctl") or ""
    if program:
        if not os.access(program, os.X_OK):
            raise RouteMissing(f"{program} is not an executable file.")
        return Etcdctl(access, etcdctl=program)
    crictl = shutil.which("crictl")
    if crictl and access.mounts:
        return Etcdctl(access, crictl=crictl, runtime_endpoint=runtime_endpoint)
    raise RouteMissing(
        "There is no etcdctl on this node, and none can be reached in a static pod through crictl.",
        hint="Install etcdctl, or set etcdctl to its path.",
    )
