"""The tests that the tables of faults and bugs name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from chaos import KINDS

from processes import ROOT

SOURCES = (*ROOT.glob("trading/internal/**/*_test.go"), *ROOT.glob("risk/*/**/*.rs"))
PYTHON = (*ROOT.glob("tests/test_*.py"), *ROOT.glob("orchestrator/tests/**/test_*.py"))


def defined() -> set[str]:
    """The names of all tests, of the three languages."""
    content = "".join(p.read_text() for p in (*SOURCES, *PYTHON) if "target" not in p.parts)
    return set(re.findall(r"^\s*(?:async def|def|func|fn) (\w+)\(", content, re.MULTILINE))


@pytest.mark.parametrize("page", ["recovery.md", "bugs.md"])
def test_what_a_table_names_exists(page: str) -> None:
    rows = [r for r in (ROOT / "docs" / page).read_text().splitlines() if r.startswith("| ")]
    named = set(re.findall(r"`((?:Test|Fuzz|test_|an?_)\w+)`", "\n".join(rows)))
    assert len(named) > 5
    assert named <= defined(), f"not there: {sorted(named - defined())}"


def test_every_kind_of_chaos_is_in_the_table() -> None:
    page = Path(ROOT / "docs" / "recovery.md").read_text()
    kinds = {*KINDS} - {"trading"}
    missing = [kind for kind in kinds if f"`{kind}`" not in page]
    assert not missing, f"not in docs/recovery.md: {sorted(missing)}"
