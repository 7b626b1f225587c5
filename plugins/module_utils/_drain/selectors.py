# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Label selectors: from the text that users write and from the objects of the API. Pure.

The grammar is that of Kubernetes (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

Json = dict[str, t.Any]

IN, NOT_IN, EXISTS, ABSENT, GREATER, LESS = "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_KEY = rf"(?:[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_NAME}"
_VALUE = rf"(?:{_NAME})?"
_FORMS = (
    (re.compile(rf"!\s*(?P<key>{_KEY})"), ABSENT),
    (re.compile(rf"(?P<key>{_KEY})"), EXISTS),
    (re.compile(rf"(?P<key>{_KEY})\s*==?\s*(?P<value>{_VALUE})"), IN),
    (re.compile(rf"(?P<key>{_KEY})\s*!=\s*(?P<value>{_VALUE})"), NOT_IN),
    (re.compile(rf"(?P<key>{_KEY})\s+in\s*\((?P<values>[^()]*)\)"), IN),
    (re.compile(rf"(?P<key>{_KEY})\s+notin\s*\((?P<values>[^()]*)\)"), NOT_IN),
    (re.compile(rf"(?P<key>{_KEY})\s*>\s*(?P<value>-?\d+)"), GREATER),
    (re.compile(rf"(?P<key>{_KEY})\s*<\s*(?P<value>-?\d+)"), LESS),
)
_BETWEEN = re.compile(r",(?![^()]*\))")


class Requirement(t.NamedTuple):
    """One thing that labels must meet; all requirements of a selector must be met."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


def parse(text: str) -> list[Requirement]:
    """The requirements of a selector such as ``app=web,tier notin (cache, db)``. An empty text has none.

    Raises EvergreenError that names the part which is not understood.
    """
    return [_requirement(part.strip(), text) for part in _BETWEEN.split(text)] if text.strip() else []


def _requirement(part: str, text: str) -> Requirement:
    for form, operator in _FORMS:
        found = form.fullmatch(part)
        if not found:
            continue
        groups = found.groupdict()
        values: tuple[str, ...] = ()
        if "value" in groups:
            values = (groups["value"],)
        elif "values" in groups:
            values = tuple(value.strip() for value in groups["values"].split(","))
            if not all(re.fullmatch(_VALUE, value) for value in values):
                break
        return Requirement(groups["key"], operator, values)
    raise EvergreenError(
        f"The label selector {text!r} cannot be read: {part!r} is no requirement.",
        hint="Write requirements such as app=web, tier!=cache, 'zone in (a, b)', 'zone notin (a)', gpu or !gpu, "
        "with commas between them.",
    )


def from_object(selector: Json | None) -> list[Requirement] | None:
    """The requirements of a LabelSelector of the API; None where there is no selector, which selects nothing."""
    if selector is None:
        return None
    labels = [Requirement(key, IN, (str(value),)) for key, value in (selector.get("matchLabels") or {}).items()]
    expressions = [
        Requirement(each["key"], each["operator"], tuple(each.get("values") or ()))
        for each in selector.get("matchExpressions") or []
    ]
    return labels + expressions


def meets(requirements: list[Requirement] | None, labels: t.Mapping[str, str]) -> bool:
    """Whether `labels` meet all `requirements`: none at all always, None never."""
    return requirements is not None and all(_met(each, labels) for each in requirements)


def _met(wanted: Requirement, labels: t.Mapping[str, str]) -> bool:
    value = labels.get(wanted.key)
    if wanted.operator == IN:
        return value is not None and value in wanted.values
    if wanted.operator == NOT_IN:
        return value is None or value not in wanted.values
    if wanted.operator == EXISTS:
        return value is not None
    if wanted.operator == ABSENT:
        return value is None
    try:
        number, limit = int(value or ""), int(wanted.values[0])
    except (ValueError, IndexError):
        return False
    return number > limit if wanted.operator == GREATER else wanted.operator == LESS and number < limit
