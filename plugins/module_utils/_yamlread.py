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

_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'(?!')""", re.DOTALL)
_KEY = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:[^\s"'\[\]{},#&*!|>%@`?:-]|[-?:](?=\S))(?:[^:#]|:(?=\S)|(?<=\S)\#)*?)"""
    r"""\s*:(?:\s+|$)"""
)
_FLOW_PLAIN = re.compile(r"(?:[^,\[\]{}:#]|:(?![\s,\[\]{}]|$)|(?<!\s)#)+")
_MARK = re.compile(r"^(---|\.\.\.)(?:\s+#.*|\s*)$")
_BLOCK_HEADER = re.compile(r"^(?P<style>[|>])(?P<indent>[1-9]?)(?P<chomp>[-+]?)(?:\s+#.*)?$")
_INT = re.compile(r"^[-+]?(?:0|[1-9]\d*)$")
_FLOAT = re.compile(r"^[-+]?\d+\.\d*(?:[eE][-+]?\d+)?$")
_COMMENT = re.compile(r"\s+#.*$")
_NULL = ("", "~", "null", "Null", "NULL")
_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b"}
_NO_PLAIN_SCALAR = re.compile(r"^(?:[@`%,\]}|>]|[?:-](?:\s|$))")


class UnreadableYaml(ValueError):
    """A text that this reader does not understand.

    The message names the line and never quotes it: a kubeconfig holds secrets.
    """


def load(text: str, *, typed: bool = True) -> t.Any:
    """The first document of `text` as dicts, lists, str, int, float, bool and None.

    Keys are always text. With `typed` false plain scalars are text too, as
    they are written (``1.10`` stays ``1.10``), and only null is None. JSON is
    read as JSON, with its own types. An empty text is None. Raises UnreadableYaml.
    """
    text = text.lstrip("\ufeff")
    if not text.lstrip().startswith("{"):
        return _Reader(text, typed).document()
    try:
        return json.loads(text)
    except ValueError as no_json:
        # It may still be a flow mapping, whose keys need no quotes.
        try:
            return _Reader(text, typed).document()
        except UnreadableYaml as error:
            raise UnreadableYaml(f"{error}; nor is it JSON: {no_json}") from None


def load_mapping(text: str) -> dict[str, t.Any]:
    """`load`, where only a mapping makes sense: an empty text is an empty one. Raises UnreadableYaml."""
    value = load(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnreadableYaml("the document is not a mapping")
    return value


class _Reader:
    def __init__(self, text: str, typed: bool) -> None:
        self.lines = re.split(r"\r\n|\r|\n", text)
        self.convert = _resolve if typed else _as_text
        self.at = 0
        self.started = False

    def error(self, why: str, at: int | None = None) -> UnreadableYaml:
        """The error for line `at`, counted from 0; the present one where it is None."""
        return UnreadableYaml(f"line {(self.at if at is None else at) + 1}: {why}")

    def document(self) -> t.Any:
        first = self.peek()
        if first is None:
            return None
        value = self.node(first[0])
        if self.peek() is not None:
            raise self.error("content that belongs to nothing before it")
        return value

    def peek(self) -> tuple[int, str] | None:
        """Indentation and content of the next line that says something; None at the end of the document."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            content = line.strip()
            mark = _MARK.match(line)
            if mark:
                if mark[1] == "..." or self.started:
                    self.at = len(self.lines)
                    return None
                self.started = True
            elif line.startswith("--- "):
                raise self.error("content beside the mark of a document")
            elif content and not content.startswith("#") and (self.started or not line.startswith("%")):
                self.started = True
                indent = len(line) - len(line.lstrip(" "))
                if line[indent] == "\t":
                    raise self.error("a tab in the indentation")
                return indent, content
            self.at += 1
        return None

    def node(self, indent: int) -> t.Any:
        content = self.lines[self.at].strip()
        if _is_item(content):
            return self.sequence(indent)
        if _KEY.match(content):
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
            if line[0] > indent or not found or _is_item(line[1]):
                raise self.error("expected a key")
            key = found["key"]
            name = _unquote(key) if key[0] in "\"'" else key
            self.at += 1
            result[name] = self.value(line[1][found.end() :], indent, sequence_at=indent)

    def sequence(self, indent: int) -> list[t.Any]:
        result: list[t.Any] = []
        while True:
            line = self.peek()
            if line is None or line[0] < indent or not _is_item(line[1]):
                if line is not None and line[0] > indent:
                    raise self.error("expected an item")
                return result
            if line[0] > indent:
                raise self.error("an item that is deeper than the one before it")
            rest = line[1][1:].lstrip()
            if rest and (_KEY.match(rest) or _is_item(rest)):
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
        if line[0] > indent or (line[0] >= sequence_at and _is_item(line[1])):
            return self.node(line[0])
        return None

    def scalar(self, text: str, parent: int) -> t.Any:
        """A scalar or flow collection that begins with `text`, on the line before the present one.

        Its continuation lines are deeper than `parent`.
        """
        begin = self.at - 1
        if text[0] in "|>":
            return self.block_scalar(text, parent)
        if text[0] in "&*!":
            raise self.error("anchors, aliases and tags are not known here", begin)
        if text[0] in "\"'":
            return self.quoted(text, begin)
        if text[0] in "[{":
            return self.flow(text, begin)
        if _NO_PLAIN_SCALAR.match(text):
            raise self.error("a scalar cannot begin like this; complex keys are not known here", begin)
        return self.plain(text, parent)

    def quoted(self, text: str, begin: int) -> str:
        found = _QUOTED.match(text)
        while not found:
            if self.at >= len(self.lines):
                raise self.error("a quote that does not end", begin)
            text = f"{text}\n{self.lines[self.at]}"
            self.at += 1
            found = _QUOTED.match(text)
        rest = text[found.end() :]
        if _COMMENT.sub("", rest).strip():
            raise self.error("text after a closing quote", self.at - 1)
        return _unquote(found[0])

    def flow(self, text: str, begin: int) -> t.Any:
        while True:
            try:
                return _Flow(text, self.convert).whole()
            except EOFError:
                if self.at >= len(self.lines):
                    raise self.error("a bracket that does not end", begin) from None
                text = f"{text}\n{self.lines[self.at]}"
                self.at += 1
            except UnreadableYaml as error:
                raise self.error(str(error), begin) from None

    def plain(self, text: str, parent: int) -> t.Any:
        if _KEY.match(text):
            raise self.error("a key where a scalar goes", self.at - 1)
        pieces = [text]
        while True:
            before = self.at
            line = self.peek()
            skipped = self.lines[before : self.at]
            # A comment ends a plain scalar; whoever reads on finds the line that belongs to nothing.
            ended = _COMMENT.search(pieces[-1]) or any(other.strip() for other in skipped)
            if line is None or line[0] <= parent or ended or _KEY.match(line[1]):
                return self.convert(_fold([_COMMENT.sub("", piece) for piece in pieces]))
            pieces += [*skipped, line[1]]
            self.at += 1

    def block_scalar(self, header: str, parent: int) -> str:
        found = _BLOCK_HEADER.match(header)
        if not found:
            raise self.error("this head of a block scalar is not known here", self.at - 1)
        lines: list[str] = []
        # The head says the indentation where the text itself begins with a space.
        indent = max(parent, 0) + int(found["indent"]) if found["indent"] else 0
        while self.at < len(self.lines):
            line = self.lines[self.at]
            depth = len(line) - len(line.lstrip(" "))
            if line.strip() and depth < (indent or parent + 1):
                break
            if line.strip() and not indent:
                indent = depth
            lines.append(line[indent:] if indent else "")
            self.at += 1
        blank = 0
        if self.at == len(self.lines) and lines and not lines[-1]:
            lines.pop()  # What is left after the last line break is no line.
        while lines and not lines[-1]:
            lines.pop()
            blank += 1
        kept = _fold_block(lines) if found["style"] == ">" else "\n".join(lines)
        if found["chomp"] == "+":
            return kept + "\n" * (blank + bool(kept))
        return kept + ("\n" if kept and not found["chomp"] else "")


class _Flow:
    """``[a, {b: c}]``; raises EOFError where it is not closed yet, and UnreadableYaml without a line."""

    def __init__(self, text: str, convert: t.Callable[[str], t.Any]) -> None:
        self.text = text
        self.convert = convert
        self.at = 0

    def whole(self) -> t.Any:
        value = self.any()
        try:
            self.next()
        except EOFError:
            return value
        raise UnreadableYaml("text after a closing bracket")

    def next(self) -> str:
        """The next character that is neither white space nor in a comment."""
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif not self.text[self.at].isspace():
                return self.text[self.at]
            else:
                self.at += 1
        raise EOFError

    def any(self) -> t.Any:
        opening = self.next()
        if opening == "[":
            return self.items("]", self.any)
        if opening == "{":
            return dict(self.items("}", self.pair))
        return self.scalar(self.convert)

    def items(self, closing: str, item: t.Callable[[], t.Any]) -> list[t.Any]:
        self.at += 1
        found: list[t.Any] = []
        while self.next() != closing:
            found.append(item())
            if self.next() == ",":
                self.at += 1
            elif self.next() != closing:
                raise UnreadableYaml("expected a comma or the closing bracket")
        self.at += 1
        return found

    def pair(self) -> tuple[str, t.Any]:
        self.next()
        key = self.scalar(str)
        if self.next() != ":":
            return key, None
        self.at += 1
        return key, None if self.next() in ",}" else self.any()

    def scalar(self, convert: t.Callable[[str], t.Any]) -> t.Any:
        begin = self.text[self.at]
        quoted = _QUOTED.match(self.text, self.at)
        if quoted:
            self.at = quoted.end()
            return _unquote(quoted[0])
        if begin in "\"'":
            raise EOFError
        plain = _FLOW_PLAIN.match(self.text, self.at)
        if begin in "&*!" or not plain or _NO_PLAIN_SCALAR.match(plain[0]):
            raise UnreadableYaml("an entry in brackets that is no scalar known here")
        self.at = plain.end()
        return convert(_fold(plain[0].strip().split("\n")))


def _is_item(content: str) -> bool:
    return content == "-" or content.startswith("- ")


def _fold(lines: list[str]) -> str:
    """Lines of one plain or quoted scalar: a line break is a space, n empty lines are n line breaks."""
    text, blank = lines[0], 0
    last = len(lines) - 1
    for position, line in enumerate(lines[1:], 1):
        if position < last and not line.strip():
            blank += 1
            continue
        # White space before the closing quote is content, around every other line break it is not.
        content = line.strip(" \t") if position < last else line.lstrip(" \t")
        text = text.rstrip(" \t") + ("\n" * blank or " ") + content
        blank = 0
    return text


def _fold_block(lines: list[str]) -> str:
    """Lines of a ``>`` scalar, of which those that are indented deeper keep their line breaks."""
    text, blank, previous = "", 0, ""
    for line in lines:
        if not line:
            blank += 1
            continue
        if not previous:
            breaks = "\n" * blank
        elif line[0] in " \t" or previous[0] in " \t":
            breaks = "\n" * (blank + 1)
        else:
            breaks = "\n" * blank or " "
        text += breaks + line
        blank, previous = 0, line
    return text


def _as_text(text: str) -> str | None:
    return None if text in _NULL else text


def _resolve(text: str) -> t.Any:
    """A plain scalar with its type, as Go's reader and YAML 1.1 agree on it."""
    if text in _NULL:
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
    body = text[1:-1]
    if text[0] == "'":
        return _fold(body.split("\n")).replace("''", "'")

    def escape(found: re.Match[str]) -> str:
        body = found[1]
        if body[0] in "xuU":
            return chr(int(body[1:], 16))
        return _ESCAPES.get(body, body)

    # An escaped line break is none.
    body = re.sub(r"(?<!\\)((?:\\\\)*)\\\n[ \t]*", r"\1", body)
    return re.sub(
        r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", escape, _fold(body.split("\n")), flags=re.DOTALL
    )
