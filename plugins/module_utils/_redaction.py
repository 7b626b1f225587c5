# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Takes secrets out of a text that people will read: logs, configuration, command lines. Pure.

Where it is not sure it hides: a log without some base64 still says what went
wrong, and a key that was copied to a ticket cannot be taken back.
"""

from __future__ import annotations

import re

HIDDEN = "(hidden)"

_PEM_MOST = 20_000
"""More characters than any private key in PEM has, with what a log writes before each line."""
_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")

_ENDING = (
    r"(?:password|passwd|passphrase|secret|token|credentials?"
    # "the second pass: 3 pods" is prose.
    r"|(?<![A-Za-z])(?:pwd|passcode|psk|pass(?==)|(?<![A-Za-z] )pass|auth|htpasswd|dockerconfigjson|dockercfg"
    r"|(?:api|access|secret|private|client|certificate|encryption|account|signing|session)[_-]?key(?:[_-]?(?:id|data))?)"
    r"|(?<=[A-Za-z])(?-i:Pass(?:code)?|Psk"
    r"|(?:Api|API|Access|Secret|Private|Client|Certificate|Encryption|Account)Key(?:Data)?))"
)
"""How the name of a secret ends, whatever it begins with."""
_SECRET_NAME = re.compile(rf"{_ENDING}$", re.IGNORECASE)
_LONG_NAME = rf"[\w.-]{{0,80}}?{_ENDING}"
_PLAIN_VALUES = ("true", "false", "null", "nil", "none", "<nil>", "{}", "[]")
# A value may be quoted, also inside a text that was quoted itself.
_QUOTE = r"\\*[\"']"
_VALUE = rf"(?P<value>(?P<quote>{_QUOTE})(?:(?!(?P=quote))[^\n])*(?P=quote)|(?![{{\[])[^\s,;&\"'}}\])]+)"
_ANY_CASE = re.IGNORECASE

_NAMED = re.compile(rf"(?P<before>(?P<name>{_ENDING})(?:{_QUOTE})?[ \t]*(?::=|=|:(?!//))[ \t]*){_VALUE}", _ANY_CASE)
# ``"DB_PASSWORD=two words"``, as systemd and YAML have it.
_QUOTED = re.compile(
    rf"(?P<before>(?P<quote>[\"']){_LONG_NAME}=)(?P<value>(?:(?!(?P=quote))[^\n])+)(?=(?P=quote))", _ANY_CASE
)
# ``--token x``, ``"--token", "x"`` and the two as items of a list in YAML.
_FLAG = re.compile(
    rf"(?P<before>(?<![\w-])--?{_LONG_NAME}(?:[ \t]+|[\"'],[ \t]*|[\"']?[ \t]*\n[ \t]*-[ \t]+))(?!-){_VALUE}", _ANY_CASE
)
# ``name: DB_PASSWORD`` and then ``value: x``, as a manifest has the environment of a container.
_ENVIRONMENT = re.compile(
    rf"(?P<before>\bname(?:{_QUOTE})?[ \t]*:[ \t]*(?:{_QUOTE})?{_LONG_NAME}(?:{_QUOTE})?[ \t]*,?\s*(?:{_QUOTE})?"
    rf"value(?:{_QUOTE})?[ \t]*:[ \t]*)(?P<value>(?P<quote>{_QUOTE})(?:(?!(?P=quote))[^\n])*(?P=quote)|[^\n]+)",
    _ANY_CASE,
)
# The same, the other way round.
_VALUE_FIRST = re.compile(
    rf"(?P<before>\bvalue(?:{_QUOTE})?[ \t]*:[ \t]*)"
    rf"(?P<value>(?P<quote>{_QUOTE})(?:(?!(?P=quote))[^\n])*(?P=quote)|[^\n,]+)"
    rf"(?P<after>[ \t]*,?\s*(?:{_QUOTE})?name(?:{_QUOTE})?[ \t]*:[ \t]*(?:{_QUOTE})?{_LONG_NAME}(?:{_QUOTE})?"
    r"[ \t]*(?=[\n,}\]]|\Z))",
    _ANY_CASE,
)
_BLOCK = re.compile(
    rf"(?P<before>^(?P<indent>[ \t]*)(?:-[ \t]+)?[\"']?{_LONG_NAME}[\"']?:[ \t]*[|>][0-9+-]*[ \t]*\n)"
    r"(?P<value>(?:(?P=indent)[ \t]+[^\n]*(?:\n|\Z)|[ \t]*\n)+)",
    _ANY_CASE | re.MULTILINE,
)
# A line of YAML or of a file with variables; its value may have blanks.
_LINE = re.compile(
    rf"(?P<before>^[ \t]*(?:-[ \t]+|export[ \t]+)?{_LONG_NAME}(?::[ \t]+|=))(?P<value>(?![|>{{\[\"'])[^\n]+)",
    _ANY_CASE | re.MULTILINE,
)
_NAMES_A_FILE = re.compile(r"(?:key|auth|credentials?|(?<![a-z])pwd)[\"'=: \t]*$", _ANY_CASE)
_HEADER = re.compile(
    r"(?P<before>\b(?:Proxy-)?Authorization\b[\"']?[ \t]*[:=][ \t]*[\[\"']*(?:[A-Za-z]+[ \t]+)?)(?P<value>[^\s\"'\],]+)"
    r"|(?P<before2>\b(?:Set-)?Cookie\b[\"']?[ \t]*[:=][ \t]*)(?P<value2>[^\r\n]+)",
    _ANY_CASE,
)
# "Basic authentication" is prose.
_SCHEME = re.compile(
    r"(?P<before>\b(?:Bearer[ \t]+|Basic[ \t]+(?=[a-z+/]*(?-i:[A-Z0-9=]))))(?P<value>[A-Za-z0-9._~+/=-]{8,})", _ANY_CASE
)
_URL_USER = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]{0,20}://)"
    # A password may have a slash, which a port does not.
    r"(?P<value>[^\s/\"'<>]{1,500}|[^\s/\"'<>:@?#]{0,200}:(?!\d+/)[^\s\"'<>]{1,500})@",
    _ANY_CASE,
)
# The name of a source in Go's MySQL: ``user:password@tcp(host)/name``.
_DATA_SOURCE = re.compile(
    r"(?P<before>(?<![\w.-])[\w.-]{1,64}:)(?P<value>[^\s\"']{1,200})(?P<after>@(?:tcp6?|udp6?|unix)\()"
)
# ``-u user:password`` of curl. Two numbers are ids.
_LOGIN = re.compile(
    r"(?P<before>(?<![\w-])(?:-[uU]|--(?:proxy-)?user)(?:[ \t]*=?[ \t]*|[\"'],[ \t]*)[\"']?[^\s:=\"'/@]{1,100}:)"
    r"(?P<value>(?!\d+(?![^\s\"']))[^\s\"']+)"
)
# Of the length of a key; digests and ids have other names.
_HEX_KEY = re.compile(
    r"(?P<before>(?:(?<![A-Za-z])key|(?<=[a-z])(?-i:Key))(?:[_-]?(?:hex|data|material))?(?:\\*[\"'])?[ \t]*[:=][ \t]*"
    r"(?:\\*[\"'])?)(?P<value>(?:[0-9a-f]{32}|[0-9a-f]{48}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})(?![0-9a-z]))",
    _ANY_CASE,
)
_PIN = re.compile(
    r"(?P<before>(?<![A-Za-z])pin(?:\\*[\"'])?[ \t]*[:=][ \t]*(?:\\*[\"'])?)(?P<value>\d{4,12})\b", _ANY_CASE
)
_QUERY = re.compile(
    r"(?P<before>[?&](?:[\w.-]{0,60}(?:token|password|secret|signature|credential|api_?key)|sig|code|key)=)"
    r"(?P<value>[^\s&\"'#]+)",
    _ANY_CASE,
)
_BOOTSTRAP = re.compile(
    r"(?<![A-Za-z0-9_-])(?<![A-Za-z0-9]\.)(?P<before>[a-z0-9]{6}\.)(?P<value>[a-z0-9]{16})(?![A-Za-z0-9_-]|\.[A-Za-z0-9])"
)
# kubeadm prints a certificate key on the line after its name.
_CERTIFICATE_KEY = re.compile(
    r"(?P<before>certificate[ -]key:?[ \t]*\n?[^\n]{0,80}?)(?P<value>\b[0-9a-f]{64}\b)", _ANY_CASE
)
_SHAPES = re.compile(
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"  # JSON web token
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS
    r"|\bAIza[0-9A-Za-z_-]{35}|\bya29\.[0-9A-Za-z_-]{20,}"  # Google
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bhv[sbr]\.[A-Za-z0-9_-]{20,}|\bdop_v1_[0-9a-f]{32,}"
    r"|\bk8s:enc:[a-z]+:[^\s]+"
    r"|\b(?:AGE-SECRET-KEY|age-secret-key)-[A-Za-z0-9-]{20,}"
    r"|\b[rs]k_(?:live|test)_[A-Za-z0-9]{8,}|\bwhsec_[A-Za-z0-9+/=]{16,}"  # Stripe
    r"|\bsk-(?=[A-Za-z0-9_-]*[A-Z])(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{20,}"
    r"|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bnpm_[A-Za-z0-9]{30,}|\bdckr_pat_[A-Za-z0-9_-]{20,}"
)
# Who knows the address of a chat's webhook may write there.
_CHAT = re.compile(
    r"(?P<before>\b(?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/webhooks"
    r"|webhook\.office\.com/webhookb2|api\.telegram\.org)/)(?P<value>[^\s\"'<>]+)"
)
# base64 of 45 bytes or more, in either of its two alphabets: all keys and most tokens. Digests and the ids of
# containers are hexadecimal, and stay.
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{60,}|[A-Za-z0-9_-]{60,})={0,2}")
_LONGEST_WORD = 24
"""Letters and digits at a stretch that the name of a folder or a file may have."""
# A text without any of this is one word, such as a name, and has no secret but by its form.
_STRUCTURE = re.compile(r"[\s=:@,\"'\\&]")


def redact(text: str) -> str:
    """`text` with ``(hidden)`` in the place of every secret that is known by its form or by its name."""
    if _STRUCTURE.search(text):
        text = _without_what_is_named(text)
    text = _BOOTSTRAP.sub(_hide, text)
    text = _SHAPES.sub(HIDDEN, text)
    text = _CHAT.sub(_hide, text)
    return _BASE64.sub(_hide_base64, text)


def names_a_secret(name: str) -> bool:
    """Whether what has this name is a secret, as a key of JSON or an option."""
    return _SECRET_NAME.search(name) is not None


def _without_what_is_named(text: str) -> str:
    """What a name, a header, a URL or a frame around it tells to be a secret."""
    text = _without_private_keys(text)
    text = _CERTIFICATE_KEY.sub(_hide, text)
    text = _BLOCK.sub(_hide_block, text)
    text = _ENVIRONMENT.sub(_hide_value, text)
    text = _VALUE_FIRST.sub(_hide_value, text)
    text = _HEADER.sub(_hide_header, text)
    text = _SCHEME.sub(_hide, text)
    text = _URL_USER.sub(_hide_user, text)
    text = _DATA_SOURCE.sub(_hide, text)
    text = _LOGIN.sub(_hide, text)
    text = _HEX_KEY.sub(_hide, text)
    text = _PIN.sub(_hide, text)
    text = _QUERY.sub(_hide, text)
    text = _QUOTED.sub(_hide, text)
    text = _LINE.sub(_hide_value, text)
    text = _NAMED.sub(_hide_value, text)
    return _FLAG.sub(_hide_value, text)


def _hide(match: re.Match[str]) -> str:
    return f"{match['before']}{HIDDEN}{match.groupdict().get('after') or ''}"


def _hide_header(match: re.Match[str]) -> str:
    return f"{match['before'] or match['before2']}{HIDDEN}"


def _hide_block(match: re.Match[str]) -> str:
    return f"{match['before']}{match['indent']}  {HIDDEN}\n"


def _hide_user(match: re.Match[str]) -> str:
    """``name:password@`` loses its password, a long name alone is taken for a token."""
    name, colon, _password = match["value"].partition(":")
    if not colon and len(name) < 16:
        return match[0]
    return f"{match['before']}{f'{name}:{HIDDEN}' if colon and name else HIDDEN}@"


def _hide_value(match: re.Match[str]) -> str:
    before, value = match["before"], match["value"]
    bare = value.strip("\\\"'")
    if not bare or bare.lower() in _PLAIN_VALUES or bare.startswith(HIDDEN[:-1]):
        return match[0]
    # The file of a key is no key; a password may look like a path.
    if bare.startswith("/") and _NAMES_A_FILE.search(before):
        return match[0]
    quote = match.groupdict().get("quote") or ""
    return f"{before}{quote}{HIDDEN}{quote}{match.groupdict().get('after') or ''}"


def _hide_base64(match: re.Match[str]) -> str:
    found = match[0]
    if not all(re.search(kind, found) for kind in ("[a-z]", "[A-Z]", "[0-9]")):
        return found
    is_path = found.startswith("/") and found.count("/") > 2
    if is_path and max(map(len, re.split(r"[/+]", found))) <= _LONGEST_WORD:
        return found
    return HIDDEN


def _without_private_keys(text: str) -> str:
    """PEM private keys out, also those of which only the beginning or only the end is in the text."""
    made: list[str] = []
    at = 0
    for begin in _PEM_BEGIN.finditer(text):
        if begin.start() < at:
            continue
        made.append(_without_end(text[at : begin.start()]))
        end = _PEM_END.search(text, begin.end(), begin.end() + _PEM_MOST)
        at = end.end() if end else min(len(text), begin.end() + _PEM_MOST)
        made.append(HIDDEN)
    made.append(_without_end(text[at:]))
    return "".join(made)


def _without_end(text: str) -> str:
    """An END without its BEGIN: what is before it is the key."""
    found: re.Match[str] | None = None
    for match in _PEM_END.finditer(text):
        found = match
    if not found:
        return text
    return text[: max(0, found.start() - _PEM_MOST)] + HIDDEN + text[found.end() :]
