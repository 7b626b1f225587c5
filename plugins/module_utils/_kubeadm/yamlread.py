# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Read the YAML that kubeadm, the kubelet and the API server write.

A managed node has no PyYAML. The files read here come from Go's YAML writer
or from an administrator who edited one, so this reader knows block mappings
and sequences, plain, quoted and block scalars, flow collections and comments.
It knows no anchors, aliases, tags or complex keys and says so instead of
guessing.
"""

from __future__ import annotations

import json
import re
import typing as t

_KEY = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'\[\]{},#&*!|>%@`-][^:]*?(?::[^\s:][^:]*?)*|-[^\s:][^:]*?)\s*:(?:\s+|$)"""
)
_INT = re.compile(r"^[-+]?(?:0|[1-9]\d*)$")
_FLOAT = re.compile(r"^[-+]?\d+\.\d*(?:[eE][-+]?\d+)?$")
_COMMENT = re.compile(r"\s+#.*$")
_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b"}


class UnreadableYaml(ValueError):
    """A text that this reader does not understand; the message names the line."""


def load(text: str) -> t.Any:
    """The first document of `text` as dicts, lists, str, int, float, bool and None.

    JSON is read as JSON. An empty text is None. Raises UnreadableYaml.
    """
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith("{"):
        try:
            return json.loads(stripped)
        except ValueError:
            pass
    reader = _Reader(text)
    first = reader.peek()
    if first is None:
        return None
    value = reader.node(first[0])
    if reader.peek() is not None:
        raise reader.error("content that belongs to nothing before it")
    return value


def load_mapping(text: str) -> dict[str, t.Any]:
    """`load`, where only a mapping makes sense: an empty text is an empty one. Raises UnreadableYaml."""
    value = load(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnreadableYaml("the document is not a mapping")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.at = 0
        self.started = False

    def error(self, why: str) -> UnreadableYaml:
        return UnreadableYaml(f"line {self.at + 1}: {why}")

    def peek(self) -> tuple[int, str] | None:
        """Indentation and content of the next line that says something; None at the end of the document."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            content = line.strip()
            if content in ("---", "...") and not line.startswith(" "):
                if content == "..." or self.started:
                    self.at = len(self.lines)
                    return None
                self.started = True
            elif content and not content.startswith(("#", "%")):
                self.started = True
                indent = len(line) - len(line.lstrip(" "))
                if line[indent] == "\t":
                    raise self.error("a tab in the indentation")
                return indent, content
            self.at += 1
        return None

    def node(self, indent: int) -> t.Any:
        content = self.lines[self.at].strip()
        if content == "-" or content.startswith("- "):
            return self.sequence(indent)
        if content[0] not in "[{" and _KEY.match(content):
            return self.mapping(indent)
        self.at += 1
        return self.scalar(content, indent - 1)

    def mapping(self, indent: int) -> dict[str, t.Any]:
        result: dict[str, t.Any] = {}
        while True:
            line = self.peek()
            if line is None or line[0] < indent:
                return result
            found = _KEY.match(line[1])
            if line[0] > indent or not found or line[1] == "-" or line[1].startswith("- "):
                raise self.error("expected a key")
            key = found["key"]
            name = self.quoted(key) if key[0] in "\"'" else key
            self.at += 1
            result[name] = self.value(line[1][found.end() :], indent, sequence_at=indent)

    def sequence(self, indent: int) -> list[t.Any]:
        result: list[t.Any] = []
        while True:
            line = self.peek()
            if line is None or line[0] < indent or not (line[1] == "-" or line[1].startswith("- ")):
                if line is not None and line[0] > indent:
                    raise self.error("expected an item")
                return result
            rest = line[1][1:].lstrip()
            if rest and not rest.startswith(("#", "|", ">")) and (_KEY.match(rest) or rest.startswith("- ")):
                inner = indent + len(line[1]) - len(rest)
                self.lines[self.at] = " " * inner + rest
                result.append(self.node(inner))
            else:
                self.at += 1
                result.append(self.value(rest, indent, sequence_at=indent + 1))

    def value(self, rest: str, indent: int, *, sequence_at: int) -> t.Any:
        """What follows a key or a dash: on the same line, or as a block below."""
        if rest and not rest.startswith("#"):
            return self.scalar(rest, indent)
        line = self.peek()
        if line is None:
            return None
        if line[0] > indent or (line[0] >= sequence_at and (line[1] == "-" or line[1].startswith("- "))):
            return self.node(line[0])
        return None

    def scalar(self, text: str, parent: int) -> t.Any:
        """A scalar or flow collection that begins with `text`; its continuation lines are deeper than `parent`."""
        if text[0] in "|>":
            return self.block_scalar(text, parent)
        if text[0] in "&*!":
            raise self.error("anchors, aliases and tags are not known here")
        if text[0] in "\"'":
            while not re.match(r"""^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?:#.*)?$""", text):
                if self.at >= len(self.lines):
                    raise self.error("a quote that does not end")
                text = f"{text} {self.lines[self.at].strip()}"
                self.at += 1
            return self.quoted(_COMMENT.sub("", text) if not text.endswith(text[0]) else text)
        if text[0] in "[{":
            while True:
                flow = _Flow(text)
                try:
                    return flow.whole()
                except EOFError:
                    if self.at >= len(self.lines):
                        raise self.error("a bracket that does not end") from None
                    text = f"{text} {self.lines[self.at].strip()}"
                    self.at += 1
        text = _COMMENT.sub("", text)
        while True:
            line = self.peek()
            if line is None or line[0] <= parent or _KEY.match(line[1]):
                return resolve(text.strip())
            text = f"{text.strip()} {_COMMENT.sub('', line[1])}"
            self.at += 1

    def block_scalar(self, header: str, parent: int) -> str:
        lines: list[str] = []
        indent = 0
        while self.at < len(self.lines):
            line = self.lines[self.at]
            depth = len(line) - len(line.lstrip(" "))
            if line.strip() and depth <= parent:
                break
            if line.strip() and not indent:
                indent = depth
            lines.append(line[indent:] if line.strip() else "")
            self.at += 1
        kept = "\n".join(lines)
        if header[0] == ">":
            kept = re.sub(r"(?<!\n)\n(?!\n)", " ", kept.rstrip("\n")) + "\n"
        if "+" in header:
            return f"{kept}\n"
        return kept.rstrip("\n") + ("" if "-" in header else "\n")

    def quoted(self, text: str) -> str:
        return _unquote(text.strip())


class _Flow:
    """``[a, {b: c}]`` on one (joined) line; raises EOFError where it is not closed yet."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> t.Any:
        value = self.any()
        rest = self.text[self.at :].strip()
        if rest and not rest.startswith("#"):
            raise UnreadableYaml(f"unexpected {rest!r} after a flow collection")
        return value

    def next(self) -> str:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        if self.at >= len(self.text):
            raise EOFError
        return self.text[self.at]

    def any(self) -> t.Any:
        opening = self.next()
        if opening == "[":
            return self.items("]")
        if opening == "{":
            return dict(self.items("}"))
        return self.scalar()

    def items(self, closing: str) -> list[t.Any]:
        self.at += 1
        found: list[t.Any] = []
        while self.next() != closing:
            value = self.any()
            if closing == "}":
                if self.next() == ":":
                    self.at += 1
                    value = (str(value), None if self.next() in ",}" else self.any())
                else:
                    value = (str(value), None)
            found.append(value)
            if self.next() == ",":
                self.at += 1
        self.at += 1
        return found

    def scalar(self) -> t.Any:
        quoted = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""").match(self.text, self.at)
        if quoted:
            self.at = quoted.end()
            return _unquote(quoted[0])
        if self.text[self.at] in "\"'":
            raise EOFError
        plain = re.compile(r"(?:[^,\[\]{}:]|:(?!\s|$))+").match(self.text, self.at)
        if not plain:
            raise UnreadableYaml(f"cannot read {self.text[self.at :]!r}")
        self.at = plain.end()
        return resolve(plain[0].strip())


def resolve(text: str) -> t.Any:
    """A plain scalar with its type, as Go's reader and YAML 1.1 agree on it."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def _unquote(text: str) -> str:
    if text[0] == "'":
        return text[1:-1].replace("''", "'")

    def escape(found: re.Match[str]) -> str:
        body = found[1]
        if body[0] in "xuU":
            return chr(int(body[1:], 16))
        return _ESCAPES.get(body, body)

    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", escape, text[1:-1])
