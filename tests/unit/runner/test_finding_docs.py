# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import finding
from runner.finding_docs import PLACE, differences, index, page, pages, write
from runner.project import ROOT

if t.TYPE_CHECKING:
    from pathlib import Path

SWAP = Entry("swap-on", ("note", "blocker"), "Swap | is on", "It pages.", "Turn it off.", ("https://example.org/a",))
AWAY = Entry("downgrade", ("blocker",), "Back", "It cannot.", "Restore.")
QUIET = Entry("a-note", ("note",), "Noted", "Hm.", "Nothing.")


def test_a_page_says_all_that_the_entry_says() -> None:
    text = page(SWAP, "Nodes")
    for part in ("# swap-on\n", "Severity: blocker, note.", "It pages.", "Turn it off.", "- <https://example.org/a>"):
        assert part in text
    assert "- id: swap-on" in text
    assert "(README.md#nodes)" in text


def test_what_cannot_be_accepted_does_not_offer_it() -> None:
    assert "cannot be accepted" in page(AWAY, "The plan")
    assert "preflight_accepted_findings" not in page(AWAY, "The plan")
    assert "accept" not in page(QUIET, "Nodes")


def test_what_passes_by_itself_says_so() -> None:
    assert "pass by itself" in page(SWAP._replace(passes=True), "Nodes")
    assert "pass by itself" not in page(SWAP, "Nodes")


def test_the_index_has_the_worst_first_and_no_empty_area() -> None:
    text = index({"Nodes": [QUIET, SWAP], "Addons": []})
    assert text.index("[swap-on](swap-on.md)") < text.index("[a-note](a-note.md)")
    assert "Swap \\| is on" in text
    assert "Addons" not in text


def test_pages_that_differ_are_named_and_written_anew(tmp_path: Path) -> None:
    wanted = pages({"Nodes": [SWAP, QUIET]})
    write(tmp_path, wanted)
    assert differences(tmp_path, wanted) == []
    (tmp_path / "a-note.md").unlink()
    (tmp_path / "swap-on.md").write_text("by hand", encoding="utf-8")
    (tmp_path / "gone.md").write_text("", encoding="utf-8")
    assert differences(tmp_path, wanted) == [
        "a-note.md is missing",
        "gone.md is of no finding",
        "swap-on.md is not what the catalogue says",
    ]
    write(tmp_path, wanted)
    assert differences(tmp_path, wanted) == []


def test_a_finding_leads_to_its_page() -> None:
    address = finding("swap-on", "note", "node/a", "seen", "do")["page"]
    assert address.endswith(f"/blob/main/{PLACE.relative_to(ROOT)}/swap-on.md")
