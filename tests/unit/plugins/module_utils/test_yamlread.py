# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread

MANIFESTS = sorted((Path(__file__).parent / "kubeadm/fixtures").glob("1.34.4/*.yaml"))

YAML_CASES = {
    "nested": "a:\n  b:\n    c: 1\n  d: x y\n",
    "sequence at the indentation of its key": "a:\n- b: 1\n  c: 2\n- d\ne: f\n",
    "deeper sequence": "a:\n    - b\n    - - c\n      - d\n",
    "quotes": "a: \"x: # y\\n\\u00e9\"\nb: 'it''s'\n'c d': \"\"\n",
    "types": "a: true\nb: False\nc: null\nd: ~\ne:\nf: 12\ng: 1.5\nh: 0s\ni: '1'\nj: v1.35\n",
    "comments": "# head\na: b # tail\n\nc: d#e\nf: # g\n  h: i\n",
    "flow": "a: {}\nb: []\nc: [x, 'y, z', 3]\nd: {e: f, g: [h, {i: j}]}\n",
    "flow over lines": "a: [b,\n  c]\nd: e\n",
    "literal": "a: |\n  b: c\n    d\n\n  e\nf: |-\n  g\n",
    "folded": "a: >-\n  b\n  c\nd: e\n",
    "folded plain scalar": "- a b\n  c d\n- e\n",
    "colons": "a: http://b:80/c\nd:e: f\ng: --h=i:j\n",
    "document marks": "---\na: b\n---\nc: d\n",
    "flags": "command:\n- kube-apiserver\n- --a=b,c\n- --d\n",
    "json": '{"a": [1, "b"], "c": {"d": null}}',
    "nothing": "# only this\n",
    "comment with a colon": "- x # y: z\n- b\n",
    "comments after quotes": "a: \"b # c\" # d \"e\"\nf: 'g' # h 'i'\n",
    "comment in a flow": "a: [b, # c: d\n  e]\nf: g\n",
    "quoted over lines": "a: \"b\n\n  c\"\nd: \"e\\\n  f\"\ng: 'it''\n  s'\n",
    "plain over an empty line": "a: b\n\n  c\nd: e\n",
    "folded with deeper lines": "a: >\n  b\n    c\n  d\n\n  e\nf: g\n",
    "kept line breaks": "a: |+\n  b\n\nc: |\n  # no comment\n\n# one\nd: >-\n\n  e\n",
    "given indentation": "a: |2-\n    b\n   c\nd:\n- |2\n   e\n- f:\n    g: >1\n      h\n     i\n",
    "empty items": "- -\n- - -\n-\n",
    "colon in a key": "a::b: c\nd#e: f\n",
    "document mark with a comment": "%YAML 1.1\n--- # a\nb: c\n...\nd\n",
    "byte order mark and DOS line ends": "\ufeffa: b\r\nc: d\r\n",
    "flow mapping as the document": "{a: b, c: [d]}\n",
}


@pytest.mark.parametrize("text", YAML_CASES.values(), ids=YAML_CASES.keys())
def test_yaml_reads_as_pyyaml_does(text: str) -> None:
    assert _yamlread.load(text) == next(iter(yaml.safe_load_all(text)), None)


def test_there_are_manifests_of_kubeadm() -> None:
    assert len(MANIFESTS) == 4


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_yaml_of_kubeadm(path: Path) -> None:
    assert _yamlread.load(path.read_text()) == yaml.safe_load(path.read_text())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b\n", {"a": "b"}),
        ("a:\n- 1\n- 2\nb: ~\n", {"a": ["1", "2"], "b": None}),
        ("a:\n  - b: 1\n    c: 2\n  - d\n", {"a": [{"b": "1", "c": "2"}, "d"]}),
        ("a: https://x:1/ # note\n", {"a": "https://x:1/"}),
        ("a: b#c\n", {"a": "b#c"}),
        ("a: 'it''s # one'\n", {"a": "it's # one"}),
        ('a: "t\\"x: # y"\n', {"a": 't"x: # y'}),
        ("a: one\n  two\nb: c\n", {"a": "one two", "b": "c"}),
        ("a: {}\nb: []\nc: {d: [e, {f: g}]}\n", {"a": {}, "b": [], "c": {"d": ["e", {"f": "g"}]}}),
        ("---\na: b\n---\nc: d\n", {"a": "b"}),
        ("a: |\n  one\n  two: 2\nb: c\n", {"a": "one\ntwo: 2\n", "b": "c"}),
        ("'a b': c\n\"d\": e\n", {"a b": "c", "d": "e"}),
        ("- - a\n  - b\n- c\n", [["a", "b"], "c"]),
        ("-\n  a: b\n", [{"a": "b"}]),
        ("a:\n  b:\nc: d\n", {"a": {"b": None}, "c": "d"}),
        ("a: 1.10\nb: 0x1f\nc: true\nd: [1, null]\n", {"a": "1.10", "b": "0x1f", "c": "true", "d": ["1", None]}),
    ],
)
def test_scalars_as_text(text: str, expected: object) -> None:
    assert _yamlread.load(text, typed=False) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x b\n", "line 1"),
        ("a: !!str b\n", "line 1"),
        ("a: 'b\n", "line 1: a quote"),
        ("a: b\n   c\n d: e\n", "line 3"),
        ("a:\n\t- b\n", "line 2: a tab"),
        ("a: [b\n", "line 1: a bracket"),
        ("a:\n- *x\n", "line 2"),
        ("a: [&x b]\n", "line 1"),
        ("? a\n: b\n", "line 1"),
        ("a: b\nc: 'd' e\n", "line 2: text after"),
        ("a: b: c\n", "line 1: a key"),
        ("a: b # c\n  d\n", "line 2"),
        ('a: ["b" "c"]\n', "line 1: expected a comma"),
        ("a: [b]]\n", "line 1: text after"),
        ("a: |x\n   b\n", "line 1: this head"),
        ("--- a\n", "line 1: content beside"),
        ("{", "nor is it JSON"),
    ],
)
def test_yaml_says_what_it_does_not_know(text: str, said: str) -> None:
    with pytest.raises(_yamlread.UnreadableYaml) as caught:
        _yamlread.load(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(("text", "expected"), [("", {}), ("a: 1\n", {"a": 1}), ("2: {3: b}\n", {"2": {"3": "b"}})])
def test_mappings(text: str, expected: dict[str, object]) -> None:
    assert _yamlread.load_mapping(text) == expected


def test_what_is_no_mapping() -> None:
    with pytest.raises(_yamlread.UnreadableYaml, match="not a mapping"):
        _yamlread.load_mapping("- a\n")
