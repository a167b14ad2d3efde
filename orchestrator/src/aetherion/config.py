"""Settings from the environment and `.env`; the environment wins."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from aetherion.client.channel import is_target
from aetherion.errors import AetherionError

PREFIX = "AETHERION_CLIENT_"
# The settings of the two services, which share the environment and the .env file with ours.
_OTHERS = ("AETHERION_TRADING_", "AETHERION_RISK_")
ENV_FILE = Path(".env")


class ConfigError(AetherionError, ValueError):
    """A setting that does not exist or has a bad value."""


class Settings(BaseSettings):
    """Everything that is configured: AETHERION_CLIENT_ and the name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True
    )

    trading_address: str = "127.0.0.1:50051"
    risk_address: str = "127.0.0.1:50052"
    bin_dir: Path = Path(__file__).parents[3] / "bin"  # of the repository
    data_dir: Path = Path("data")
    runs_dir: Path = Path("runs")
    call_timeout_s: float = Field(default=10.0, gt=0, le=3600, allow_inf_nan=False)
    start_timeout_s: float = Field(default=20.0, gt=0, le=3600, allow_inf_nan=False)
    debug: bool = False

    @field_validator("trading_address", "risk_address")
    @classmethod
    def _address(cls, value: str) -> str:
        if not is_target(value):
            raise ValueError("must be host:port or unix:path")
        return value


def load_settings() -> Settings:
    """Return the settings of the environment and the `.env` of the working directory.

    Raises:
        ConfigError: names the variable, its value and the rule.
    """
    _refuse_unknown(os.environ, "the environment")
    if ENV_FILE.is_file():
        _refuse_unknown(dotenv_values(ENV_FILE), str(ENV_FILE))
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        rule = first["msg"].removeprefix("Value error, ").replace("Input should", "must")
        raise ConfigError(f"{name}: {rule}, got {first['input']!r}") from None


def _refuse_unknown(names: Iterable[str], where: str) -> None:
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in names:
        if _is_ours(name) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise ConfigError(f"{name}: unknown variable in {where}; did you mean {near}?")


def _is_ours(name: str) -> bool:
    """Whether a variable is a client's, or would be if it were spelled right."""
    return name.startswith("AETHERION_") and not name.startswith(_OTHERS)
