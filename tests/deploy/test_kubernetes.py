"""The Kubernetes manifest: valid by the schemas of the API, and true to what the runner needs."""

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from lab.cache import ROOT
from qflow_runner.settings import Settings

TEXT = (ROOT / "deploy" / "kubernetes" / "qflow.yaml").read_text()
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all(TEXT))


def containers() -> Iterator[dict[str, Any]]:
    pod = _the("Deployment")["spec"]["template"]["spec"]
    yield from (*pod["initContainers"], *pod["containers"])


def _the(kind: str) -> dict[str, Any]:
    (found,) = [each for each in OBJECTS if each["kind"] == kind]
    return found


def _container(name: str) -> dict[str, Any]:
    (found,) = [each for each in containers() if each["name"] == name]
    return found


@pytest.mark.parametrize("version", ["1.29", "1.33", "1.37"])
def test_every_object_is_valid(version: str) -> None:
    """By the API's own schemas, strictly: an unknown field is an error. 1.29 is the first with sidecars on."""
    for each in OBJECTS:
        kubernetes_validate.validate(each, version, strict=True)


def test_the_schemas_refuse_a_wrong_field() -> None:
    """So the test above says something."""
    wrong = _the("Service") | {"spec": {"ports": [{"prot": 1}]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.33", strict=True)


def test_docker_finds_the_runners_paths() -> None:
    """Both containers have the volumes at the same paths, so a bind's source means the same to both."""
    seen = {
        name: {each["mountPath"]: each["name"] for each in _container(name)["volumeMounts"]}
        for name in ("runner", "docker")
    }

    for path in ("/var/lib/qflow", "/run/qflow", "/docker"):
        assert seen["runner"][path] == seen["docker"][path]


def test_probes_ask_what_the_runner_answers() -> None:
    runner = _container("runner")

    assert runner["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert runner["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_what_is_set_is_a_setting() -> None:
    """A misspelt variable would be ignored."""
    names = [each["name"] for each in _container("runner")["env"] if each["name"].startswith("QFLOW_")]

    assert names
    assert all(name.removeprefix("QFLOW_").lower() in Settings.model_fields for name in names)


def test_only_docker_is_privileged() -> None:
    for each in containers():
        context = each["securityContext"]
        if each["name"] == "docker":
            assert context == {"privileged": True}
        else:
            assert context["runAsNonRoot"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert not context["allowPrivilegeEscalation"]


def test_no_secret_stands_in_the_file() -> None:
    assert not any(each["kind"] == "Secret" for each in OBJECTS)
    assert "QFLOW_TOKEN" not in [each["name"] for each in _container("runner")["env"]]
