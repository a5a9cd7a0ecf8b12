"""The files in deploy/ against the code: ports, paths, variables, and times above the drain."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from server.admin_socket import ADMIN_DRAIN_S
from server.app import DRAIN_S, NOTICE_S
from server.config import VARIABLES, load_config
from server.descriptors import FILES_MAX
from tests.support.processes import ROOT

DEPLOY: Final = ROOT / "deploy"
STOP_MIN_S: Final = NOTICE_S + DRAIN_S + ADMIN_DRAIN_S + 10
"""Seconds that a stop may take; the last ten are for scripts and files."""
HTTP_PORT, GRPC_PORT, METRICS_PORT = 8080, 50051, 9464
WITH_VOLUME, WITH_POSTGRESQL = "kubernetes.yaml", "kubernetes.postgresql.yaml"
on_kubernetes = pytest.mark.parametrize("file", [WITH_VOLUME, WITH_POSTGRESQL])


def text_of(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8")


def unit() -> dict[str, list[str]]:
    """The values of each key of the systemd unit, in order."""
    found: dict[str, list[str]] = {}
    for line in text_of("actions.service").splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def manifests(file: str = WITH_VOLUME) -> dict[str, Any]:
    return {part["kind"]: part for part in yaml.safe_load_all(text_of(file))}


def pods(file: str = WITH_VOLUME) -> dict[str, Any]:
    """Returns the specification of what makes the pods."""
    kind = "StatefulSet" if file == WITH_VOLUME else "Deployment"
    found: dict[str, Any] = manifests(file)[kind]["spec"]
    return found


def pod(file: str = WITH_VOLUME) -> dict[str, Any]:
    found: dict[str, Any] = pods(file)["template"]["spec"]
    return found


def container(file: str = WITH_VOLUME) -> dict[str, Any]:
    (found,) = pod(file)["containers"]
    return dict(found)


def composed(service: str = "actions", file: str = "compose.yaml") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text_of(file))["services"][service]
    return found


def instructions() -> Iterator[tuple[str, str]]:
    """The instructions of the last stage of the Containerfile."""
    joined = text_of("Containerfile").replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    last = max(index for index, line in enumerate(lines) if line.startswith("FROM "))
    for line in lines[last:]:
        name, _, rest = line.partition(" ")
        yield name, re.sub(r"\s+", " ", rest)


def image_variables() -> dict[str, str]:
    (assignments,) = (rest for name, rest in instructions() if name == "ENV")
    return dict(assignment.split("=", 1) for assignment in assignments.split())


def variables_of(file: str) -> dict[str, str]:
    if file == "actions.service":
        return dict(value.split("=", 1) for value in unit()["Environment"])
    if file in (WITH_VOLUME, WITH_POSTGRESQL):
        given = container(file)["env"]
        return {each["name"]: each["value"] for each in given if "value" in each}
    return image_variables()


@pytest.mark.parametrize("file", ["actions.service", WITH_VOLUME, WITH_POSTGRESQL, "Containerfile"])
def test_variables_are_valid_settings(file: str) -> None:
    given = {k: v for k, v in variables_of(file).items() if k.startswith("ACTIONS_")}
    assert set(given) <= set(VARIABLES)
    assert "ACTIONS_DATA_DIR" in given
    load_config({}, given)


@pytest.mark.parametrize("file", [WITH_VOLUME, WITH_POSTGRESQL, "Containerfile"])
def test_a_container_listens_on_its_ports_at_every_address(file: str) -> None:
    config = load_config({}, variables_of(file)).config
    assert config.listen == f"0.0.0.0:{HTTP_PORT}"
    assert config.grpc_listen == f"0.0.0.0:{GRPC_PORT}"


def test_a_stop_may_take_longer_than_the_drain() -> None:
    grace = str(composed()["stop_grace_period"])
    assert int(unit()["TimeoutStopSec"][0]) > STOP_MIN_S
    assert pod(WITH_VOLUME)["terminationGracePeriodSeconds"] > STOP_MIN_S
    assert pod(WITH_POSTGRESQL)["terminationGracePeriodSeconds"] > STOP_MIN_S
    assert int(grace.removesuffix("s")) > STOP_MIN_S


def test_the_unit_starts_the_installed_command_with_the_files_that_it_uses() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    command, argument = unit()["ExecStart"][0].split()
    assert command.rpartition("/")[2] in project["scripts"]
    assert argument == "serve"
    assert unit()["LimitNOFILE"] == [str(FILES_MAX)]
    folder = f"/var/lib/{unit()['StateDirectory'][0]}"
    assert variables_of("actions.service")["ACTIONS_DATA_DIR"] == folder


def test_the_unit_allows_what_script_processes_need_to_confine_themselves() -> None:
    allowed, refused, *added = unit()["SystemCallFilter"]
    assert (allowed, refused) == ("@system-service", "~@resources @privileged")
    assert added == ["setpriority setrlimit prlimit64"]
    # With no right to seccomp or prctl only the rlimits would hold; @system-service has both.
    assert "AF_UNIX" in unit()["RestrictAddressFamilies"][0]


@on_kubernetes
def test_ports_of_kubernetes_are_those_of_the_service(file: str) -> None:
    named = {port["name"]: port["containerPort"] for port in container(file)["ports"]}
    assert named == {"http": HTTP_PORT, "grpc": GRPC_PORT, "metrics": METRICS_PORT}
    config = load_config({}, variables_of(file)).config
    assert config.metrics_listen == f"0.0.0.0:{METRICS_PORT}"
    annotations = pods(file)["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(METRICS_PORT)
    service = manifests(file)["Service"]["spec"]
    assert {port["port"]: named[port["targetPort"]] for port in service["ports"]} == {
        HTTP_PORT: HTTP_PORT,
        GRPC_PORT: GRPC_PORT,
    }
    assert service["selector"] == pod_labels(file)


def pod_labels(file: str) -> dict[str, str]:
    spec = pods(file)
    labels: dict[str, str] = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    return labels


def test_one_pod_has_the_volume() -> None:
    spec = pods()
    (claim,) = spec["volumeClaimTemplates"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container()["volumeMounts"]}
    folder = variables_of("kubernetes.yaml")["ACTIONS_DATA_DIR"]
    assert spec["replicas"] == 1
    assert folder.startswith(f"{mounted[claim['metadata']['name']]}/")


def test_pods_on_postgresql_are_replaced_one_by_one_and_keep_nothing() -> None:
    spec = pods(WITH_POSTGRESQL)
    assert spec["replicas"] > 1
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    budget = manifests(WITH_POSTGRESQL)["PodDisruptionBudget"]["spec"]
    assert budget["selector"]["matchLabels"] == pod_labels(WITH_POSTGRESQL)
    assert budget["maxUnavailable"] < spec["replicas"]
    assert all("emptyDir" in volume for volume in pod(WITH_POSTGRESQL)["volumes"])
    serving = container(WITH_POSTGRESQL)
    secrets = [each for each in serving["env"] if "valueFrom" in each]
    assert [each["name"] for each in secrets] == ["ACTIONS_DATABASE", "ACTIONS_SECRET_KEY"]
    (migrating,) = pod(WITH_POSTGRESQL)["initContainers"]
    assert (migrating["args"], migrating["env"]) == (["migrate"], secrets[:1])
    for key in ("image", "securityContext"):
        assert migrating[key] == serving[key]
    for secret in secrets:
        name, key = secret["valueFrom"]["secretKeyRef"].values()
        made = f"kubectl create secret generic {name} --from-literal={key}="
        assert made in text_of(WITH_POSTGRESQL)


def test_compose_gives_the_service_the_database_beside_it() -> None:
    file = "compose.postgresql.yaml"
    database, given = composed("postgres", file), composed("actions", file)["environment"]
    password = re.search(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", given["ACTIONS_DATABASE"])
    assert password is not None
    assert database["environment"]["POSTGRES_PASSWORD"] == password[0]
    url = given["ACTIONS_DATABASE"].replace(password[0], "p")
    user, name = (database["environment"][f"POSTGRES_{each}"] for each in ("USER", "DB"))
    assert url == f"postgresql://{user}:p@postgres/{name}"
    assert load_config({}, {"ACTIONS_DATABASE": url}).config.database == url
    assert given["ACTIONS_SECRET_KEY"].startswith("${ACTIONS_SECRET_KEY:?")
    assert composed("actions", file)["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "ports" not in database


@on_kubernetes
def test_probes_ask_for_health_and_readiness(file: str) -> None:
    paths = {
        name: container(file)[f"{name}Probe"]["httpGet"]
        for name in ("startup", "readiness", "liveness")
    }
    assert paths == {
        "startup": {"path": "/healthz", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
        "liveness": {"path": "/healthz", "port": "http"},
    }


@on_kubernetes
def test_containers_have_no_rights_and_write_to_data_and_tmp_alone(file: str) -> None:
    assert container(file)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {mount["mountPath"] for mount in container(file)["volumeMounts"]}
    assert mounted == {"/data", "/tmp"}  # noqa: S108  paths in the container
    compose = composed()
    assert (compose["read_only"], compose["cap_drop"]) == (True, ["ALL"])
    assert [volume.partition(":")[2] for volume in compose["volumes"]] == ["/data"]


@on_kubernetes
def test_the_image_and_the_pod_run_as_one_user_that_is_not_root(file: str) -> None:
    (user,) = (rest for name, rest in instructions() if name == "USER")
    context = pod(file)["securityContext"]
    assert user == f"{context['runAsUser']}:{context['runAsGroup']}" == "65532:65532"
    assert context["runAsNonRoot"] is True


def test_images_have_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    image = f"{project['name']}:{project['version']}"
    images = [
        container(WITH_VOLUME)["image"],
        container(WITH_POSTGRESQL)["image"],
        composed()["image"],
    ]
    assert images == [image, image, image]


def test_the_health_check_of_compose_is_that_of_the_image() -> None:
    (health,) = (rest for name, rest in instructions() if name == "HEALTHCHECK")
    command = json.loads(health.partition("CMD ")[2])
    assert composed()["healthcheck"]["test"] == ["CMD", *command]


def test_the_image_is_built_from_the_part_of_the_lock_that_serves() -> None:
    divider = re.search(r"^DIVIDER := \\# (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert divider is not None
    escaped = divider[1].replace(".", r"\.")
    assert f"sed '/^# {escaped}/,$d' constraints.txt" in text_of("Containerfile")
    assert f"\n# {divider[1]}\n" in (ROOT / "constraints.txt").read_text("utf-8")


def test_a_build_sees_the_files_that_it_copies_and_no_others() -> None:
    copied = {
        name.rstrip("/")
        for line in text_of("Containerfile").splitlines()
        if line.startswith("COPY ") and "--from=" not in line
        for name in line.split()[1:-1]
    }
    ignored = text_of("Containerfile.dockerignore").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert "*" in ignored
    assert all((ROOT / name).exists() for name in copied)
