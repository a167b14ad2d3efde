"""The command line: one verb a job, `--json` for machines."""

from aetherion.cli.app import app

__all__ = ["app"]
