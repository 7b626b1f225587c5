# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""One look at each gate of the user: objects of the API, HTTP, Prometheus, commands."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.parse import urlencode

from ansible.module_utils.urls import open_url

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import (
    ApiStatusError,
    ApiUnreachable,
    Client,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import gates
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.decisions import Answer, Check
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.gates import Gate, Ran
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.model import Json

BODY_LIMIT = 4 << 20
AT_ONCE = 8


class GateLooks:
    """Looks at all gates at the same time. What cannot be seen is a check that is not met, never an exception.

    `client` may be None where no gate is about an object. With `check_mode`
    no command is run, as nobody knows whether it changes something.
    """

    def __init__(
        self, wanted: t.Sequence[Gate], client: Client | None, deadline: Deadline, *, check_mode: bool
    ) -> None:
        self._gates = list(wanted)
        self._client = client
        self._deadline = deadline
        self._check_mode = check_mode
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}

    def look(self) -> list[Check]:
        if not self._gates:
            return []
        with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(self._gates))) as pool:
            return [check for checks in pool.map(self._look, self._gates) for check in checks]

    def _look(self, gate: Gate) -> list[Check]:
        if gate.kind == gates.OBJECT:
            return self._objects(gate)
        if gate.kind == gates.HTTP:
            return gates.judge_http(gate, self._ask(gate, gate.options["url"]))
        if gate.kind == gates.PROMETHEUS:
            asked = f"{gate.options['url'].rstrip('/')}/api/v1/query?{urlencode({'query': gate.options['query']})}"
            return gates.judge_prometheus(gate, self._ask(gate, asked))
        if self._check_mode:
            return [gate.check(gate.options["argv"][0], False, gates.NOT_RUN)]
        return gates.judge_command(gate, self._run(gate))

    def _timeout(self, seconds: float) -> float:
        """At most what the user gave, and not much past the deadline; one look has all the time that it needs."""
        return seconds if self._deadline.seconds == 0 else min(seconds, max(1.0, self._deadline.clip(seconds)))

    def _objects(self, gate: Gate) -> list[Check]:
        options = gate.options
        named = options.get("name") or options.get("label_selector") or ""
        where = " ".join(filter(None, (options["kind"], options.get("namespace"), named)))
        try:
            return gates.judge_objects(gate, self._read(options), where)
        except (ApiStatusError, ApiUnreachable) as error:
            return [gate.check(where, False, f"could not be read: {error.message}")]
        except LookupError as error:
            return [gate.check(where, False, str(error.args[0]))]

    def _read(self, options: Json) -> list[Json]:
        """The objects that a gate is about; LookupError where the API has no such kind."""
        if self._client is None:
            raise LookupError("no connection to the API was made")
        resource, namespaced = self._resource(options["api_version"], options["kind"])
        root = "api" if "/" not in options["api_version"] else "apis"
        scope = f"namespaces/{options['namespace']}/" if namespaced and options.get("namespace") else ""
        path = f"/{root}/{options['api_version']}/{scope}{resource}"
        timeout_s = self._timeout(10.0)
        if not options.get("name"):
            query = {"labelSelector": options["label_selector"]} if options.get("label_selector") else {}
            return self._client.list(path, query, timeout_s=timeout_s)
        if namespaced and not scope:
            raise LookupError(f"a {options['kind']} has a namespace, and the gate names none")
        try:
            return [self._client.get(f"{path}/{options['name']}", timeout_s=timeout_s)]
        except ApiStatusError as error:
            if error.status == 404:
                return []
            raise

    def _resource(self, api_version: str, kind: str) -> tuple[str, bool]:
        """The resource of a kind, and whether it is in namespaces, as discovery says."""
        key = (api_version, kind)
        if key not in self._paths:
            root = "api" if "/" not in api_version else "apis"
            try:
                found = t.cast("Client", self._client).get(f"/{root}/{api_version}", timeout_s=self._timeout(10.0))
            except ApiStatusError as error:
                if error.status == 404:
                    raise LookupError(f"the API server has no {api_version}") from error
                raise
            for entry in found.get("resources") or []:
                if entry.get("kind") == kind and "/" not in entry.get("name", "/"):
                    self._paths[key] = (entry["name"], bool(entry.get("namespaced")))
                    break
            else:
                raise LookupError(f"the API server has no kind {kind} in {api_version}")
        return self._paths[key]

    def _ask(self, gate: Gate, url: str) -> Answer:
        """What a GET brings. Redirects are not followed: the headers are for this address."""
        options = gate.options
        try:
            response = open_url(
                url,
                headers=dict(options.get("headers") or {}),
                timeout=self._timeout(options["timeout_s"]),
                validate_certs=options["validate_certs"],
                ca_path=options.get("ca_path"),
                follow_redirects="none",
                http_agent="evergreen.kubeadm",
                # What is sent is what the gate says, whoever's home this is.
                use_netrc=False,
            )
        except HTTPError as error:
            with error:
                return Answer(status=error.code, body=_text(error.read(BODY_LIMIT)))
        except Exception as error:  # connections, names, certificates: urllib raises many kinds
            return Answer(error=f"{type(error).__name__}: {getattr(error, 'reason', None) or error}")
        try:
            with response:
                return Answer(status=response.status, body=_text(response.read(BODY_LIMIT)))
        except Exception as error:
            return Answer(error=f"the answer broke off: {type(error).__name__}: {error}")

    def _run(self, gate: Gate) -> Ran:
        argv, timeout_s = gate.options["argv"], self._timeout(gate.options["timeout_s"])
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
                )
            except OSError as error:
                return Ran(error=f"it could not be started: {error.strerror or error}")
            try:
                status = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                # Its session is its own, so that only what it started is in the group.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return Ran(error=f"it had not ended after {timeout_s:g} s")
            output.seek(max(0, output.seek(0, os.SEEK_END) - 2000))
            lines = [line for line in _text(output.read()).splitlines() if line.strip()]
        return Ran(status=status, said=lines[-1] if lines else "")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
