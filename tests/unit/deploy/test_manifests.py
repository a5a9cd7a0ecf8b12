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
HTTP_PORT, GRPC_PORT = 8080, 50051


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


def manifests() -> dict[str, Any]:
    return {part["kind"]: part for part in yaml.safe_load_all(text_of("kubernetes.yaml"))}


def pod() -> dict[str, Any]:
    found: dict[str, Any] = manifests()["StatefulSet"]["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    (found,) = pod()["containers"]
    return dict(found)


def composed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text_of("compose.yaml"))["services"]["actions"]
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
    if file == "kubernetes.yaml":
        return {variable["name"]: variable["value"] for variable in container()["env"]}
    return image_variables()


@pytest.mark.parametrize("file", ["actions.service", "kubernetes.yaml", "Containerfile"])
def test_variables_are_valid_settings(file: str) -> None:
    given = {k: v for k, v in variables_of(file).items() if k.startswith("ACTIONS_")}
    assert set(given) <= set(VARIABLES)
    assert "ACTIONS_DATA_DIR" in given
    load_config({}, given)


@pytest.mark.parametrize("file", ["kubernetes.yaml", "Containerfile"])
def test_a_container_listens_on_its_ports_at_every_address(file: str) -> None:
    config = load_config({}, variables_of(file)).config
    assert config.listen == f"0.0.0.0:{HTTP_PORT}"
    assert config.grpc_listen == f"0.0.0.0:{GRPC_PORT}"


def test_a_stop_may_take_longer_than_the_drain() -> None:
    grace = str(composed()["stop_grace_period"])
    assert int(unit()["TimeoutStopSec"][0]) > STOP_MIN_S
    assert pod()["terminationGracePeriodSeconds"] > STOP_MIN_S
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


def test_ports_of_kubernetes_are_those_of_the_service() -> None:
    named = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert named == {"http": HTTP_PORT, "grpc": GRPC_PORT}
    service = manifests()["Service"]["spec"]
    assert {port["port"]: named[port["targetPort"]] for port in service["ports"]} == {
        HTTP_PORT: HTTP_PORT,
        GRPC_PORT: GRPC_PORT,
    }
    assert service["selector"] == pod_labels()


def pod_labels() -> dict[str, str]:
    spec = manifests()["StatefulSet"]["spec"]
    labels: dict[str, str] = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    return labels


def test_one_pod_has_the_volume() -> None:
    spec = manifests()["StatefulSet"]["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container()["volumeMounts"]}
    folder = variables_of("kubernetes.yaml")["ACTIONS_DATA_DIR"]
    assert spec["replicas"] == 1
    assert folder.startswith(f"{mounted[claim['metadata']['name']]}/")


def test_probes_ask_for_health_and_readiness() -> None:
    paths = {
        name: container()[f"{name}Probe"]["httpGet"]
        for name in ("startup", "readiness", "liveness")
    }
    assert paths == {
        "startup": {"path": "/healthz", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
        "liveness": {"path": "/healthz", "port": "http"},
    }


def test_containers_have_no_rights_and_write_to_data_and_tmp_alone() -> None:
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {mount["mountPath"] for mount in container()["volumeMounts"]}
    assert mounted == {"/data", "/tmp"}  # noqa: S108  paths in the container
    compose = composed()
    assert (compose["read_only"], compose["cap_drop"]) == (True, ["ALL"])
    assert [volume.partition(":")[2] for volume in compose["volumes"]] == ["/data"]


def test_the_image_and_the_pod_run_as_one_user_that_is_not_root() -> None:
    (user,) = (rest for name, rest in instructions() if name == "USER")
    context = pod()["securityContext"]
    assert user == f"{context['runAsUser']}:{context['runAsGroup']}" == "65532:65532"
    assert context["runAsNonRoot"] is True


def test_images_have_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    image = f"{project['name']}:{project['version']}"
    assert [container()["image"], composed()["image"]] == [image, image]


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
