# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""TLS to etcd for every client in this collection."""

from __future__ import annotations

import ssl

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _tls
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Access, EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._tls import cause, no_protocol


def client_context(access: Access) -> ssl.SSLContext:
    """TLS that checks the server's name and CA and shows the client certificate."""
    try:
        context = _tls.client_context(ca_file=access.ca_cert)
        if access.client_cert:
            # A password callback keeps an encrypted key from asking on the terminal.
            context.load_cert_chain(access.client_cert, access.client_key, password=lambda: b"")
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(path for path in (access.ca_cert, access.client_cert, access.client_key) if path)
        raise EtcdError(
            f"The certificates for etcd ({files}) could not be loaded: {cause(error)}.",
            hint="Run this as root on a control-plane node, or set ca_cert, client_cert and client_key.",
        ) from None
    return context


def hint(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "Set ca_cert to the CA that signed etcd's server certificate."
    if isinstance(error, ssl.SSLError) and not no_protocol(error):
        return "Set client_cert and client_key to a certificate that etcd's trusted CA signed."
    return ""
