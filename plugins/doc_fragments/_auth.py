# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - kubernetes >= 24.2.0
  - PyYAML
attributes:
  action_group:
    description: Use C(group/evergreen.kubeadm.api) in C(module_defaults) to set options for all modules of the API.
    support: full
    membership:
      - evergreen.kubeadm.api
options:
  kubeconfig:
    description:
      - The path of a kubeconfig, or its content as a dictionary or as YAML.
      - Without it, and without O(host), the file that the environment variable E(KUBECONFIG) names is used, else
        C(~/.kube/config), else the service account of the pod that the task runs in.
      - Environment variable E(K8S_AUTH_KUBECONFIG).
    type: raw
  context:
    description:
      - The name of a context in the kubeconfig.
      - Environment variable E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - The URL of the API server. It wins over that of the kubeconfig.
      - Environment variable E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - A bearer token.
      - Environment variable E(K8S_AUTH_API_KEY).
    type: str
  username:
    description:
      - A user name for HTTP basic authentication, which API servers themselves do not take; a proxy before them may.
      - Environment variable E(K8S_AUTH_USERNAME).
    type: str
  password:
    description:
      - The password of O(username).
      - Environment variable E(K8S_AUTH_PASSWORD).
    type: str
  validate_certs:
    description:
      - Whether to check the certificate of the API server.
      - Environment variable E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description:
      - The path of the CA certificates that the API server is checked against.
      - Environment variable E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - The path of a client certificate.
      - Environment variable E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - The path of the key of O(client_cert).
      - Environment variable E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  proxy:
    description:
      - The URL of an HTTP proxy to the API server.
      - Without it, the proxy of the kubeconfig or of the environment is used.
      - Environment variable E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description:
      - Hosts that are reached without the proxy, separated by commas.
      - Environment variable E(K8S_AUTH_NO_PROXY).
    type: str
  proxy_headers:
    description: Headers for the proxy.
    type: dict
    suboptions:
      proxy_basic_auth:
        description:
          - C(user:password) for the proxy.
          - Environment variable E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH).
        type: str
      basic_auth:
        description:
          - C(user:password) for basic authentication.
          - Environment variable E(K8S_AUTH_PROXY_HEADERS_BASIC_AUTH).
        type: str
      user_agent:
        description:
          - The name that the proxy is told.
          - Environment variable E(K8S_AUTH_PROXY_HEADERS_USER_AGENT).
        type: str
  persist_config:
    description:
      - Whether renewed tokens are written back into the kubeconfig.
      - Environment variable E(K8S_AUTH_PERSIST_CONFIG).
    type: bool
  impersonate_user:
    description:
      - The user that the requests are made for.
      - Environment variable E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description:
      - The groups that the requests are made for.
      - Environment variable E(K8S_AUTH_IMPERSONATE_GROUPS).
    type: list
    elements: str
  ssh_tunnel:
    description:
      - Reach the API server through an SSH server, such as a bastion or a control-plane node, as C(ssh -L) does it.
        Nothing listens on this machine. The SSH server resolves the name of the API server and connects to it, and has
        to allow forwarding. TLS is checked as without the tunnel.
      - Users log in by key. C(~/.ssh/config) is not read. The host key has to be known beforehand.
      - A session that breaks is opened again where the task still has time. O(proxy) cannot be set as well, and the
        proxy of the kubeconfig and of the environment is not used.
      - Needs the Python library paramiko >= 3.4.0 where the task runs.
    type: dict
    suboptions:
      host:
        description: The name or the address of the SSH server.
        type: str
        required: true
      port:
        description: The port of the SSH server.
        type: int
        default: 22
      user:
        description: The user to log in as. Without it, the one that the task runs as.
        type: str
      key_file:
        description:
          - The path of a private key in the format of OpenSSH, or of RSA or EC in PEM. A certificate beside it, with
            C(-cert.pub) at the end of the name, is used too.
          - Without it, the keys of ssh-agent are tried, then C(id_ed25519), C(id_ecdsa) and C(id_rsa) in C(~/.ssh).
        type: path
        aliases: [private_key_file]
      key_passphrase:
        description:
          - The passphrase of O(ssh_tunnel.key_file).
          - A key that needs one is taken from ssh-agent where it is not given.
        type: str
      known_hosts:
        description:
          - The path of a file with the host keys that are trusted, see the manual of sshd.
          - Without it, C(~/.ssh/known_hosts) and C(/etc/ssh/ssh_known_hosts) are read.
        type: path
      host_key:
        description:
          - The host key itself, as a line of a public key file (C(ssh-ed25519 AAAA...)) or as a fingerprint
            (C(SHA256:...)). No file is read then.
          - A server with several keys shows the one of the type that is asked for. With a public key that is its type;
            with a fingerprint it is the first that the server has of ed25519, ecdsa and rsa.
        type: str
      connect_timeout:
        description: How many seconds it may take to reach the SSH server and to log in.
        type: int
        default: 10
"""

    TIMEOUT = r"""
options:
  timeout_s:
    description: Seconds to go on trying where the API server gives no answer.
    type: int
    default: 60
"""

    # Of what reads a whole cluster and finds what stands in the way.
    FINDINGS = r"""
options:
  inventory_hosts:
    description:
      - Names of nodes by the hosts of the inventory that are these nodes. Two hosts that are one node are a blocker.
    type: dict
    default: {}
  accepted_findings:
    description:
      - Findings that do not count. They are returned in RV(accepted) with their reason.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: The C(id) of the finding.
        type: str
        required: true
      reason:
        description: Why it does not matter here.
        type: str
        required: true
      subject:
        description: The C(subject) of the finding. Without it, findings on any subject are accepted.
        type: str
"""
