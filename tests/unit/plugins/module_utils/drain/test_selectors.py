# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Label selectors of users and of the API."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.selectors import from_object, meets, parse
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

Json = dict[str, t.Any]


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        (None, {"app": "web"}, False),
        ({}, {"app": "web"}, True),
        ({"matchLabels": {"app": "web"}}, {"app": "web", "x": "y"}, True),
        ({"matchLabels": {"app": "web", "x": "z"}}, {"app": "web", "x": "y"}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]}, {"app": "db"}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, {}, False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, {}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, {"app": "web"}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, {"app": ""}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, {"app": ""}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Later"}]}, {"app": ""}, False),
    ],
)
def test_selector_of_the_api(selector: Json | None, labels: Json, expected: bool) -> None:
    assert meets(from_object(selector), labels) is expected


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("", {}, True),
        ("app=web", {"app": "web"}, True),
        ("app==web", {"app": "web"}, True),
        ("app = web", {"app": "db"}, False),
        ("app=", {"app": ""}, True),
        ("app=", {}, False),
        ("app!=web", {}, True),
        ("app!=web", {"app": "web"}, False),
        ("app=web,tier=front", {"app": "web", "tier": "front"}, True),
        ("app=web,tier=front", {"app": "web"}, False),
        ("tier in (front, back),app", {"tier": "back", "app": "x"}, True),
        ("tier in (front,back)", {}, False),
        ("tier notin (front,back)", {}, True),
        ("tier notin (front,back)", {"tier": "front"}, False),
        ("gpu", {"gpu": ""}, True),
        ("!gpu", {"gpu": ""}, False),
        ("!gpu", {}, True),
        ("example.org/size>3", {"example.org/size": "4"}, True),
        ("example.org/size>3", {"example.org/size": "3"}, False),
        ("example.org/size<3", {"example.org/size": "2"}, True),
        ("example.org/size<3", {"example.org/size": "many"}, False),
        ("size>3", {}, False),
    ],
)
def test_selector_in_words(text: str, labels: dict[str, str], expected: bool) -> None:
    assert meets(parse(text), labels) is expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("app=web,", ""),
        ("app=we b", "app=we b"),
        ("a=b,tier in front", "tier in front"),
        ("tier in (a,b c)", "tier in (a,b c)"),
        ("size>many", "size>many"),
        ("=web", "=web"),
        ("-app=web", "-app=web"),
        ("app=web tier=x", "app=web tier=x"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, part: str) -> None:
    with pytest.raises(EvergreenError) as caught:
        parse(text)
    assert repr(part) in caught.value.message and repr(text) in caught.value.message


def test_no_selector_selects_nothing() -> None:
    assert not meets(from_object(None), {})
