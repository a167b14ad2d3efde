"""What is wrong with what was asked, found before the service is."""

from __future__ import annotations

from aetherion.errors import AetherionError


class RiskInputError(AetherionError, ValueError):
    """Names field, value and rule."""
