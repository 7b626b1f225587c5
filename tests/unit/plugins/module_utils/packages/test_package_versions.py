# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions in the indexes of package repositories, and the search through them over HTTP."""

from __future__ import annotations

import bz2
import gzip
import lzma
import threading
import typing as t
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages import index, proxy, repository
from ansible_collections.evergreen.kubeadm.plugins.modules import package_versions

DEB = """\
Package: kubeadm
Version: 1.35.4-1.1
Description: one
 Package: kubeadm
 Version: 9.9.9-1

Package: kubeadm
Version: 1.35.3-1.1

Package: kubelet
Version: 1.35.9-1.1

Package: kubeadm
Version: 1.35.0~rc.1-1.1

Package: kubeadm
Version: nonsense
"""
REPOMD = b"""<?xml version="1.0"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo">
  <data type="filelists"><location href="repodata/f.xml.gz"/></data>
  <data type="primary"><location href="repodata/p.xml.xz"/></data>
</repomd>"""
PRIMARY = b"""<?xml version="1.0"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" packages="3">
  <package type="rpm"><name>kubeadm</name><version epoch="0" ver="1.35.4" rel="150500.1.1"/></package>
  <package type="rpm"><name>kubelet</name><version epoch="0" ver="1.35.9" rel="150500.1.1"/></package>
  <package type="rpm"><name>kubeadm</name><version epoch="0" ver="1.35.2" rel="150500.1.1"/></package>
</metadata>"""


def test_deb() -> None:
    assert [str(v) for v in index.deb_versions(DEB, "kubeadm")] == ["1.35.0-rc.1", "1.35.3", "1.35.4"]
    assert index.deb_versions("", "kubeadm") == []


def test_rpm() -> None:
    assert index.primary_index(REPOMD) == "repodata/p.xml.xz"
    assert [str(v) for v in index.rpm_versions(PRIMARY, "kubeadm")] == ["1.35.2", "1.35.4"]


@pytest.mark.parametrize("text", [b"", b"<html>", b"<repomd xmlns='http://linux.duke.edu/metadata/repo'/>"])
def test_what_is_no_index(text: bytes) -> None:
    with pytest.raises(index.UnreadableIndex):
        index.primary_index(text)


@pytest.mark.parametrize(
    ("running", "target", "expected"),
    [
        (["1.34"], "1.36", ["1.34", "1.35", "1.36"]),
        (["v1.10.3", "v1.9.4"], "v1.10.7", ["1.9", "1.10"]),
        (["v1.34.4"], "v1.34.4", ["1.34"]),
        (["1.36.3"], "1.34", []),
    ],
)
def test_minors(running: list[str], target: str, expected: list[str]) -> None:
    assert list(index.minors(running, target)) == expected


@pytest.mark.parametrize(("running", "target"), [([], None), (["1"], None), (["1.x"], None), (["1.34.4"], "2.0")])
def test_no_minors(running: list[str], target: str | None) -> None:
    with pytest.raises(EvergreenError):
        list(index.minors(running, target))


FILES: dict[str, tuple[int, bytes]] = {
    "/v1.34/deb/Packages": (200, DEB.replace("1.35", "1.34").encode()),
    "/v1.35/deb/Packages.gz": (200, gzip.compress(DEB.encode())),
    "/v1.35/rpm/repodata/repomd.xml": (200, REPOMD),
    "/v1.35/rpm/repodata/p.xml.xz": (200, lzma.compress(PRIMARY)),
    "/v1.30/deb/Packages.gz": (500, b""),
    "/v1.31/deb/Packages.gz": (200, b"no gzip"),
    "/v1.32/rpm/repodata/repomd.xml": (200, REPOMD),
    "/v1.32/rpm/repodata/p.xml.xz": (200, lzma.compress(PRIMARY)[:-20]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = FILES.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: t.Any) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


class Module:
    """What look() needs of an AnsibleModule."""

    def __init__(self, **params: t.Any) -> None:
        defaults = {name: option.get("default") for name, option in package_versions.ARGUMENT_SPEC.items()}
        self.params = {**defaults, **params}


def look(server: str, **params: t.Any) -> dict[str, t.Any]:
    url = f"{server}/v{{minor}}/{params.get('package_format', 'deb')}/"
    return package_versions.look(t.cast("t.Any", Module(**{"repository_url": url, **params})))


def test_an_open_end_stops_where_no_repository_is(server: str) -> None:
    found = look(server, running=["1.34"])
    assert found["minors"] == ["1.34", "1.35"]
    assert (found["newest"], found["missing"], found["changed"]) == ("1.35.4", [], False)
    assert found["versions"][0] == "1.34.0-rc.1"


def test_minors_that_were_asked_for_and_are_not_there(server: str) -> None:
    found = look(server, running=["1.35.3"], target="1.37.0")
    assert (found["minors"], found["missing"]) == (["1.35"], ["1.36", "1.37"])
    assert look(server, running=["1.36"], target="1.36")["newest"] is None


def test_rpm_over_http(server: str) -> None:
    assert look(server, package_format="rpm", running=["1.35"])["versions"] == ["1.35.2", "1.35.4"]


@pytest.mark.parametrize(("minor", "said"), [("1.30", "status 500"), ("1.31", "cannot be unpacked")])
def test_a_broken_repository_is_no_missing_one(server: str, minor: str, said: str) -> None:
    with pytest.raises(repository.RepositoryError, match=said) as error:
        look(server, running=[minor])
    assert not isinstance(error.value, repository.NoRepository)


def test_a_list_that_is_cut_off(server: str) -> None:
    with pytest.raises(repository.RepositoryError, match="cannot be unpacked: it is cut off"):
        look(server, package_format="rpm", running=["1.32"], target="1.32")


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_no_list_takes_all_memory(pack: t.Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A few hundred bytes can hold gigabytes; what is unpacked ends where what is read does."""
    monkeypatch.setattr(repository, "LARGEST", 1 << 20)
    ending = {gzip.compress: ".gz", lzma.compress: ".xz", bz2.compress: ".bz2"}[pack]
    unpacked = repository._UNPACK[ending](pack(bytes(8 << 20)))
    assert len(unpacked) == (1 << 20) + 1


def test_a_bomb_is_no_index(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "LARGEST", 1 << 20)
    monkeypatch.setitem(FILES, "/v1.29/deb/Packages.gz", (200, gzip.compress(bytes(8 << 20))))
    with pytest.raises(repository.RepositoryError, match="has more than 1 MiB"):
        look(server, running=["1.29"])


def test_a_server_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All minors are there or away together, and what waits for a name is bounded by no timeout of a socket."""
    monkeypatch.setattr(repository, "ANSWER_S", 0.2)
    asked = []

    def never(url: str, **_options: t.Any) -> t.Any:
        asked.append(url)
        threading.Event().wait()

    monkeypatch.setattr(repository, "open_url", never)
    with pytest.raises(repository.RepositoryError, match=r"https://m\.example/v1\.34/.* gave no answer within 0 s"):
        look("https://m.example", running=["1.34.4"], target="1.37.0")
    assert asked == ["https://m.example/v1.34/deb/Packages.gz"]


PROXY = "Acquire::http=\nAcquire::http::Proxy=http://p:3128/\n"


@pytest.mark.parametrize(
    ("dump", "url", "expected"),
    [
        (PROXY, "http://m.example/", {"http_proxy": "http://p:3128/"}),
        (PROXY, "https://m.example:8443/", {"https_proxy": "http://p:3128/"}),
        (PROXY + "Acquire::https::Proxy=http://q:1/\n", "https://m.example/", {"https_proxy": "http://q:1/"}),
        (PROXY + "Acquire::http::Proxy::m.example=DIRECT\n", "http://m.example/", {"no_proxy": "m.example"}),
        (PROXY + "Acquire::http::Proxy::m.example=DIRECT\n", "http://n.example/", {"http_proxy": "http://p:3128/"}),
        ("Acquire::http::Proxy=\n", "http://m.example/", {}),
        ("Acquire::https::Proxy=http://q:1/\n", "http://m.example/", {}),
        ("", "https://m.example/", {}),
    ],
)
def test_the_proxy_of_apt(dump: str, url: str, expected: dict[str, str]) -> None:
    assert proxy.variables(dump, url) == expected


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://user:geheim@127.0.0.1:1/{minor}", "cannot be read"),
        ("file:///etc/{minor}", "not an http or https address"),
        ("http://127.0.0.1:1/", "no {minor}"),
    ],
)
def test_unusable_addresses(url: str, said: str) -> None:
    with pytest.raises(EvergreenError, match=said) as error:
        look("", repository_url=url, running=["1.34"])
    assert "geheim" not in str(error.value)


def test_no_time_left(server: str) -> None:
    with pytest.raises(repository.RepositoryError, match="not asked any more"):
        look(server, running=["1.34"], timeout_s=0)
    assert repository.versions(f"{server}/v1.35/deb", "deb", "kubeadm", Deadline(5))
