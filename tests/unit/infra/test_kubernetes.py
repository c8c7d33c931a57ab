"""The Kubernetes manifests: valid for several versions, confined, bounded, probed, and fitting together."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import kubernetes_validate
import pytest
import yaml

from infra.settings import Role, Settings, is_secret

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
Manifest: TypeAlias = dict[str, Any]

KUSTOMIZATION: Manifest = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
MANIFESTS: list[Manifest] = [
    manifest for file in KUSTOMIZATION["resources"] for manifest in yaml.safe_load_all((DEPLOY / file).read_text())
]
WORKLOADS = [manifest for manifest in MANIFESTS if manifest["kind"] in {"Deployment", "StatefulSet"}]
NODES = [workload for workload in WORKLOADS if workload["spec"]["template"]["metadata"]["labels"].get("r3edge")]


def title(manifest: Manifest) -> str:
    return f"{manifest['kind']}-{manifest['metadata']['name']}"


def pod(workload: Manifest) -> Manifest:
    found: Manifest = workload["spec"]["template"]["spec"]
    return found


def containers(workload: Manifest) -> Iterator[Manifest]:
    yield from pod(workload).get("initContainers", ())
    yield from pod(workload)["containers"]


def of_kind(kind: str) -> list[Manifest]:
    return [manifest for manifest in MANIFESTS if manifest["kind"] == kind]


def test_every_manifest_is_applied() -> None:
    assert set(KUSTOMIZATION["resources"]) == {f"kubernetes/{path.name}" for path in (DEPLOY / "kubernetes").iterdir()}
    assert all((DEPLOY / file).is_file() for file in KUSTOMIZATION["configMapGenerator"][0]["files"])


@pytest.mark.parametrize("version", ["1.27", "1.30", "1.34"])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=title)
def test_a_manifest_is_valid_and_has_no_field_that_is_unknown(manifest: Manifest, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("workload", WORKLOADS, ids=title)
def test_a_pod_is_confined(workload: Manifest) -> None:
    spec = pod(workload)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in containers(workload):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        is_ours = container["image"] == "r3edge-engine"
        assert container["securityContext"].get("readOnlyRootFilesystem", False) is is_ours


@pytest.mark.parametrize("workload", WORKLOADS, ids=title)
def test_a_container_asks_for_what_it_needs_and_is_bounded(workload: Manifest) -> None:
    for container in containers(workload):
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
    for container in pod(workload)["containers"]:
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)


def test_images_are_of_named_versions() -> None:
    (ours,) = KUSTOMIZATION["images"]
    (version,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert (ours["name"], ours["newTag"]) == ("r3edge-engine", version)
    for workload in WORKLOADS:
        for container in containers(workload):
            image = container["image"]
            assert image == ours["name"] or re.fullmatch(r"[\w/]+:\d+\.\d+\.\d+", image), image


def test_all_images_are_those_of_compose() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    used = {container["image"] for workload in WORKLOADS for container in containers(workload)}
    assert used <= {service["image"] for service in services.values()}


@pytest.mark.parametrize("workload", WORKLOADS, ids=title)
def test_labels_and_selectors_fit_together(workload: Manifest) -> None:
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
    if workload["spec"]["replicas"] > 1:
        name = workload["metadata"]["name"]
        (budget,) = [found for found in of_kind("PodDisruptionBudget") if found["metadata"]["name"] == name]
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_a_service_reaches_a_port_that_pods_have() -> None:
    for service in of_kind("Service"):
        pods = [
            workload
            for workload in WORKLOADS
            if service["spec"]["selector"].items() <= workload["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert pods, title(service)
        for port in service["spec"]["ports"]:
            names = {own["name"] for workload in pods for item in containers(workload) for own in item.get("ports", ())}
            assert port["targetPort"] in names


def test_the_nodes_together_have_every_role() -> None:
    roles = [pod(node)["containers"][0]["args"][2] for node in NODES]
    assert sorted(",".join(roles).split(",")) == sorted(Role)


def test_settings_are_settings_and_secrets_come_from_files_alone() -> None:
    (settings,) = of_kind("ConfigMap")
    for variable in settings["data"]:
        name = variable.removeprefix("R3EDGE_").lower()
        secret = name.removesuffix("_file")
        assert is_secret(secret) if secret != name else (name in Settings.model_fields and not is_secret(name)), name
    files = {Path(value).name for variable, value in settings["data"].items() if variable.endswith("_FILE")}
    made = set(re.findall(r"\| make ([\w-]+)$", (DEPLOY / "make-secrets").read_text(), re.MULTILINE))
    assert files <= made


def test_every_member_of_hazelcast_is_named_to_nodes_and_members() -> None:
    (settings,) = of_kind("ConfigMap")
    (cluster,) = [workload for workload in WORKLOADS if workload["metadata"]["name"] == "r3edge-hazelcast"]
    expected = [f"r3edge-hazelcast-{index}.r3edge-hazelcast" for index in range(cluster["spec"]["replicas"])]
    assert settings["data"]["R3EDGE_HAZELCAST_MEMBERS"].split(",") == [f"{host}:5701" for host in expected]
    options = pod(cluster)["containers"][0]["env"][0]["value"]
    assert options.endswith("-Dr3edge.members=" + ",".join(expected))
