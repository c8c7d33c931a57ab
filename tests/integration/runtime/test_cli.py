import os
import subprocess
import sys
from pathlib import Path

from infra.runtime.data_dir import DataDir

PROGRAM = "from infra.cli.main import main; main()"


def r3edge(*arguments: object, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with these settings alone, `port` for R3EDGE_PORT."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("R3EDGE_")}
    environment |= {f"R3EDGE_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_bad_setting_ends_every_command_with_2_and_its_name_and_nothing_of_a_secret() -> None:
    for command in (["serve"], ["migrate"], ["user", "promote", "ada@example.com"]):
        done = r3edge(*command, port="x", secret_key="hunter2")
        assert done.returncode == 2
        assert "R3EDGE_PORT: " in done.stderr
        assert "R3EDGE_SECRET_KEY: " in done.stderr
        assert "hunter2" not in done.stderr
        assert "Traceback" not in done.stderr


def test_a_bad_option_ends_with_2() -> None:
    for arguments in (["serve", "--port", "x"], ["serve", "--port", "70000"], ["serve", "--roles", "cook"]):
        done = r3edge(*arguments)
        assert done.returncode == 2
        assert "port" in done.stderr.lower() or "roles" in done.stderr.lower()
        assert "Traceback" not in done.stderr


def test_what_the_operator_can_mend_is_reported_in_a_line(tmp_path: Path) -> None:
    held = DataDir.hold(tmp_path)
    in_use = [r3edge(command, "--data-dir", tmp_path) for command in ("serve", "migrate")]
    held.release()
    away = r3edge("migrate", database_url="postgresql://u:hunter2@127.0.0.1:1/d")

    for done in (*in_use, away):
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "hunter2" not in done.stderr
    assert all("another engine is running" in done.stderr for done in in_use)


def test_the_schema_is_printed() -> None:
    done = r3edge("schema", "print")
    assert done.returncode == 0
    assert "type Mutation" in done.stdout
