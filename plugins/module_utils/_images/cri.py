# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Ask a container runtime for its images over CRI (``runtime.v1.ImageService``), which the kubelet and kubeadm speak.

containerd and CRI-O have it at the kubelet's own socket. ``crictl`` and
``ctr`` are not on every node.
"""

from __future__ import annotations

import socket
from urllib.parse import unquote

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import call, http2
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.http2_frames import Http2Error
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.protobuf import ProtobufError, bytes_field, fields
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images.decisions import Answer
from ansible_collections.evergreen.kubeadm.plugins.module_utils._tls import cause

_SERVICE = "/runtime.v1.ImageService"
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
        try:
            code, said, message = self._call("ImageStatus", _image_spec(image), _ASK_S)
        except TimeoutError:
            raise self._away("no answer came in time") from None
        if code:
            raise self._away(f"it answered {said or f'with the status {code}'}")
        # Without the image its field is empty.
        return any(number == 1 and isinstance(value, memoryview) and len(value) for number, value in fields(message))

    def pull(self, image: str, timeout_s: float) -> None:
        """Pull it with the runtime's own configuration, as ``kubeadm config images pull`` does. Raises NotPulled."""
        try:
            code, said, _message = self._call("PullImage", _image_spec(image), timeout_s)
        except TimeoutError:
            raise NotPulled(Answer(None, f"it was not there after {timeout_s:.0f} s")) from None
        if code:
            raise NotPulled(Answer(code, said or f"status {code} of gRPC, without a reason"))

    def _call(self, method: str, question: bytes, timeout_s: float) -> tuple[int, str, memoryview]:
        """The status, its words and the message of a call with one answer. Raises RuntimeAway and TimeoutError."""
        try:
            connection = http2.connect_unix(self.socket, _ASK_S)
            with http2.Exchange(connection, timeout_s) as exchange:
                request = call.request_fields("localhost", False, f"{_SERVICE}/{method}")
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
