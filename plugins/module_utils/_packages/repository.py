# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Read the indexes of package repositories over HTTP."""

from __future__ import annotations

import bz2
import gzip
import http.client
import lzma
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
_NOT_THERE = (403, 404, 410)
_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
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
            text = _read(urljoin(base, "Packages.gz"), deadline)
        except NoRepository:
            text = _read(urljoin(base, "Packages"), deadline)
        return index.deb_versions(text.decode("utf-8", "replace"), package)
    primary = index.primary_index(_read(urljoin(base, "repodata/repomd.xml"), deadline))
    return index.rpm_versions(_read(urljoin(base, primary), deadline), package)


def _read(url: str, deadline: Deadline) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise RepositoryError(f"{_shown(url)} is not an http or https address.")
    try:
        with open_url(url, timeout=max(1.0, deadline.clip(20.0)), decompress=False) as answer:
            body = answer.read(LARGEST + 1)
    except urllib.error.HTTPError as error:
        error.close()
        kind = NoRepository if error.code in _NOT_THERE else RepositoryError
        raise kind(f"{_shown(url)}: status {error.code}.") from error
    except (urllib.error.URLError, http.client.HTTPException, UrlsConnectionError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise RepositoryError(f"{_shown(url)} cannot be read: {reason}.") from error
    if len(body) > LARGEST:
        raise RepositoryError(f"{_shown(url)} has more than {LARGEST >> 20} MiB, which no index of Kubernetes has.")
    ending = next((name for name in _UNPACK if url.endswith(name)), "")
    try:
        return _UNPACK[ending](body) if ending else body
    except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:
        raise RepositoryError(f"{_shown(url)} cannot be unpacked: {error}.") from error


def _shown(url: str) -> str:
    """The address without a password that may stand in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
