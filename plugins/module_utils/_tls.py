# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What TLS asks of the servers of a cluster, and what the failure of a connection means, over TLS or not."""

from __future__ import annotations

import http.client
import socket
import ssl
import typing as t

# Certificates of authorities that kubeadm made up to 1.18 have no key identifiers, and are valid for ten years. Python
# asks for these from 3.13 on, Go and OpenSSL do not.
_STRICT = getattr(ssl, "VERIFY_X509_STRICT", 0)


def client_context(*, ca_file: str = "", ca_data: str = "") -> ssl.SSLContext:
    """TLS that checks the server's name and its CA, which is one of the system's where none is given."""
    context = ssl.create_default_context(cafile=ca_file or None, cadata=ca_data or None)
    context.verify_flags &= ~_STRICT
    return context


def accept_old_authorities(pool_manager: t.Any) -> None:
    """Have the connections of a urllib3.PoolManager check as those of `client_context` do. Raises OSError."""
    from urllib3.util import ssl_

    context = ssl_.create_urllib3_context()
    given = pool_manager.connection_pool_kw
    if not context.verify_flags & _STRICT or given.get("cert_reqs") == ssl.CERT_NONE:
        return
    context.verify_flags &= ~_STRICT
    # It is one context for all connections, so that all is read once.
    ca_file, ca_data = (given.pop(name, None) for name in ("ca_certs", "ca_cert_data"))
    if ca_file or ca_data:
        context.load_verify_locations(cafile=ca_file, cadata=ca_data)
    else:
        context.load_default_certs()
    certificate, key = (given.pop(name, None) for name in ("cert_file", "key_file"))
    if certificate:
        # A password callback keeps an encrypted key from asking on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    given["ssl_context"] = context


def cause(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({error.verify_message})"
    if refuses_client(error):
        return f"it does not accept the client certificate ({_said(error)})"
    if isinstance(error, socket.timeout):
        return "no byte came in time"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended in the middle of the answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def refuses_client(error: BaseException) -> bool:
    """Whether the server's alert is about the client certificate (RFC 8446, 6.2)."""
    said = _said(error)
    return "alert" in said and ("certificate" in said or "unknown ca" in said or "access denied" in said)


def no_protocol(error: BaseException) -> bool:
    """Whether the server's alert says that it speaks none of the protocols offered (RFC 7301, 3.2)."""
    return "no application protocol" in _said(error)


def _said(error: BaseException) -> str:
    """OpenSSL's own words for an error, without the names that Python has for some of them; empty for any other."""
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLCertVerificationError):
        return ""
    return (error.reason or str(error)).replace("_", " ").lower()
