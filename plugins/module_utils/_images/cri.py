# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Ask a container runtime for its images over CRI (``runtime.v1``), which the kubelet and kubeadm speak.

containerd and CRI-O have it at the kubelet's own socket. ``crictl`` and
``ctr`` are not on every node.
"""

from __future__ import annotations

import json
import socket
from urllib.parse import unquote

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import call, http2
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.http2_frames import Http2Error
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.protobuf import (
    ProtobufError,
    bytes_field,
    fields,
    number_field,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images.decisions import Answer
from ansible_collections.evergreen.kubeadm.plugins.module_utils._tls import cause

_IMAGES, _RUNTIME = "/runtime.v1.ImageService", "/runtime.v1.RuntimeService"
# Numbers of fields: Image.pinned and StatusResponse.info.
_PINNED, _INFO = 8, 2
_ASK_S = 10.0
"""For what the runtime knows without asking anybody."""


class RuntimeAway(EvergreenError):
    """The container runtime gives no answer of its own."""


class NotPulled(Exception):
    """The runtime could not pull an image."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.said)
        self.answer = answer


class ImageService:
    """The image service at one socket, with or without ``unix://``."""

    def __init__(self, endpoint: str) -> None:
        self.socket = endpoint[len("unix://") :] if endpoint.startswith("unix://") else endpoint

    def present(self, image: str) -> bool:
        """Whether the node has it; nobody else is asked. Raises RuntimeAway."""
        return len(self._status(image)) > 0

    def pinned(self, image: str) -> bool | None:
        """Whether the kubelet spares it when it removes images; None where the node does not have it. Raises as above.

        A runtime that knows no pinning leaves the field out, as one does that did not pin it.
        """
        status = self._status(image)
        return any(number == _PINNED and value == 1 for number, value in fields(status)) if len(status) else None

    def sandbox_image(self) -> str:
        """The image of the pods' sandboxes, as far as the runtime tells; else empty. Raises RuntimeAway."""
        answer = self._told(_RUNTIME, "Status", number_field(1, 1))
        for number, entry in fields(answer):
            if number == _INFO and isinstance(entry, memoryview):
                key, value = (dict(fields(entry)).get(part, b"") for part in (1, 2))
                if key == b"config":
                    return _sandbox_image(bytes(value) if isinstance(value, memoryview) else b"")
        return ""

    def _status(self, image: str) -> memoryview:
        """The message Image; empty where the node does not have it. Raises RuntimeAway."""
        for number, value in fields(self._told(_IMAGES, "ImageStatus", _image_spec(image))):
            if number == 1 and isinstance(value, memoryview):
                return value
        return memoryview(b"")

    def _told(self, service: str, method: str, question: bytes) -> memoryview:
        """What the runtime knows without asking anybody. Raises RuntimeAway."""
        try:
            code, said, message = self._call(service, method, question, _ASK_S)
        except TimeoutError:
            raise self._away("no answer came in time") from None
        if code:
            raise self._away(f"it answered {said or f'with the status {code}'}")
        return message

    def pull(self, image: str, timeout_s: float) -> None:
        """Pull it with the runtime's own configuration, as ``kubeadm config images pull`` does. Raises NotPulled."""
        try:
            code, said, _message = self._call(_IMAGES, "PullImage", _image_spec(image), timeout_s)
        except TimeoutError:
            raise NotPulled(Answer(None, f"it was not there after {timeout_s:.0f} s")) from None
        if code:
            raise NotPulled(Answer(code, said or f"status {code} of gRPC, without a reason"))

    def _call(self, service: str, method: str, question: bytes, timeout_s: float) -> tuple[int, str, memoryview]:
        """The status, its words and the message of a call with one answer. Raises RuntimeAway and TimeoutError."""
        try:
            connection = http2.connect_unix(self.socket, _ASK_S)
            with http2.Exchange(connection, timeout_s) as exchange:
                request = call.request_fields("localhost", False, f"{service}/{method}")
                exchange.request(request, call.framed(question))
                if exchange.answer().get(":status") != "200":
                    raise self._away("it does not speak gRPC there")
                message = b""
                for piece in call.messages(exchange.data()):
                    message = bytes(piece)
                status = exchange.trailers.get("grpc-status", "")
                said = unquote(exchange.trailers.get("grpc-message", ""), errors="replace")
        # Until Python 3.9 they are two.
        except (TimeoutError, socket.timeout):
            raise TimeoutError from None
        except (OSError, Http2Error, call.Broken, ProtobufError) as error:
            raise self._away(cause(error)) from None
        if not status.isdigit():
            raise self._away("its answer ended without a status")
        return int(status), said, memoryview(message)

    def _away(self, why: str) -> RuntimeAway:
        return RuntimeAway(
            f"The container runtime at {self.socket} could not be asked for its images: {why}.",
            hint="See that it runs (systemctl status containerd crio), or name its socket in the option cri_socket.",
        )


def _image_spec(image: str) -> bytes:
    """``{image: {image: ...}}``, which both requests begin with."""
    return bytes_field(1, bytes_field(1, image.encode()))


def _sandbox_image(config: bytes) -> str:
    """Out of the configuration that a runtime shows, which is of its own making."""
    try:
        found = json.loads(config)
    except ValueError:
        return ""
    return str(found.get("sandboxImage") or "") if isinstance(found, dict) else ""
