# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image service at a socket that answers as containerd does: what is asked, and what is made of the answers."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import hpack
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import http2_frames as frames
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.call import framed
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.protobuf import bytes_field, number_field
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images import pulling
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images.cri import ImageService, NotPulled, RuntimeAway
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images.decisions import Bounds

IMAGE = "registry.k8s.io/kube-apiserver:v1.35.4"
HEAD = frames.frame(
    frames.HEADERS,
    frames.END_HEADERS,
    1,
    hpack.encode([(":status", "200"), ("content-type", "application/grpc")]),
)


def ended(*fields: tuple[str, str]) -> bytes:
    return frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, hpack.encode(list(fields)))


def answer(message: bytes) -> bytes:
    data = frames.frame(frames.DATA, 0, 1, framed(message))
    return frames.settings({}) + HEAD + data + ended(("grpc-status", "0"))


def refused(code: int, said: str) -> bytes:
    """Without data: one list of fields is head and trailers."""
    fields = [(":status", "200"), ("content-type", "application/grpc")]
    return frames.settings({}) + ended(*fields, ("grpc-status", str(code)), ("grpc-message", said))


PRESENT = answer(bytes_field(1, bytes_field(1, b"sha256:0a1b")))
ABSENT = answer(b"")
PULLED = answer(bytes_field(1, b"sha256:0a1b"))
REFUSED = refused(2, 'failed to resolve reference: Head "http://r/": connection refused, 100%25')


class Runtime:
    """A socket that gives one answer after the other, an empty one being none."""

    def __init__(self, path: Path, answers: t.Sequence[bytes]) -> None:
        self.endpoint = f"unix://{path}"
        self.asked: list[bytes] = []
        self._answers = answers
        self.asks_for = IMAGE
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(20)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            for given in self._answers:
                connection, _address = self._listener.accept()
                with connection:
                    connection.settimeout(20)
                    got = b""
                    while self.asks_for.encode() not in got:
                        got += connection.recv(65536)
                    self.asked.append(got)
                    connection.sendall(given)
                    if given:
                        connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        continue

    def __enter__(self) -> Runtime:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._listener.close()
        self._thread.join(20)


def test_present(tmp_path: Path) -> None:
    with Runtime(tmp_path / "s", [PRESENT, ABSENT, PRESENT]) as runtime:
        service = ImageService(runtime.endpoint)
        assert service.present(IMAGE)
        assert not service.present(IMAGE)
        # The socket may be named without its scheme.
        assert ImageService(str(tmp_path / "s")).present(IMAGE)
    assert all(b"/runtime.v1.ImageService/ImageStatus" in asked for asked in runtime.asked)
    assert bytes_field(1, bytes_field(1, IMAGE.encode())) in runtime.asked[0]


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        # As containerd 1.7 answers for its own sandbox image: id, tag, size, and the field 8.
        (bytes_field(1, b"sha256:873e") + bytes_field(2, IMAGE.encode()) + number_field(8, 1), True),
        # As 1.6 does, and one that was imported.
        (bytes_field(1, b"sha256:873e") + bytes_field(2, IMAGE.encode()) + number_field(4, 311286), False),
        (b"", None),
    ],
)
def test_pinned(tmp_path: Path, image: bytes, pinned: bool | None) -> None:
    with Runtime(tmp_path / "s", [answer(bytes_field(1, image))]) as runtime:
        assert ImageService(runtime.endpoint).pinned(IMAGE) is pinned


def shown(key: bytes, value: bytes) -> bytes:
    """A verbose status: two conditions, and one entry of its map."""
    conditions = bytes_field(1, bytes_field(1, bytes_field(1, b"RuntimeReady") + number_field(2, 1)))
    return answer(conditions + bytes_field(2, bytes_field(1, key) + bytes_field(2, value)))


@pytest.mark.parametrize(
    ("given", "image"),
    [
        (
            shown(
                b"config", b'{"containerd": {}, "sandboxImage": "registry.k8s.io/pause:3.8", "statsCollectPeriod": 10}'
            ),
            "registry.k8s.io/pause:3.8",
        ),
        # containerd from 2.0 on
        (shown(b"config", b'{"containerd": {}, "cni": {}}'), ""),
        (shown(b"config", b"not of JSON"), ""),
        (shown(b"golang", b'"go1.22"'), ""),
        (answer(b""), ""),
    ],
)
def test_the_image_of_sandboxes(tmp_path: Path, given: bytes, image: str) -> None:
    with Runtime(tmp_path / "s", [given]) as runtime:
        runtime.asks_for = "/runtime.v1.RuntimeService/Status"
        assert ImageService(runtime.endpoint).sandbox_image() == image
    # verbose: true
    assert framed(number_field(1, 1)) in runtime.asked[0]


def test_pull(tmp_path: Path) -> None:
    with Runtime(tmp_path / "s", [PULLED, REFUSED]) as runtime:
        service = ImageService(runtime.endpoint)
        service.pull(IMAGE, 20)
        with pytest.raises(NotPulled) as failed:
            service.pull(IMAGE, 20)
    assert all(b"/runtime.v1.ImageService/PullImage" in asked for asked in runtime.asked)
    assert failed.value.answer == (2, 'failed to resolve reference: Head "http://r/": connection refused, 100%')


def test_a_pull_that_takes_too_long(tmp_path: Path) -> None:
    with Runtime(tmp_path / "s", [b""]) as runtime, pytest.raises(NotPulled) as failed:
        ImageService(runtime.endpoint).pull(IMAGE, 0.5)
    assert failed.value.answer.code is None


AWAY = {
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "no gRPC": frames.settings({}) + ended((":status", "404")),
    "a runtime without CRI v1": refused(12, "unknown service runtime.v1.ImageService"),
    "cut off": frames.settings({}) + HEAD,
}


@pytest.mark.parametrize("given", AWAY.values(), ids=AWAY)
def test_a_runtime_that_gives_no_answer_of_its_own(tmp_path: Path, given: bytes) -> None:
    with Runtime(tmp_path / "s", [given]) as runtime, pytest.raises(RuntimeAway) as failed:
        ImageService(runtime.endpoint).present(IMAGE)
    assert failed.value.message.startswith(f"The container runtime at {tmp_path / 's'} could not be asked")


def test_no_runtime(tmp_path: Path) -> None:
    with pytest.raises(RuntimeAway, match="No such file"):
        ImageService(str(tmp_path / "none")).present(IMAGE)


def pull(runtime: Runtime, attempts: int = 3) -> list[str]:
    service = ImageService(runtime.endpoint)
    missing = pulling.missing(service, [IMAGE])
    return [image for image, _s in pulling.pull(service, missing, "cp1", Bounds(attempts, 20), Deadline(60))]


def test_what_is_there_is_not_pulled(tmp_path: Path) -> None:
    with Runtime(tmp_path / "s", [PRESENT]) as runtime:
        assert pull(runtime) == []


def test_a_registry_that_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "PAUSE_S", 0.1)
    with Runtime(tmp_path / "s", [ABSENT, REFUSED, PULLED]) as runtime:
        assert pull(runtime) == [IMAGE]


def test_a_registry_that_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "PAUSE_S", 0.1)
    with Runtime(tmp_path / "s", [ABSENT, REFUSED, REFUSED]) as runtime, pytest.raises(pulling.ImagesError) as failed:
        pull(runtime, attempts=2)
    assert failed.value.result["failure"]["image"] == IMAGE
    assert failed.value.result["failure"]["attempts"] == 2
    assert "connection refused" in failed.value.result["failure"]["answer"]
    assert len(runtime.asked) == 3


def test_an_image_that_is_not_in_the_registry_is_asked_for_once(tmp_path: Path) -> None:
    answers = [ABSENT, refused(5, "not found")]
    with Runtime(tmp_path / "s", answers) as runtime, pytest.raises(pulling.ImagesError, match="asked for once"):
        pull(runtime)
    assert len(runtime.asked) == 2


PROGRAM = """#!/bin/sh
test "$*" = "config images list --config /dev/stdin" || exit 9
{body}
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "grep -o kubernetesVersion > /dev/null && printf 'r/a:v1\\nr/b:v1\\n'; echo a warning >&2",
            ["r/a:v1", "r/b:v1"],
        ),
        ("echo this version of kubeadm is too old >&2; exit 1", "failed with 1: this version of kubeadm is too old."),
        ("exit 0", "it named no image"),
    ],
)
def test_listed(tmp_path: Path, body: str, expected: list[str] | str) -> None:
    program = tmp_path / "kubeadm"
    program.write_text(PROGRAM.format(body=body))
    program.chmod(0o755)
    if isinstance(expected, list):
        assert pulling.listed(str(program), {"kubernetesVersion": "v1"}, Deadline(20)) == expected
    else:
        with pytest.raises(pulling.ImagesError, match=expected):
            pulling.listed(str(program), {"kubernetesVersion": "v1"}, Deadline(20))
