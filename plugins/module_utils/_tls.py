# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the failure of a connection means, over TLS or not."""

from __future__ import annotations

import http.client
import socket
import ssl


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
