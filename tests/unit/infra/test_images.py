"""The container files: no race at the start, one image, no secret in an environment, nothing unpinned or unconfined."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings import is_secret
from infra.settings_loading import load_settings

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = {"sandbox", "migrate", "engine-1", "engine-2"}


def test_one_service_builds_the_image_and_the_others_run_it() -> None:
    assert {SERVICES[name]["image"] for name in OURS} == {"r3edge-engine"}
    assert [name for name in SERVICES if "build" in SERVICES[name]] == ["migrate"]
    assert {SERVICES[name]["pull_policy"] for name in OURS} == {"never", "build"}  # no registry is asked for our name


def test_every_other_image_is_of_a_named_version() -> None:
    foreign = [SERVICES[name]["image"] for name in SERVICES if name not in OURS]
    assert foreign
    for image in [*foreign, *re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)]:
        assert re.fullmatch(r"[\w/]+:\d+\.\d+(\.\d+)?[\w.-]*", image), image
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${PYTHON}", "${PYTHON}"]
    assert re.search(r"pip install \S+ uv==\d", DOCKERFILE)


def test_the_database_counts_as_there_when_it_listens_for_others() -> None:
    check = SERVICES["postgres"]["healthcheck"]["test"]
    assert check[:4] == ["CMD", "pg_isready", "-h", "127.0.0.1"]
    assert SERVICES["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert SERVICES["migrate"]["command"] == ["migrate", "--wait", "60"]


@pytest.mark.parametrize("name", ["engine-1", "engine-2"])
def test_a_node_starts_on_a_migrated_database_and_a_sandbox_that_answers(name: str) -> None:
    conditions = {part: need["condition"] for part, need in SERVICES[name]["depends_on"].items()}
    assert conditions["migrate"] == "service_completed_successfully"
    assert conditions["sandbox"] == "service_healthy"
    assert "healthcheck" not in SERVICES[name]  # the image's own asks /readyz


def test_secrets_are_files_that_the_script_makes(tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    assert {name: secret["file"] for name, secret in COMPOSE["secrets"].items()} == {
        name: f"secrets/{name}" for name in made
    }
    used = {name for service in SERVICES.values() for name in service.get("secrets", ())}
    assert used == set(made)
    for service in SERVICES.values():
        assert not [name for name in service.get("environment", {}) if is_secret(name.removeprefix("R3EDGE_"))]


def test_the_secrets_that_are_made_are_settings_that_the_engine_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_secrets(tmp_path)
    environment = SERVICES["engine-1"]["environment"]
    for variable in (name for name in environment if name.endswith("_FILE")):
        monkeypatch.setenv(variable, str(made[Path(environment[variable]).name]))
    monkeypatch.setenv("R3EDGE_SANDBOX_URL", environment["R3EDGE_SANDBOX_URL"])
    settings = load_settings()
    assert settings.database_url is not None
    password = made["postgres-password"].read_text()
    assert settings.database_url.get_secret_value() == f"postgresql://r3edge:{password}@postgres:5432/r3edge"


def test_secrets_that_are_there_stay_and_others_on_the_machine_do_not_read_them(tmp_path: Path) -> None:
    first = {name: path.read_bytes() for name, path in make_secrets(tmp_path).items()}
    assert all(first.values())
    assert len(set(first.values())) == len(first)
    assert {name: path.read_bytes() for name, path in make_secrets(tmp_path).items()} == first
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def make_secrets(folder: Path) -> dict[str, Path]:
    """Run the script in a copy of the project; return the files by their names."""
    (folder / "deploy").mkdir(exist_ok=True)
    script = shutil.copy(ROOT / "deploy" / "make-secrets", folder / "deploy")
    subprocess.run([script], check=True, timeout=60)
    return {path.name: path for path in (folder / "secrets").iterdir()}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_and_only_the_proxy_can_be_reached_from_this_machine(name: str) -> None:
    assert {"mem_limit", "pids_limit", "restart"} <= set(SERVICES[name])
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))
    assert ("ports" in SERVICES[name]) is (name == "proxy")


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_gains_privileges_and_ours_write_nothing_but_their_data(name: str) -> None:
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    if name in OURS:
        assert (SERVICES[name]["read_only"], SERVICES[name]["cap_drop"]) == (True, ["ALL"])
        assert SERVICES[name]["tmpfs"] == ["/tmp"]


def test_the_nodes_believe_their_proxy_alone_and_it_asks_all_of_them() -> None:
    (network,) = SERVICES["proxy"]["networks"].values()
    nodes = [name for name in SERVICES if name.startswith("engine")]
    for name in nodes:
        assert SERVICES[name]["environment"]["R3EDGE_TRUSTED_PROXIES"] == network["ipv4_address"]
    upstreams = " ".join(f"{name}:8000" for name in nodes)
    assert f"{{$R3EDGE_UPSTREAMS:{upstreams}}}" in (ROOT / "deploy" / "Caddyfile").read_text()


def test_the_image_has_no_gpl_parts_and_no_root() -> None:
    build, run = DOCKERFILE.split("\n\n", 1)
    removal = build.index("-name psql -o -name 'libreadline*'")
    assert removal > build.index("--no-editable")
    assert "USER r3edge" in run
    assert "uv" not in run.replace("/app/.venv", "").split("COPY", 1)[0]
