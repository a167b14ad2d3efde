"""What docs/data.md says of options and names."""

import re
from pathlib import Path

from typer.main import get_command

from aetherion.data.cli import app
from aetherion.data.naming import from_file_name

GUIDE = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")


def test_every_option_of_the_guide_exists() -> None:
    known = {"--data"}  # of `aetherion run`
    for command in get_command(app).commands.values():  # type: ignore[attr-defined]
        for parameter in command.params:
            known.update(parameter.opts)
    named = set(re.findall(r"--[a-z][a-z-]+", GUIDE))
    assert len(named) > 10
    assert named <= known


def test_names_of_files_are_read_as_the_guide_says() -> None:
    examples = re.findall(r"`(\w+)\.csv(?:\.gz)?` is `(\w+)\.(\w+)`", GUIDE.replace("\n", ""))
    assert len(examples) >= 1
    for stem, symbol, venue in examples:
        assert from_file_name(stem) == (symbol, venue)
