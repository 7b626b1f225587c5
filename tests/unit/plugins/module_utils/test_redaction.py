# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is hidden in a text, and what must stay for it to be of use."""

from __future__ import annotations

import base64
import hashlib
import time

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import HIDDEN, redact

# No secret stands here as a whole: each is put together when the tests run.
BEGIN, END = "-----BEGIN {}PRIVATE KEY-----", "-----END {}PRIVATE KEY-----"
BODY = [base64.b64encode(hashlib.sha512(str(number).encode()).digest()).decode()[:64] for number in range(25)]
PEM = "\n".join([BEGIN.format("RSA "), *BODY, "c2hvcnQ9", END.format("RSA ")])
PEM_BASE64 = base64.b64encode(PEM.encode()).decode()
JWT = "eyJ" + "hbGciOiJSUzI1NiIsImtpZCI6" + ".eyJ" + "pc3MiOiJrdWJlcm5ldGVz" + ".c2lnbmF0dXJl"
BOOTSTRAP = "abcdef" + "." + "0123456789abcdef"
CERTIFICATE_KEY = hashlib.sha256(b"certificate key").hexdigest()
AWS_ID, AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY"
GITHUB = "ghp" + "_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6"
WORD = "hunter" + "2x"
AGE = "AGE-SECRET" + "-KEY-1" + "QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSQKQAA8"
SLACK = "https://hooks.slack.com/" + "services/T012AB3CD/B045EF6GH/aB3dE6gH9jK2mN5pQ8sT1vW4"

SECRETS = {
    "bearer token": (f"Authorization: Bearer {JWT}", JWT),
    "bearer token that is no JWT": ("curl -H 'Authorization: Bearer 0123abcdEFGH'", "0123abcdEFGH"),
    "header as Go prints a map": (f"headers=map[Accept:[*/*] Authorization:[Bearer {WORD}ab]]", WORD),
    "header of a proxy": ("Proxy-Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    "basic auth": ('"Authorization":"Basic dXNlcjpwYXNz"', "dXNlcjpwYXNz"),
    "basic auth alone": ("sent Basic dXNlcjpwYXNzd29yZA== to the registry", "dXNlcjpwYXNzd29yZA"),
    "cookie": ("Set-Cookie: session=abc123; Path=/", "abc123"),
    "private key": (f"before\n{PEM}\nafter", BODY[3]),
    "end of a private key": (f"before\n{PEM}\nafter", "c2hvcnQ9"),
    "private key in a line of JSON": ('{"private_key":"' + PEM.replace("\n", "\\n") + '","x":1}', BODY[7]),
    "private key in a log": ("\n".join(f"Nov 21 node1 kubelet[7]: {line}" for line in PEM.split("\n")), BODY[9]),
    "private key without its end": (PEM.rpartition("\n")[0], "c2hvcnQ9"),
    "private key without its beginning": (PEM.partition("\n")[2], BODY[0]),
    "the last line of a key without its beginning": (PEM.partition("\n")[2], "c2hvcnQ9"),
    "the middle of a private key": ("\n".join(BODY[4:9]), BODY[5]),
    "encrypted private key": (PEM.replace("RSA ", "ENCRYPTED "), BODY[1]),
    "key of an SSH user": (PEM.replace("RSA ", "OPENSSH "), BODY[1]),
    "key in a kubeconfig": (f"    client-key-data: {PEM_BASE64}\n", PEM_BASE64[:40]),
    "key in a kubeconfig as JSON": ('{"client-key-data":"' + PEM_BASE64 + '"}', PEM_BASE64[:40]),
    "key in base64 alone": (f"read {PEM_BASE64} bytes", PEM_BASE64[:40]),
    "token in a kubeconfig": (f"  user:\n    token: {WORD}\n", WORD),
    "password in a kubeconfig": (f"    password: {WORD} two words\n", "two words"),
    "token in quotes": (f"token: '{WORD} {WORD}'", WORD),
    "bootstrap token": (f"kubeadm join 10.0.0.1:6443 --token {BOOTSTRAP} --v=5", "0123456789abcdef"),
    "bootstrap token at the end of a sentence": (f"The token is {BOOTSTRAP}.", "0123456789abcdef"),
    "bootstrap token in JSON": (f'{{"x":"{BOOTSTRAP}"}}', "0123456789abcdef"),
    "certificate key as a flag": (f"--certificate-key {CERTIFICATE_KEY}", CERTIFICATE_KEY),
    "certificate key as kubeadm prints it": (
        f"[upload-certs] Using certificate key:\n{CERTIFICATE_KEY}\n",
        CERTIFICATE_KEY,
    ),
    "certificate key in a configuration": (f"certificateKey: {CERTIFICATE_KEY}", CERTIFICATE_KEY),
    "password in a URL": (f"https://robot:{WORD}@registry.example/v2/", WORD),
    "password with an at sign in a URL": (f"http://robot:a@{WORD}@proxy.example:3128", WORD),
    "token in a URL": (f"git clone https://{GITHUB}@github.com/x/y", GITHUB[:20]),
    "token in a query": (f"GET /x?watch=true&access_token={WORD}&limit=5", WORD),
    "signature in a query": (f"https://x.blob.example/b?sv=1&sig={WORD}%3D", WORD),
    "flag": (f"--token={WORD}", WORD),
    "flag with a blank": (f"/usr/bin/tool --registry-password {WORD} --x", WORD),
    "flag in a list of Go": (f'exec ["tool","--password","{WORD}"]', WORD),
    "flag in a list of YAML": (f"  - --password\n  - {WORD}\n", WORD),
    "environment of systemd": (f'Environment="DB_PASSWORD={WORD} and more" "A=b"', "and more"),
    "environment of a process": (f"AWS_SECRET_ACCESS_KEY={AWS_KEY} HOME=/root", AWS_KEY),
    "id of a cloud key": (f"using {AWS_ID} now", AWS_ID),
    "file of variables": (f"export AZURE_CLIENT_SECRET={WORD} x y\n", "x y"),
    "environment in a manifest": (f"    - name: API_TOKEN\n      value: {WORD}\n", WORD),
    "environment in JSON": (f'[{{"name":"API_TOKEN","value":"{WORD}"}}]', WORD),
    "text of several lines": (f"password: |\n  {WORD}\n  more\nother: kept\n", "more"),
    "JSON in a quoted text": (f'err="body {{\\"password\\":\\"{WORD}\\"}}"', WORD),
    "login of a registry": ('{"auths":{"r.example":{"auth":"dXNlcjpwYXNz"}}}', "dXNlcjpwYXNz"),
    "key of encryption at rest": ("keys:\n- name: key1\n  secret: c2VjcmV0IGlzIHNlY3VyZQ==\n", "c2VjcmV0IGlz"),
    "key of a cloud's storage": (f"AccountName=x;AccountKey={WORD}==;", WORD),
    "token of GitHub": (f"said {GITHUB}", GITHUB[:20]),
    "environment, a short name": (f"SMTP_PASS={WORD} HOME=/root", WORD),
    "pass in YAML": (f"smtp:\n  pass: {WORD}\n", WORD),
    "pass in JSON": (f'{{"user":"x","pass":"{WORD}"}}', WORD),
    "pass in a command": (f"docker run -e PASS={WORD} x", WORD),
    "pass as a flag": (f"tool --smtp-pass {WORD}", WORD),
    "pass in a name of two words": (f"smtpPass: {WORD}", WORD),
    "passcode": (f"passcode={WORD}", WORD),
    "key of a wireless network": (f"    psk: {WORD}", WORD),
    "PIN": ("SOFTHSM_PIN=123456", "123456"),
    "PIN of a token in JSON": ('{"pin": "123456"}', "123456"),
    "environment in a manifest, the value first": (f"    - value: {WORD} more\n      name: DB_PASSWORD\n", WORD),
    "environment in quotes, the value first": (f"    - value: '{WORD}'\n      name: 'DB_PASSWORD'\n", WORD),
    "environment in JSON, the value first": (f'[{{"value":"{WORD}","name":"API_TOKEN"}}]', WORD),
    "key of age": (f"# public key: age1x\n{AGE}\n", AGE[:40]),
    "key of age alone": (AGE, AGE[:40]),
    "webhook of Slack": (SLACK, "T012AB3CD"),
    "webhook of Slack in a configuration": (f"slack_api_url: '{SLACK}'", "B045EF6GH"),
    "webhook of Discord": ("POST https://discord.com/api/webhooks/12345/" + WORD, WORD),
    "key of Stripe": ("sk" + "_live_" + "4eC39HqLyjWDarjtT1zdp7dc", "4eC39HqLyj"),
    "login of curl": (f"curl -u robot:{WORD} https://x.example", WORD),
    "login of curl in quotes": (f"curl --user 'robot:{WORD}' https://x.example", WORD),
    "login of curl in a list of Go": (f'exec ["curl","-u","robot:{WORD}"]', WORD),
    "source of MySQL": (f"robot:{WORD}@tcp(db.example:3306)/shop", WORD),
    "source of MySQL with signs": (f'dsn="robot:a@b/{WORD}@tcp(db.example:3306)/shop"', WORD),
    "password with a slash in a URL": (f"http://robot:pa/{WORD}@proxy.example:3128", WORD),
    "password with a slash and an at sign in a URL": (f"http://robot:p/a@{WORD}@proxy.example:3128", WORD),
    "key in hexadecimal": (f"aes_key: {CERTIFICATE_KEY}", CERTIFICATE_KEY),
    "key in hexadecimal, in a file of variables": (f"KEY={CERTIFICATE_KEY[:32]}", CERTIFICATE_KEY[:32]),
    "key in hexadecimal, in JSON": (f'{{"aesKey":"{CERTIFICATE_KEY.upper()}"}}', CERTIFICATE_KEY.upper()),
}


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_it_is_hidden(text: str, secret: str) -> None:
    assert secret in text
    made = redact(text)
    assert secret not in made
    assert HIDDEN in made
    assert redact(made) == made, "a second time changes nothing"


KEPT = [
    'Error: unknown flag: --token-ttl-foo\nE0101 run.go:72] "command failed" err="unknown flag: --foo"',
    "    - --tls-private-key-file=/etc/kubernetes/pki/apiserver.key",
    "    - --kubelet-client-key=/etc/kubernetes/pki/apiserver-kubelet-client.key",
    "    - --service-account-key-file=/etc/kubernetes/pki/sa.pub",
    "    - --client-cert-auth=true",
    "    - --etcd-servers=https://127.0.0.1:2379",
    "    - --authorization-mode=Node,RBAC",
    "image: registry.k8s.io/pause@sha256:" + CERTIFICATE_KEY,
    "--discovery-token-ca-cert-hash sha256:" + CERTIFICATE_KEY,
    "automountServiceAccountToken: false",
    "volumes:\n- name: certs\n  secret:\n    secretName: web-tls\n",
    'dial tcp 127.0.0.1:2379: connect: connection refused". Reconnecting...',
    "ssh://root@node1 and https://node1:6443/readyz?verbose=true",
    "write /var/lib/etcd/member/snap/db: no space left on device",
    "the registry wants Basic authentication",
    'Bearer realm="https://auth.example/token"',
    "/var/log/pods/kube-system_kube-apiserver-cp1_0a1b2c3d4e5f60718293a4b5c6d7e8f9/kube-apiserver/3.log",
    'Failed to pull image "registry.k8s.io/kube-apiserver:v1.36.9": manifest unknown',
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "/srv/upgrade_of_Friday/artifacts/diagnostics/20261122T002634Z-01f0/worker-1/kubelet-log-of-the-node",
    "/SRV/Upgrade1/Artifacts/Diagnostics/Run20261122T002634Z/Worker1/Kubelet/Log",
    "pod/pass-through-0 and web-pass-7d9f8bcd5-x2x9k are Running",
    "passive: 3, passed=4, compass: north, bypass=yes, PASSED: 12",
    "On the second pass: 3 pods",
    "[PASS] 1.1.1 Ensure that the API server pod specification file permissions are set",
    "Pin: version 1.34.4-*\nPin-Priority: 1001",
    "spin: 1234, shipping: 5678",
    f"containerd://{CERTIFICATE_KEY} Running",
    f"CONTAINER  IMAGE\n{CERTIFICATE_KEY[:13]}  {CERTIFICATE_KEY}",
    f"https://registry.example:5000/img@sha256:{CERTIFICATE_KEY}",
    f"registry.example:5000/img:v1@sha256:{CERTIFICATE_KEY}",
    f"SHA256 Fingerprint={':'.join(CERTIFICATE_KEY[i : i + 2] for i in range(0, 64, 2)).upper()}",
    f"fingerprint: {CERTIFICATE_KEY}",
    'podUID="0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9" key="kube-system/coredns"',
    "signing key: DE15B14486CD377B9E876E1A234654DA9A296436",
    "GET http://localhost:8080/users/me@example.com/x",
    "https://host.example/path:x@y?z=a:b@c",
    "sudo -u postgres psql, docker run --user 1000:1000 x, journalctl -u kubelet: ok",
    "    - value: info\n      name: LOG_LEVEL\n    - name: MODE\n      value: fast\n",
    '[{"name":"A","value":"1"},{"name":"DB_HOST","value":"db"}]',
    "disk-0123 task-sk-runner-abcdefghijklmnopqrst",
    "10.96.0.1:443 v1.35.4 node1.example.org kube-proxy-abcde",
]


@pytest.mark.parametrize("text", KEPT)
def test_it_stays(text: str) -> None:
    assert redact(text) == text


def test_what_is_around_a_secret_stays() -> None:
    assert redact(f"before\n{PEM}\nafter") == f"before\n{HIDDEN}\nafter"
    assert redact(f"GET /x?a=1&token={WORD}&b=2") == f"GET /x?a=1&token={HIDDEN}&b=2"
    assert redact(f"https://robot:{WORD}@r.example/v2") == f"https://robot:{HIDDEN}@r.example/v2"
    assert redact(f'password="{WORD}" user="x"') == f'password="{HIDDEN}" user="x"'
    assert redact("") == ""


def test_a_large_log_takes_no_more_than_some_seconds() -> None:
    line = 'I0101 00:00:00.000000 1 trace.go:236] Trace[1]: "Update" url:/api/v1/x,token-kind:y,audit-id:0a1b 500ms\n'
    text = line * (1_000_000 // len(line))
    begin = time.monotonic()
    assert redact(text) == text
    assert time.monotonic() - begin < 20
    # Nothing but what a name of a secret may be made of.
    begin = time.monotonic()
    redact("a-b." * 50_000 + "\n" + "--" * 50_000 + "\n" + "x" * 200_000)
    assert time.monotonic() - begin < 20
