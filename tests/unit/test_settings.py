"""Settings: one table, and errors that name the variable."""

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from qflow_runner.identity import DataDir, InUse
from qflow_runner.settings import Settings
from qflow_runner.settings.unknown import unknown_settings


def test_every_setting_has_a_unit_and_a_help_text() -> None:
    """Nobody has to read the code to know what a setting means."""
    for name, field in Settings.model_fields.items():
        assert isinstance(field.json_schema_extra, dict), name
        assert field.json_schema_extra["unit"], name
        assert len(field.description or "") > 15, name


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_listening_beyond_loopback_needs_a_token(host: str) -> None:
    """A runner that others can reach is never open."""
    with pytest.raises(ValidationError, match="QFLOW_TOKEN"):
        Settings(host=host)

    assert Settings(host=host, token="a-secret-of-16-characters").host == host


def test_a_short_token_is_refused() -> None:
    """A token that could be guessed is no token."""
    with pytest.raises(ValidationError, match="16 characters"):
        Settings(token="short")


def test_the_token_is_made_once_and_kept_secret(tmp_path: Path) -> None:
    """The first start makes a token; the file is the owner's alone; the next start finds it."""
    directory = DataDir(Settings(data_dir=tmp_path / "data"))
    token, is_new = directory.token()

    assert is_new
    assert (token, False) == directory.token()
    assert 0o600 == stat.S_IMODE((tmp_path / "data" / "token").stat().st_mode)


def test_two_runners_do_not_share_a_directory(tmp_path: Path) -> None:
    """The second one is told, instead of ending the first one's sandboxes."""
    first = DataDir(Settings(data_dir=tmp_path))

    with pytest.raises(InUse, match="Another runner"):
        DataDir(Settings(data_dir=tmp_path))
    assert first.identity() == first.identity()


def test_the_environment_sets_what_has_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """QFLOW_<NAME> sets a setting."""
    monkeypatch.setenv("QFLOW_MEMORY_MB", "1024")

    assert 1024 == Settings().memory_mb


def test_what_is_kept_moves_with_the_data_directory(tmp_path: Path) -> None:
    """One setting moves all that the runner keeps."""
    settings = Settings(data_dir=tmp_path)

    kept = [settings.layers_dir, settings.files_path, settings.spill_path, settings.results_path]
    assert all(path.parent == tmp_path for path in kept)


def test_plain_processes_do_not_serve_others() -> None:
    """Code without a boundary is for the person who sits at the machine, whatever token there is."""
    with pytest.raises(ValidationError, match="QFLOW_BACKEND=process"):
        Settings(backend="process", host="0.0.0.0", token="a-secret-of-16-characters")

    assert Settings(backend="process", host="127.0.0.1").backend == "process"


def test_plain_processes_are_never_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked for by name, also where there is no Docker."""
    monkeypatch.delenv("QFLOW_BACKEND", raising=False)

    assert Settings().backend == "docker"


def test_required_isolation_is_not_to_be_had_from_plain_processes() -> None:
    """Said at the start, and not at the first run."""
    with pytest.raises(ValidationError, match="QFLOW_ISOLATION"):
        Settings(backend="process", isolation="required")


def test_no_two_groups_share_a_name() -> None:
    """Python would take one of them without a word, be it a setting or what checks it."""
    seen: dict[str, str] = {}
    for group in Settings.__bases__:
        for name in vars(group):
            if not name.startswith("__") and name not in {"model_config", "model_fields"}:
                shared = name.startswith(("model_", "_abc_")) or name in vars(BaseSettings)
                assert shared or seen.setdefault(name, group.__name__) == group.__name__, name
        for name in vars(group).get("__annotations__", {}):
            assert seen.setdefault(f"setting {name}", group.__name__) == group.__name__, name


def test_what_is_no_setting_is_found_with_what_it_may_mean() -> None:
    """In whatever case it is written, as settings are; its value is not told."""
    found = unknown_settings(
        {
            "QFLOW_PROT": "1",
            "qflow_tokn": "a-secret",
            "QFLOW_WHATEVER": "x",
            "QFLOW_PORT": "1",
            "qflow_python": "3.12",
            "PORT": "1",
        }
    )

    assert {
        "QFLOW_PROT": "It may be meant as QFLOW_PORT.",
        "qflow_tokn": "It may be meant as QFLOW_TOKEN.",
        "QFLOW_WHATEVER": "`qflow settings` names those that there are.",
    } == found


def test_a_variable_that_kubernetes_makes_is_called_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QFLOW_PORT", "tcp://10.0.0.1:8717")

    with pytest.raises(ValidationError, match="enableServiceLinks: false"):
        Settings()
