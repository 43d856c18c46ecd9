from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest


def values(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


@pytest.fixture
def make(root: Path, tmp_path: Path):
    def run(before: str | None = None) -> tuple[dict[str, str], str]:
        file = tmp_path / ".env"
        if before is not None:
            file.write_text(before)
        done = subprocess.run(
            ["sh", str(root / "deploy" / "secrets.sh"), str(file)], check=True, capture_output=True, text=True
        )
        return values(file), done.stdout

    return run


def test_every_secret_is_made_and_none_is_told(make, tmp_path: Path) -> None:
    made, told = make()
    assert set(made) == {
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "FERNET_KEY",
        "JWT_SECRET",
        "API_SECRET_KEY",
        "ADMIN_PASSWORD",
    }
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert not [value for value in made.values() if value in told]
    assert len(set(made.values())) == len(made)


def test_each_fits_where_it_is_used(make) -> None:
    made, _ = make()
    assert len(base64.urlsafe_b64decode(made.pop("FERNET_KEY"))) == 32
    for name, value in made.items():
        assert len(value) == 64, name
        assert value.isalnum(), f"{name} would need quoting in a URL"


def test_a_second_run_changes_nothing(make) -> None:
    first, _ = make()
    second, told = make()
    assert second == first
    assert "nothing changed" in told


def test_what_a_person_has_set_stays(make, tmp_path: Path) -> None:
    made, _ = make("ADMIN_PASSWORD=mine\nNIGHTSHIFT_LAKE=s3://a/b")
    assert made["ADMIN_PASSWORD"] == "mine"
    assert made["NIGHTSHIFT_LAKE"] == "s3://a/b"
    assert made["POSTGRES_PASSWORD"]


def test_an_empty_one_is_filled(make) -> None:
    made, _ = make("REDIS_PASSWORD=\n")
    assert len(made["REDIS_PASSWORD"]) == 64


def test_two_deployments_share_no_secret(make, tmp_path: Path) -> None:
    first, _ = make()
    (tmp_path / ".env").unlink()
    second, _ = make()
    assert not set(first.values()) & set(second.values())


def test_the_file_never_reaches_git_nor_the_image(root: Path) -> None:
    assert ".env" in (root / ".gitignore").read_text().splitlines()
    ignored = (root / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert "!.env" not in ignored
