import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from infra.runtime.data_dir import KEY_FILE, DataDir, DataDirInUse, DataDirUnusable
from infra.settings_loading import load_settings

HOLD = """
import sys, threading
from pathlib import Path
from infra.runtime.data_dir import DataDir
held = DataDir.hold(Path(sys.argv[1]))
print("held", flush=True)
threading.Event().wait(60)
"""


def test_a_second_engine_is_kept_out_until_the_first_lets_go(tmp_path: Path) -> None:
    held = DataDir.hold(tmp_path / "data")
    with pytest.raises(DataDirInUse, match="another engine is running"):
        DataDir.hold(tmp_path / "data")
    held.release()
    DataDir.hold(tmp_path / "data").release()


def test_a_killed_engine_lets_go(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DataDirInUse):
            DataDir.hold(tmp_path)
        other.send_signal(signal.SIGKILL)
        other.wait()
        DataDir.hold(tmp_path).release()


def test_the_key_is_the_same_at_every_start_and_for_its_owner_alone(tmp_path: Path) -> None:
    data_dir = DataDir.hold(tmp_path / "data")
    key = data_dir.secret_key(load_settings())
    data_dir.release()

    again = DataDir.hold(tmp_path / "data")
    assert again.secret_key(load_settings()) == key
    again.release()
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / "data" / KEY_FILE).stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["lock", KEY_FILE]


def test_the_settings_key_goes_before_the_file(tmp_path: Path) -> None:
    data_dir = DataDir.hold(tmp_path)
    settings = load_settings(secret_key="A" * 43 + "=")
    assert data_dir.secret_key(settings) == bytes(32)
    assert not (tmp_path / KEY_FILE).exists()
    data_dir.release()


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"c2hvcnQ="])
def test_a_spoilt_key_file_is_reported_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    data_dir = DataDir.hold(tmp_path)
    with pytest.raises(DataDirUnusable, match="put it back from a backup"):
        data_dir.secret_key(load_settings())
    data_dir.release()
    assert (tmp_path / KEY_FILE).read_bytes() == content


def test_a_crash_while_the_key_was_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / f"{KEY_FILE}.new").write_bytes(b"half")
    data_dir = DataDir.hold(tmp_path)
    assert len(data_dir.secret_key(load_settings())) == 32
    data_dir.release()


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirUnusable, match="--data-dir"):
        DataDir.hold(tmp_path / "file" / "data")


def test_no_child_process_keeps_the_folder_held(tmp_path: Path) -> None:
    data_dir = DataDir.hold(tmp_path)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        data_dir.release()
        DataDir.hold(tmp_path).release()
        child.kill()
