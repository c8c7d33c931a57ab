from pathlib import Path

import pytest

from infra.doctor import data_directory
from infra.doctor.data_directory import check_data_directory
from infra.doctor.findings import Finding, Status
from infra.settings_loading import load_settings


def found(folder: Path, check: str) -> Finding:
    (finding,) = (each for each in check_data_directory(load_settings(data_dir=folder)) if each.check == check)
    return finding


def test_a_folder_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert found(folder, "disk.folder").status is Status.OK
    assert "the first start makes it" in found(folder, "disk.folder").message
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.touch()
    assert found(file, "disk.folder").status is Status.ERROR


@pytest.mark.parametrize("name", ["secret-key", "postgres/password", "sandbox/admin-token"])
def test_a_secret_that_others_may_read_is_an_error_that_names_the_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("x")
    file.chmod(0o600)
    assert found(tmp_path, "secrets.permissions").status is Status.OK
    file.chmod(0o640)
    finding = found(tmp_path, "secrets.permissions")
    assert finding.status is Status.ERROR
    assert finding.advice == f"chmod 600 '{file}'"


def test_a_file_of_settings_may_be_open_unless_it_holds_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "r3edge.toml"
    monkeypatch.setenv("R3EDGE_CONFIG", str(file))
    file.write_text("port = 9000\n")
    file.chmod(0o644)
    assert found(tmp_path, "secrets.permissions").status is Status.OK
    file.write_text("sandbox_url = 'http://sandbox:1'\nsandbox_token = 'x'\n")
    assert found(tmp_path, "secrets.permissions").status is Status.ERROR
    file.chmod(0o640)
    assert found(tmp_path, "secrets.permissions").status is Status.OK


def test_a_file_of_a_secret_may_be_read_by_its_group_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "metrics-token"
    file.write_text("0123456789abcdef")
    file.chmod(0o644)
    assert found(tmp_path, "secrets.permissions").status is Status.OK
    monkeypatch.setenv("R3EDGE_METRICS_TOKEN_FILE", str(file))
    assert found(tmp_path, "secrets.permissions").status is Status.ERROR
    file.chmod(0o640)
    assert found(tmp_path, "secrets.permissions").status is Status.OK


def test_a_key_file_that_holds_no_key_is_an_error_that_does_not_repeat_it(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("hunter2")
    finding = found(tmp_path, "secrets.key")
    assert finding.status is Status.ERROR
    assert "hunter2" not in finding.message


def test_little_room_is_a_warning_and_very_little_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for check, least, few in (
        ("disk.space", "LEAST_FREE_BYTES", "FEW_FREE_BYTES"),
        ("disk.inodes", "LEAST_FREE_INODES", "FEW_FREE_INODES"),
    ):
        monkeypatch.setattr(data_directory, least, 0)
        monkeypatch.setattr(data_directory, few, 0)
        assert found(tmp_path, check).status in {Status.OK, Status.SKIPPED}
        monkeypatch.setattr(data_directory, few, 1 << 62)
        assert found(tmp_path, check).status in {Status.WARNING, Status.SKIPPED}
        monkeypatch.setattr(data_directory, least, 1 << 62)
        assert found(tmp_path, check).status in {Status.ERROR, Status.SKIPPED}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("ext4", Status.OK), ("nfs4", Status.ERROR), ("fuse.sshfs", Status.ERROR), ("tmpfs", Status.WARNING)],
)
def test_the_file_system_of_the_folder_is_that_of_the_nearest_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, status: Status
) -> None:
    folder = tmp_path / "my data"
    folder.mkdir()
    mounts = tmp_path / "mountinfo"
    escaped = str(folder).replace(" ", "\\040")
    mounts.write_text(
        f"21 1 8:1 / / rw,relatime shared:1 - xfs /dev/sda1 rw\n22 21 0:5 / {escaped} rw - {kind} server:/export rw\n"
    )
    monkeypatch.setattr(data_directory, "_MOUNTS", mounts)
    finding = found(folder / "r3edge-data", "disk.file_system")
    assert (finding.status, finding.message.endswith(f"is on {kind}")) == (status, True)
