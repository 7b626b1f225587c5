# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Flags that a static pod has for a time: which words to add to its command, and which to take out again. Pure.

A manifest is changed as text, since a managed node has no YAML writer and an
administrator's comments are to stay. What comes out is read again and must be
the old pod with just these words added or gone.
"""

from __future__ import annotations

import copy
import json
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import (
    VERBOSITY,
    container_flags,
    flag_values,
    logs_less,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.decisions import StaticPodError

Note = t.Mapping[str, t.Sequence[str]]
"""The words that were added, by the purpose that they were added for."""

_COMMAND = re.compile(r"^(?P<indent> *)(?P<dash>- +)?command:\s*(?:#.*)?$")
_ITEM = re.compile(r"^(?P<indent> *)- ")
_SAFE = re.compile(r"^--[A-Za-z0-9][A-Za-z0-9._,=:/\[\]-]*$")


@dataclass(frozen=True)
class Wanted:
    """Flags that a component is to have.

    `flags` are set where the component has no such flag. `add_to` are values of
    flags that take several and may be repeated, such as ``etcd-servers``: those
    that no occurrence of the flag has yet come with one more of it. `verbosity`
    is the level that its log is raised to, by one more ``--v`` after its own.
    """

    flags: t.Mapping[str, str] = field(default_factory=dict)
    add_to: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    verbosity: int = 0


@dataclass(frozen=True)
class Change:
    """What is to become of a manifest and of the note about it."""

    text: str
    note: dict[str, list[str]]
    added: list[str]
    removed: list[str]
    kept: dict[str, str]
    """Flags that were wanted and that the component has with another value, which stays."""


def add(text: str, note: Note, purpose: str, wanted: Wanted) -> Change:
    """Add what is wanted for `purpose`, and take out what was added for it and is wanted no more.

    Raises StaticPodError where the manifest cannot be changed.
    """
    container = _container(text)
    own = [word for word in note.get(purpose, ()) if word in container["command"]]
    foreign = {**container, "command": _without(container["command"], own)}
    words, kept = _words(foreign, wanted)
    others = {word for name, noted in note.items() if name != purpose for word in noted}
    removed = [word for word in own if word not in words and word not in others]
    added = [word for word in words if word not in container["command"]]
    new_note = {name: list(noted) for name, noted in note.items() if name != purpose}
    if words:
        new_note[purpose] = words
    return Change(_edited(text, added, removed), new_note, added, removed, kept)


def take_out(text: str, note: Note, purpose: str) -> Change:
    """Take out what was added for `purpose`. Raises StaticPodError where the manifest cannot be changed."""
    if not note.get(purpose):
        return Change(text, {name: list(words) for name, words in note.items()}, [], [], {})
    return add(text, note, purpose, Wanted())


def note_only(text: str, note: Note, purpose: str, wanted: Wanted) -> Change:
    """Note what is wanted for `purpose`, for the manifest that is written next.

    What this manifest has of an earlier note stays noted, since it is still to
    be taken out. Raises StaticPodError where the manifest could not be changed.
    """
    change = add(text, note, purpose, wanted)
    words = [*change.removed, *change.note.get(purpose, [])]
    new_note = {**change.note, purpose: words} if words else change.note
    return Change(text, new_note, [], [], change.kept)


def with_words(text: str, words: t.Sequence[str]) -> str:
    """The manifest with those of the words that it lacks. Raises StaticPodError where it cannot be changed."""
    command = _container(text)["command"] if words else []
    return _edited(text, [word for word in words if word not in command], [])


def noted(note: Note) -> list[str]:
    """All words that are there for a time, each once."""
    return list(dict.fromkeys(word for words in note.values() for word in words))


def words_of(flags: t.Mapping[str, str]) -> list[str]:
    """``--name=value`` of each flag."""
    return [f"--{name}={value}" for name, value in flags.items()]


def _words(container: t.Mapping[str, t.Any], wanted: Wanted) -> tuple[list[str], dict[str, str]]:
    """The words that are wanted beside those of others, and the flags of others that stand against them."""
    there: dict[str, list[str]] = {}
    for name, value in flag_values(container):
        there.setdefault(name, []).append(value)
    kept = {name: there[name][-1] for name, value in wanted.flags.items() if there.get(name, [value])[-1] != value}
    words = words_of({name: value for name, value in wanted.flags.items() if name not in there})
    for name, values in wanted.add_to.items():
        known = {each for value in there.get(name, ()) for each in value.split(",")}
        missing = [value for value in values if value not in known]
        if missing:
            words += words_of({name: ",".join(missing)})
    if wanted.verbosity and logs_less(container, wanted.verbosity):
        words += words_of({VERBOSITY: str(wanted.verbosity)})
    elif wanted.verbosity and not logs_less(container, wanted.verbosity + 1):
        kept[VERBOSITY] = container_flags(container)[VERBOSITY]
    return words, kept


def _without(items: t.Sequence[str], words: t.Sequence[str], word_of: t.Callable[[str], str] = str) -> list[str]:
    """The items but the last one of each word: what was added came last, also where the component has it itself."""
    left, stay = list(words), []
    for item in reversed(items):
        word = word_of(item)
        if word in left:
            left.remove(word)
        else:
            stay.append(item)
    return stay[::-1]


def _container(text: str) -> dict[str, t.Any]:
    """The one container. Raises StaticPodError where there is another number of them, or no command."""
    try:
        pod = _yamlread.load(text, typed=False)
        (container,) = pod["spec"]["containers"]
        command = [str(word) for word in container["command"]]
    except (_yamlread.UnreadableYaml, KeyError, TypeError, ValueError) as error:
        raise StaticPodError(
            f"The manifest is not that of a pod with one container and its command: {error}.",
            hint="Flags for a time can be added to manifests as kubeadm writes them.",
        ) from None
    return {**container, "command": command}


def _edited(text: str, added: t.Sequence[str], removed: t.Sequence[str]) -> str:
    if not added and not removed:
        return text
    lines = text.splitlines()
    first, end, indent = _items(lines)
    stay = _without(lines[first:end], removed, _word)
    new = [f"{indent}- {word if _SAFE.match(word) else json.dumps(word)}" for word in added]
    edited = "\n".join([*lines[:first], *stay, *new, *lines[end:]]) + "\n"
    _prove(text, edited, added, removed)
    return edited


def _items(lines: t.Sequence[str]) -> tuple[int, int, str]:
    """Where the items of the container's command begin and end, and how far they are indented."""
    starts = [number for number, line in enumerate(lines) if _COMMAND.match(line)]
    if len(starts) == 1 and starts[0] + 1 < len(lines):
        first = starts[0] + 1
        item = _ITEM.match(lines[first])
        if item:
            indent = item["indent"]
            end = number = first
            # Comments and empty lines are the list's where more of it follows.
            while number < len(lines) and _is_of_list(lines[number], indent):
                number += 1
                end = number if lines[number - 1].strip()[:1] not in ("", "#") else end
            return first, end, indent
    raise StaticPodError(
        "The manifest has no command that is a list with one word a line, so no flag can be added to it.",
        hint="Write it as kubeadm does, or set the flags in kubeadm's configuration.",
    )


def _is_of_list(line: str, indent: str) -> bool:
    return line.startswith((f"{indent}- ", f"{indent} ")) or line.strip()[:1] in ("", "#")


def _word(line: str) -> str:
    try:
        items = _yamlread.load(line, typed=False)
    except _yamlread.UnreadableYaml:
        return ""
    return str(items[0]) if isinstance(items, list) and len(items) == 1 else ""


def _prove(old: str, new: str, added: t.Sequence[str], removed: t.Sequence[str]) -> None:
    """Raise StaticPodError unless the new text is the old pod with these words added and gone."""
    expected = copy.deepcopy(_yamlread.load(old, typed=False))
    container = expected["spec"]["containers"][0]
    container["command"] = _without([str(word) for word in container["command"]], removed) + list(added)
    try:
        same = _yamlread.load(new, typed=False) == expected
    except _yamlread.UnreadableYaml:
        same = False
    if not same:
        raise StaticPodError(
            "The manifest could not be changed without changing more than its flags, so it was left alone.",
            hint="Write its command as kubeadm does: a list with one word a line.",
        )
