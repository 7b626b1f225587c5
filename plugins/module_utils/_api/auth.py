# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""From module options to a Client. The options have the names that kubernetes.core uses."""

from __future__ import annotations

import logging
import os
import typing as t
import urllib.request
from urllib.parse import urlsplit

from ansible.module_utils.common.parameters import env_fallback

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import Client, Proxy
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ConfigurationError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel_option import TUNNEL_OPTION
from ansible_collections.evergreen.kubeadm.plugins.module_utils._tls import accept_old_authorities

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel import Tunnel

# Threads of one task that talk to the API at the same time.
CONNECTIONS = 32


class InlineKubeconfig(str):
    """A kubeconfig that was given by its content. It looks like a note, so that no result shows what is in it."""

    content: t.Any

    def __new__(cls, content: t.Any) -> InlineKubeconfig:
        self = super().__new__(cls, "(given by content)")
        self.content = content
        return self


def kubeconfig_option(value: t.Any) -> t.Any:
    """The value of the option: a path stays a path, a dict or YAML becomes an InlineKubeconfig."""
    if isinstance(value, dict):
        return InlineKubeconfig(value)
    if isinstance(value, str):
        text = value.lstrip()
        if "\n" in value or text.startswith(("{", "apiVersion:")):
            return InlineKubeconfig(value)
        return os.path.expanduser(os.path.expandvars(value))
    raise TypeError("a path, a dict or the YAML of a kubeconfig is needed")


class _KubeconfigType(str):
    """The documented type ``raw``, that converts by `kubeconfig_option`.

    ``no_log`` instead would take every string of the kubeconfig for a secret,
    ``v1`` and ``kubernetes`` too, and blank them out of all results.
    """

    def __call__(self, value: t.Any) -> t.Any:
        return kubeconfig_option(value)


def _from_environment(*names: str) -> tuple[t.Any, list[str]]:
    return (env_fallback, [f"K8S_AUTH_{name}" for name in names])


AUTH_ARGUMENT_SPEC: dict[str, t.Any] = {
    "kubeconfig": {"type": _KubeconfigType("raw"), "fallback": _from_environment("KUBECONFIG")},
    "context": {"type": "str", "fallback": _from_environment("CONTEXT")},
    "host": {"type": "str", "fallback": _from_environment("HOST")},
    "api_key": {"type": "str", "no_log": True, "fallback": _from_environment("API_KEY")},
    "username": {"type": "str", "fallback": _from_environment("USERNAME")},
    "password": {"type": "str", "no_log": True, "fallback": _from_environment("PASSWORD")},
    "validate_certs": {"type": "bool", "aliases": ["verify_ssl"], "fallback": _from_environment("VERIFY_SSL")},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"], "fallback": _from_environment("SSL_CA_CERT")},
    "client_cert": {"type": "path", "aliases": ["cert_file"], "fallback": _from_environment("CERT_FILE")},
    # The path of a key is no secret.
    "client_key": {
        "type": "path",
        "no_log": False,
        "aliases": ["key_file"],
        "fallback": _from_environment("KEY_FILE"),
    },
    "proxy": {"type": "str", "fallback": _from_environment("PROXY")},
    "no_proxy": {"type": "str", "fallback": _from_environment("NO_PROXY")},
    "proxy_headers": {
        "type": "dict",
        "options": {
            "proxy_basic_auth": {
                "type": "str",
                "no_log": True,
                "fallback": _from_environment("PROXY_HEADERS_PROXY_BASIC_AUTH"),
            },
            "basic_auth": {"type": "str", "no_log": True, "fallback": _from_environment("PROXY_HEADERS_BASIC_AUTH")},
            "user_agent": {"type": "str", "fallback": _from_environment("PROXY_HEADERS_USER_AGENT")},
        },
    },
    "persist_config": {"type": "bool", "fallback": _from_environment("PERSIST_CONFIG")},
    "impersonate_user": {"type": "str", "fallback": _from_environment("IMPERSONATE_USER")},
    "impersonate_groups": {
        "type": "list",
        "elements": "str",
        "fallback": _from_environment("IMPERSONATE_GROUPS"),
    },
    "ssh_tunnel": TUNNEL_OPTION,
}


def connect(module_params: t.Mapping[str, t.Any]) -> Client:
    """A Client for the options of AUTH_ARGUMENT_SPEC. No request is made yet.

    With ssh_tunnel the SSH session is opened. Raises ConfigurationError where a
    library is missing or the configuration cannot be used, and a permanent
    ApiUnreachable where the SSH server refuses, or is not the one that is known.
    """
    try:
        import urllib3
        from kubernetes.client.configuration import Configuration
        from kubernetes.client.rest import RESTClientObject
    except ImportError as error:
        raise ConfigurationError(
            f"The Python library kubernetes cannot be imported where this task runs: {error}.",
            hint="Install kubernetes >= 24.2.0 for the Python of this task, or run it on the controller.",
        ) from error
    params = {**dict.fromkeys(AUTH_ARGUMENT_SPEC), **module_params}
    configuration = Configuration()
    # Versions of the library differ in what they read from the environment; it is read below instead.
    configuration.proxy = None
    _load(configuration, params)
    _override(configuration, params)
    _keep_while_renewing(configuration)
    if not configuration.verify_ssl:
        # Who asks for it knows; the library would say so at each request.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    tunnel = _tunnel(params)
    # The SSH server connects to the API server itself; a proxy that is known here is none that it knows.
    configuration.proxy = (
        None if tunnel else params["proxy"] or configuration.proxy or environment_proxy(configuration.host)
    )
    configuration.no_proxy = params["no_proxy"] or ""
    configuration.connection_pool_maxsize = CONNECTIONS
    if params["proxy_headers"]:
        given = {name: value for name, value in params["proxy_headers"].items() if value}
        configuration.proxy_headers = urllib3.util.make_headers(**given)
    try:
        pool_manager = RESTClientObject(configuration).pool_manager
        accept_old_authorities(pool_manager)
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        raise ConfigurationError(f"The connection to {configuration.host} cannot be set up: {error}.") from error
    ssh_server = None
    if tunnel:
        from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel import lead_through

        ssh_server = Proxy("ssh", tunnel.options.host, tunnel.options.port, {})
        lead_through(pool_manager, tunnel)
        tunnel.prepare()
    return Client(
        configuration, pool_manager, base_url=configuration.host, headers=_headers(params), ssh_server=ssh_server
    )


def _tunnel(params: dict[str, t.Any]) -> Tunnel | None:
    if not params["ssh_tunnel"]:
        return None
    if params["proxy"]:
        raise ConfigurationError(
            "The options ssh_tunnel and proxy are two ways to the API server; only one of them can be used.",
            hint="Remove one of them; the environment variable K8S_AUTH_PROXY also sets proxy.",
        )
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel import tunnel_for

    return tunnel_for(params["ssh_tunnel"])


def _load(configuration: t.Any, params: dict[str, t.Any]) -> None:
    """Fill `configuration` from a kubeconfig, or from the pod that this runs in."""
    from kubernetes import config as loader

    kubeconfig, context = params["kubeconfig"], params["context"]
    complete = params["host"] and (params["api_key"] or params["client_cert"] or params["username"])
    if complete and not kubeconfig and not context:
        return
    persist = bool(params["persist_config"])
    complaints = _Complaints()
    logging.getLogger().addHandler(complaints)
    where = f"the kubeconfig {kubeconfig}" if kubeconfig else "the default kubeconfig"
    try:
        if kubeconfig and not isinstance(kubeconfig, InlineKubeconfig):
            kubeconfig = kubeconfig_option(kubeconfig)
        if isinstance(kubeconfig, InlineKubeconfig):
            loader.load_kube_config_from_dict(
                _parsed(kubeconfig.content), context, client_configuration=configuration, persist_config=False
            )
        elif kubeconfig or context or _default_kubeconfig_exists():
            if kubeconfig and not os.path.isfile(kubeconfig):
                raise ConfigurationError(f"The kubeconfig {kubeconfig} does not exist where this task runs.")
            # The library reads KUBECONFIG when it is imported, which may be too early.
            path = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
            loader.load_kube_config(path, context, client_configuration=configuration, persist_config=persist)
        elif "KUBERNETES_SERVICE_HOST" in os.environ:
            where = "the service account of this pod"
            loader.load_incluster_config(client_configuration=configuration)
        elif not params["host"]:
            raise ConfigurationError(
                "There is no connection to a cluster: neither kubeconfig nor host is given, "
                "and ~/.kube/config does not exist where this task runs.",
                hint="Set kubeconfig, or K8S_AUTH_KUBECONFIG in the environment of the task.",
            )
    except loader.ConfigException as error:
        names = _context_names(kubeconfig)
        if context and names is not None and context not in names:
            listed = ", ".join(names) or "none"
            raise ConfigurationError(f"There is no context {context!r} in {where}; it has: {listed}.") from error
        raise ConfigurationError(f"{where[:1].upper()}{where[1:]} cannot be used: {error}.") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(
            f"{where[:1].upper()}{where[1:]} cannot be read: {type(error).__name__}: {error}."
        ) from error
    finally:
        logging.getLogger().removeHandler(complaints)
    has_credentials = configuration.api_key or configuration.cert_file or complete
    if complaints.seen and not has_credentials:
        # The library logs a failed exec plugin and goes on without credentials.
        raise ConfigurationError(
            f"{where[:1].upper()}{where[1:]} gave no credentials: {'; '.join(complaints.seen)}.",
            hint="Run the exec plugin of the kubeconfig by hand, as the user of this task.",
        )


class _Complaints(logging.Handler):
    """Collects what the library logs as errors while it loads a configuration."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage().strip())


def _parsed(content: t.Any) -> dict[str, t.Any]:
    if isinstance(content, str):
        import yaml

        try:
            content = yaml.safe_load(content)
        except yaml.YAMLError as error:
            # The message of the error quotes the text, which holds secrets.
            raise ConfigurationError("The content that is given as kubeconfig is not YAML.") from error
    if not isinstance(content, dict):
        raise ConfigurationError("The content that is given as kubeconfig is not a mapping.")
    return content


def _default_kubeconfig_exists() -> bool:
    # KUBECONFIG may name several files, as kubectl reads it.
    paths = os.environ.get("KUBECONFIG") or "~/.kube/config"
    return any(os.path.isfile(os.path.expanduser(path)) for path in paths.split(os.pathsep) if path)


def _context_names(kubeconfig: t.Any) -> list[str] | None:
    from kubernetes import config as loader

    try:
        if isinstance(kubeconfig, InlineKubeconfig):
            contexts = _parsed(kubeconfig.content).get("contexts") or []
        else:
            contexts = loader.list_kube_config_contexts(kubeconfig)[0]
        return [context["name"] for context in contexts]
    except (loader.ConfigException, ConfigurationError, OSError, KeyError, TypeError):
        return None


def _override(configuration: t.Any, params: dict[str, t.Any]) -> None:
    """Let explicit options win over what was loaded."""
    for option, attribute in (
        ("host", "host"),
        ("validate_certs", "verify_ssl"),
        ("ca_cert", "ssl_ca_cert"),
        ("client_cert", "cert_file"),
        ("client_key", "key_file"),
    ):
        if params[option] is not None and params[option] != "":
            setattr(configuration, attribute, params[option])
    for option in ("ca_cert", "client_cert", "client_key"):
        path = params[option]
        if path and not os.path.isfile(path):
            raise ConfigurationError(f"The file {path} of the option {option} does not exist where this task runs.")
    value = None
    if params["api_key"]:
        value = f"Bearer {params['api_key']}"
    elif params["username"] and params["password"] is not None:
        import urllib3

        value = urllib3.util.make_headers(basic_auth=f"{params['username']}:{params['password']}")["authorization"]
    if value:
        # All versions of the library know the key by this name.
        configuration.api_key = {"authorization": value}
        configuration.refresh_api_key_hook = None


def _keep_while_renewing(configuration: t.Any) -> None:
    """Let the hook that renews a token change the token only.

    That of the library sets everything else as it is in the kubeconfig again.
    """
    renew = configuration.refresh_api_key_hook
    if renew is None:
        return
    names = ("host", "ssl_ca_cert", "cert_file", "key_file", "verify_ssl", "proxy", "no_proxy")
    kept: dict[str, t.Any] = {}

    def renew_token_only(target: t.Any) -> None:
        if not kept:
            kept.update({name: getattr(target, name, None) for name in names})
        renew(target)
        for name, value in kept.items():
            setattr(target, name, value)

    configuration.refresh_api_key_hook = renew_token_only


def _headers(params: dict[str, t.Any]) -> list[tuple[str, str]]:
    headers = []
    if params["impersonate_user"]:
        headers.append(("Impersonate-User", params["impersonate_user"]))
    headers.extend(("Impersonate-Group", group) for group in params["impersonate_groups"] or [])
    return headers


def environment_proxy(host: str) -> str | None:
    """The proxy that the environment names for `host`, by the rules of Go programs: never for loopback."""
    address = urlsplit(host)
    name = address.hostname or ""
    if name == "localhost" or name.startswith("127.") or name == "::1":
        return None
    if urllib.request.proxy_bypass_environment(address.netloc.rpartition("@")[2]):  # type: ignore[attr-defined]
        return None
    return urllib.request.getproxies_environment().get(address.scheme)
