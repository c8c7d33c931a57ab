"""The container files: no race at the start, one image, no empty secret, nothing unpinned."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

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


def test_no_secret_may_be_empty() -> None:
    text = (ROOT / "compose.yaml").read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    assert used == {"POSTGRES_PASSWORD", "R3EDGE_SECRET_KEY", "R3EDGE_SANDBOX_TOKEN"}
    assert len(re.findall(r"\$\{\w+:\?[^}]+\}", text)) == text.count("${")
    assert all(f"{name}=%s" in text for name in used)  # the line that makes them makes all


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_and_only_the_nodes_can_be_reached_from_this_machine(name: str) -> None:
    assert {"mem_limit", "pids_limit", "restart"} <= set(SERVICES[name])
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))
    assert ("ports" in SERVICES[name]) is name.startswith("engine")


def test_the_image_has_no_gpl_parts_and_no_root() -> None:
    build, run = DOCKERFILE.split("\n\n", 1)
    removal = build.index("-name psql -o -name 'libreadline*'")
    assert removal > build.index("--no-editable")
    assert "USER r3edge" in run
    assert "uv" not in run.replace("/app/.venv", "").split("COPY", 1)[0]
