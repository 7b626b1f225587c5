# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Read the indexes and keys of package repositories over HTTP."""

from __future__ import annotations

import bz2
import gzip
import http.client
import io
import lzma
import threading
import typing as t
import urllib.error
import zlib
from urllib.parse import urljoin, urlsplit

from ansible.module_utils.urls import ConnectionError as UrlsConnectionError
from ansible.module_utils.urls import open_url

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages import index

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

# The lists of all of Kubernetes' packages of a minor have some hundred kilobytes.
LARGEST = 64 << 20
ANSWER_S = 10.0
"""Until a server begins to answer. The resolver has timeouts of its own, which add up to more."""
_READ_S = 20.0
_XZ_MEMORY = 128 << 20
_NOT_THERE = (403, 404, 410)


def _unpacked_xz(body: bytes) -> bytes:
    unpacker = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
    text = unpacker.decompress(body, LARGEST + 1)
    if not unpacker.eof and len(text) <= LARGEST:
        raise EOFError("it is cut off")
    return text


_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda body: gzip.GzipFile(fileobj=io.BytesIO(body)).read(LARGEST + 1),
    ".xz": _unpacked_xz,
    ".bz2": lambda body: bz2.BZ2File(io.BytesIO(body)).read(LARGEST + 1),
}


class RepositoryError(EvergreenError):
    """A repository that gave no usable answer."""


class NoRepository(RepositoryError):
    """The server has no such repository: it answered 403, 404 or 410."""


def versions(url: str, package_format: str, package: str, deadline: Deadline) -> list[Version]:
    """Versions of `package` that the repository at `url` offers. Raises RepositoryError, NoRepository."""
    base = url if url.endswith("/") else f"{url}/"
    if package_format == "deb":
        try:
            text = _index(urljoin(base, "Packages.gz"), deadline)
        except NoRepository:
            text = _index(urljoin(base, "Packages"), deadline)
        return index.deb_versions(text.decode("utf-8", "replace"), package)
    primary = index.primary_index(_index(urljoin(base, "repodata/repomd.xml"), deadline))
    return index.rpm_versions(_index(urljoin(base, primary), deadline), package)


def _index(url: str, deadline: Deadline) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise RepositoryError(f"{index.shown(url)} is not an http or https address.")
    body = fetch(url, deadline)
    ending = next((name for name in _UNPACK if url.endswith(name)), "")
    try:
        return _bounded(_UNPACK[ending](body), url) if ending else body
    except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:
        raise RepositoryError(f"{index.shown(url)} cannot be unpacked: {error}.") from error


def fetch(url: str, deadline: Deadline) -> bytes:
    """What is at `url`. Raises RepositoryError, NoRepository."""
    try:
        with _answer(url, deadline.clip(ANSWER_S)) as answer:
            return _bounded(answer.read(LARGEST + 1), url)
    except urllib.error.HTTPError as error:
        error.close()
        kind = NoRepository if error.code in _NOT_THERE else RepositoryError
        raise kind(f"{index.shown(url)}: status {error.code}.") from error
    except (urllib.error.URLError, http.client.HTTPException, UrlsConnectionError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise RepositoryError(f"{index.shown(url)} cannot be read: {reason}.") from error


def _answer(url: str, seconds: float) -> t.Any:
    """The beginning of an answer. A thread that still waits for a name or a connection ends with the module."""
    got: list[t.Any] = []

    def ask() -> None:
        try:
            got.append(open_url(url, timeout=_READ_S, decompress=False))
        except Exception as error:  # raised where it was asked for
            got.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if not got:
        raise RepositoryError(f"{index.shown(url)} gave no answer within {seconds:.0f} s.")
    if isinstance(got[0], Exception):
        raise got[0]
    return got[0]


def _bounded(body: bytes, url: str) -> bytes:
    if len(body) > LARGEST:
        raise RepositoryError(
            f"{index.shown(url)} has more than {LARGEST >> 20} MiB, which no index of Kubernetes has."
        )
    return body
