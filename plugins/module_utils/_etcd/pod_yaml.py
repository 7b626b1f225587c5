# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The YAML of a static pod, without PyYAML.

Managed nodes have the standard library only, so this reads the part of YAML
that kubeadm, kustomize-like patches and people write in pod manifests: block
and flow collections, quoted and plain scalars (folded over lines too), block
scalars, comments, and JSON. Anchors, aliases, tags and complex keys are
refused, not guessed. Every scalar is returned as text; null is None.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

_KEY = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'\[\]{}#&*!|>%@`,?-][^#]*?|-[^\s#][^#]*?)\s*:(?:\s+(?P<rest>.*))?$"""
)
_BLOCK_SCALAR = re.compile(r"^([|>])[+-]?\d?[+-]?$")
_NULL = ("", "~", "null", "Null", "NULL")


class ManifestError(EvergreenError):
    """A manifest that could not be read, or does not say what is needed."""


class _Line(t.NamedTuple):
    number: int
    indent: int
    text: str


def parse(text: str) -> t.Any:
    """The first document of `text` as dicts, lists, str and None; ManifestError names the line that was not read."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise ManifestError(f"The manifest is not readable as JSON: {error}.") from None
    return _Reader(text).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self._raw = text.splitlines()
        self._lines: list[_Line] = []
        for number, raw in enumerate(self._raw, 1):
            if raw.startswith(("---", "...")) and not raw[3:].strip():
                if self._lines:
                    break
                continue
            content = _without_comment(raw).rstrip()
            if not content.strip() or content.startswith("%"):
                continue
            indent = len(content) - len(content.lstrip(" "))
            self._lines.append(_Line(number, indent, content[indent:]))
        self._at = 0

    def document(self) -> t.Any:
        if not self._lines:
            raise ManifestError("The manifest is empty.")
        value = self._block(self._lines[0].indent)
        if self._at < len(self._lines):
            self._refuse(self._lines[self._at], "its indentation fits nothing above")
        return value

    def _peek(self) -> _Line | None:
        return self._lines[self._at] if self._at < len(self._lines) else None

    @staticmethod
    def _refuse(line: _Line, why: str) -> t.NoReturn:
        raise ManifestError(f"Line {line.number} of the manifest could not be read ({why}).")

    def _block(self, indent: int) -> t.Any:
        line = self._lines[self._at]
        if line.text == "-" or line.text.startswith("- "):
            return self._sequence(indent)
        if _KEY.match(line.text):
            return self._mapping(indent)
        self._at += 1
        return self._scalar(line, line.text, indent - 1)

    def _sequence(self, indent: int) -> list[t.Any]:
        items: list[t.Any] = []
        while True:
            line = self._peek()
            if line is None or line.indent != indent or not (line.text == "-" or line.text.startswith("- ")):
                return items
            rest = line.text[1:].lstrip(" ")
            if not rest:
                self._at += 1
                items.append(self._nested(indent))
            elif rest.startswith("- ") or (_KEY.match(rest) and not rest.startswith(("{", "["))):
                inner = indent + len(line.text) - len(rest)
                self._lines[self._at] = _Line(line.number, inner, rest)
                items.append(self._block(inner))
            else:
                self._at += 1
                items.append(self._scalar(line, rest, indent))

    def _mapping(self, indent: int) -> dict[str, t.Any]:
        found: dict[str, t.Any] = {}
        while True:
            line = self._peek()
            if line is None or line.indent != indent:
                return found
            match = _KEY.match(line.text)
            if not match:
                self._refuse(line, "a mapping was expected")
            key = str(_plain_or_quoted(match["key"]))
            rest = (match["rest"] or "").strip()
            self._at += 1
            if rest:
                found[key] = self._scalar(line, rest, indent)
                continue
            following = self._peek()
            if following and following.indent == indent and (following.text == "-" or following.text.startswith("- ")):
                found[key] = self._sequence(indent)
            else:
                found[key] = self._nested(indent)

    def _nested(self, indent: int) -> t.Any:
        line = self._peek()
        if line is None or line.indent <= indent:
            return None
        return self._block(line.indent)

    def _scalar(self, line: _Line, text: str, parent_indent: int) -> t.Any:
        """The value that begins with `text`; lines that are indented deeper than its parent belong to it."""
        if text[0] in "&*!":
            self._refuse(line, "anchors, aliases and tags are not supported")
        block = _BLOCK_SCALAR.match(text)
        if block:
            return self._block_scalar(line, parent_indent, folded=block[1] == ">")
        while True:
            if not _is_open(text):
                following = self._peek()
                plain = text[0] not in "\"'[{"
                if not (plain and following and following.indent > parent_indent):
                    break
            following = self._peek()
            if following is None:
                self._refuse(line, "a quote or bracket is not closed")
            text = f"{text} {following.text}"
            self._at += 1
        if text[0] in "[{":
            value, end = _flow(text, 0, line)
            if text[end:].strip():
                self._refuse(line, "text after a closing bracket")
            return value
        return _plain_or_quoted(text)

    def _block_scalar(self, line: _Line, parent_indent: int, *, folded: bool) -> str:
        texts: list[str] = []
        number = line.number
        while number < len(self._raw):
            raw = self._raw[number]
            if raw.strip() and len(raw) - len(raw.lstrip(" ")) <= parent_indent:
                break
            texts.append(raw.strip())
            number += 1
        while self._at < len(self._lines) and self._lines[self._at].number <= number:
            self._at += 1
        return (" " if folded else "\n").join(texts).rstrip()


def _without_comment(raw: str) -> str:
    """`raw` up to a ``#`` that begins a comment: at the start or after white space, outside of quotes."""
    quote = ""
    position = 0
    while position < len(raw):
        character = raw[position]
        if quote:
            escaped = character == "\\" and quote == '"'
            doubled = character == quote == "'" and raw[position + 1 : position + 2] == "'"
            if escaped or doubled:
                position += 1
            elif character == quote:
                quote = ""
        elif character in "\"'" and (position == 0 or raw[position - 1] in " \t[{,:-"):
            quote = character
        elif character == "#" and (position == 0 or raw[position - 1] in " \t"):
            return raw[:position]
        position += 1
    return raw


def _is_open(text: str) -> bool:
    """Whether a quoted scalar or a flow collection is still unclosed at the end of `text`."""
    if text[0] not in "\"'[{":
        return False
    depth = 0
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        if quote:
            if character == "\\" and quote == '"':
                position += 1
            elif character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        position += 1
    return bool(quote) or depth > 0


def _plain_or_quoted(text: str) -> str | None:
    text = text.strip()
    if text.startswith('"'):
        try:
            return str(json.loads(text))
        except ValueError:
            return text[1:-1]
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    return None if text in _NULL else text


def _flow(text: str, at: int, line: _Line) -> tuple[t.Any, int]:
    """The flow value that begins at `at`, and where it ends."""
    at = _skip(text, at)
    if at < len(text) and text[at] in "[{":
        return _flow_collection(text, at, line)
    start = at
    if at < len(text) and text[at] in "\"'":
        quote = text[at]
        at += 1
        while at < len(text) and text[at] != quote:
            at += 2 if text[at] == "\\" and quote == '"' else 1
        at += 1
    else:
        while at < len(text) and text[at] not in ",]}" and not (text[at] == ":" and text[at + 1 : at + 2] in " ,]}"):
            at += 1
    return _plain_or_quoted(text[start:at]), at


def _flow_collection(text: str, at: int, line: _Line) -> tuple[t.Any, int]:
    mapping = text[at] == "{"
    items: list[t.Any] = []
    pairs: dict[str, t.Any] = {}
    at = _skip(text, at + 1)
    while at < len(text) and text[at] not in "]}":
        value, at = _flow(text, at, line)
        at = _skip(text, at)
        if mapping:
            key = str(value)
            value = None
            if text[at : at + 1] == ":":
                value, at = _flow(text, at + 1, line)
                at = _skip(text, at)
            pairs[key] = value
        else:
            items.append(value)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] not in ("]", "}"):
            raise ManifestError(f"Line {line.number} of the manifest could not be read (a flow collection).")
    return (pairs if mapping else items), at + 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t":
        at += 1
    return at
