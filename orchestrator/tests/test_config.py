from __future__ import annotations

from pathlib import Path

import pytest

from aetherion.config import PREFIX, ConfigError, Settings, load_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


def test_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("AETHERION_CLIENT_DATA_DIR=file\nAETHERION_CLIENT_RUNS_DIR=there\n")
    monkeypatch.setenv("AETHERION_CLIENT_DATA_DIR", "environment")
    settings = load_settings()
    assert (settings.data_dir, settings.runs_dir) == (Path("environment"), Path("there"))


def test_empty_value_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AETHERION_CLIENT_BIN_DIR", "")
    assert load_settings().bin_dir == EXAMPLE.parent / "bin"


def test_variables_of_the_services_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("AETHERION_TRADING_LISTEN=127.0.0.1:1\nAETHERION_RISK_ANYTHING=1\n")
    monkeypatch.setenv("AETHERION_TRADING_NO_SUCH", "1")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RISK_ADDRESS", "localhost", "must be host:port or unix:path, got 'localhost'"),
        ("TRADING_ADDRESS", "localhost:70000", "must be host:port or unix:path"),
        ("CALL_TIMEOUT_S", "0", "must be greater than 0, got '0'"),
        ("CALL_TIMEOUT_S", "nan", "got 'nan'"),
        ("DEBUG", "perhaps", "must be a valid boolean"),
        ("RUN_DIR", "x", "unknown variable in the environment; did you mean .*RUNS_DIR"),
    ],
)
def test_bad_value_is_refused_with_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(ConfigError, match=f"^{PREFIX}{name}: .*{says}"):
        load_settings()


def test_unknown_variable_in_the_file_is_refused() -> None:
    Path(".env").write_text("AETHERION_CLIENT_DATADIR=x\n")
    with pytest.raises(ConfigError, match=r"DATADIR: unknown variable in \.env; did you mean"):
        load_settings()


def test_example_documents_every_variable_with_its_default() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line.startswith(PREFIX)]
    Path(".env").write_text("\n".join(lines))
    assert len(lines) == len(Settings.model_fields)
    assert load_settings() == Settings()
