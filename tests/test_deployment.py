"""The files of deploy/ that no test here can run: their own linters and schemas, and what one says about another."""
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
LOCKS = {"requirements.lock": "requirements.txt", "requirements-cluster.lock": "requirements-cluster.txt"}


def tool(name: str) -> str:
    """The path of a program of requirements-deploy.txt."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        report = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        report(f"no {name} to test with: pip install -r requirements-deploy.txt")
    return found


def checked(*command: str | Path) -> None:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def objects(kind: str) -> dict[str, dict]:
    """The Kubernetes objects of a kind, by name."""
    found = [each for file in KUBERNETES for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))]
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


def pods() -> dict[str, dict]:
    """What runs on the cluster: the specification of each kind of pod, by name."""
    return {name: each["spec"]["template"]["spec"] for kind in ("StatefulSet", "Deployment")
            for name, each in objects(kind).items()}


def compose() -> dict:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def replicas() -> list[tuple[str, int]]:
    """Host and port of each replica that nginx knows."""
    text = (DEPLOY / "nginx" / "replicas.conf").read_text(encoding="utf-8")
    pool = re.search(r"upstream any_replica \{(.*?)\}", text, re.DOTALL)[1]
    return [(host, int(port)) for host, port in re.findall(r"server ([\w-]+):(\d+)", pool)]


def pins(lock: str) -> dict[str, list[Requirement]]:
    """A package may stand there twice, for older and newer Pythons."""
    found: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^\w.*?==.*?(?= \\$)", (DEPLOY / lock).read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(canonicalize_name(Requirement(line).name), []).append(Requirement(line))
    return found


def wanted(file: str) -> list[Requirement]:
    lines = [line.split("#")[0].strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    return [each for line in lines if line for each in
            (wanted(line.removeprefix("-r ").strip()) if line.startswith("-r ") else [Requirement(line)])]


def test_the_dockerfile_passes_its_linter():
    checked(tool("hadolint"), DEPLOY / "Dockerfile")


def test_the_builder_is_sent_what_the_dockerfile_copies():
    sent = re.findall(r"^!(\S+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--)(\S+) \S+$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(sent) == sorted(copied) and all((ROOT / name).exists() for name in sent)


def test_the_compose_file_follows_its_schema():
    checked(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_the_kubernetes_objects_follow_their_schemas():
    assert len(KUBERNETES) == 3
    checked(tool("kubernetes-validate"), "--strict", *KUBERNETES)


def test_kustomize_is_given_every_file_that_there_is():
    kustomization = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text(encoding="utf-8"))
    assert sorted(DEPLOY / name for name in kustomization["resources"]) == KUBERNETES
    maps = {each["name"]: each["files"] for each in kustomization["configMapGenerator"]}
    mounted = pods()["zigzag-nginx"]["volumes"][0]["configMap"]["name"]
    assert all((DEPLOY / name).is_file() for name in maps[mounted]) and len(maps[mounted]) == 2


def test_nginx_knows_the_replicas_of_compose_and_kubernetes_by_their_ports():
    known = replicas()
    assert len(known) >= 2 and len({port for _, port in known}) == len(known)
    text = (DEPLOY / "nginx" / "replicas.conf").read_text(encoding="utf-8")
    for host, port in known:
        assert f"{port} replica_{port};" in text
        assert re.search(rf"upstream replica_{port} \{{\s*server {host}:{port};\s*\}}", text)

    services = compose()["services"]
    assert {(name, int(each["environment"]["STREAMLIT_SERVER_PORT"])) for name, each in services.items()
            if "STREAMLIT_SERVER_PORT" in each.get("environment", {})} == set(known)

    own = {name: each["spec"] for name, each in objects("Service").items() if name.startswith("zigzag-85")}
    assert {(name, spec["ports"][0]["port"]) for name, spec in own.items()} == set(known)
    assert objects("StatefulSet")["zigzag"]["spec"]["replicas"] == len(known)
    assert [spec["selector"]["statefulset.kubernetes.io/pod-name"] for _, spec in sorted(own.items())] == [
        f"zigzag-{number}" for number in range(len(known))]


def test_one_cookie_secret_comes_from_the_environment_and_nothing_starts_without():
    name = "STREAMLIT_SERVER_COOKIE_SECRET"
    for host, _ in replicas():
        assert compose()["services"][host]["environment"][name].startswith(f"${{{name}:?")
    variable = next(each for each in pods()["zigzag"]["containers"][0]["env"] if each["name"] == name)
    assert "optional" not in variable["valueFrom"]["secretKeyRef"]
    assert not objects("Secret")


def test_containers_have_no_rights_that_they_do_not_need():
    user = re.search(r"^USER (\d+)$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert int(user) > 0
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"], name
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"] and rights["capabilities"]["drop"] == ["ALL"], name
            assert rights["allowPrivilegeEscalation"] is False and "memory" in container["resources"]["limits"]
            if container["image"] == "zigzag-lab":
                assert str(pod["securityContext"]["runAsUser"]) == user
    for name, service in compose()["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert "ports" not in service or name == "nginx"


def test_a_cluster_is_reached_by_the_address_that_the_dashboard_reads():
    from zz_view import sweep_runs
    assert "ZIGZAG_DASK_ADDRESS" in Path(sweep_runs.__file__).read_text(encoding="utf-8")
    address = objects("ConfigMap")["zigzag-dask"]["data"]["address"]
    host, port = re.fullmatch(r"tcp://([\w-]+):(\d+)", address).groups()
    assert objects("Service")[host]["spec"]["ports"][0]["port"] == int(port)
    scheduler, worker = (pods()[name]["containers"][0]["command"] for name in ("zigzag-scheduler", "zigzag-worker"))
    assert scheduler[:2] == ["dask", "scheduler"] and worker[2] == address
    services = compose()["services"]
    assert services["worker"]["command"][2] == "tcp://scheduler:8786"
    assert [c[c.index("--nthreads") + 1] for c in (worker, services["worker"]["command"])] == ["1", "1"]


@pytest.mark.parametrize("name", ["zigzag-scheduler", "zigzag-worker", "scheduler", "worker"])
def test_the_programs_of_the_cluster_know_their_options(name):
    """They take any: what they do not know they hand to modules of the user's."""
    pytest.importorskip("distributed", reason="pip install -r requirements-cluster.txt")
    command = (pods()[name]["containers"][0] if name in pods() else compose()["services"][name])["command"]
    program = import_module(f"distributed.cli.dask_{command[1]}").main
    known = {option for parameter in program.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in command if word.startswith("--")} <= known


def test_the_server_of_a_plain_machine_starts_what_the_image_starts():
    unit = (DEPLOY / "systemd" / "zigzag@.service").read_text(encoding="utf-8")
    start = re.search(r"^ExecStart=\S+/(streamlit .*)$", unit, re.MULTILINE)[1].split()
    image = re.search(r"^CMD (.*)$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert start == json.loads(image)
    assert "STREAMLIT_SERVER_PORT=%i" in unit and "STREAMLIT_SERVER_ADDRESS=127.0.0.1" in unit


@pytest.mark.parametrize("lock, file", LOCKS.items())
def test_the_lock_holds_one_exact_version_with_hashes_of_all_that_is_required(lock, file):
    text, locked = (DEPLOY / lock).read_text(encoding="utf-8"), pins(lock)
    for requirement in wanted(file):
        for pin in locked[canonicalize_name(requirement.name)]:
            assert requirement.specifier.contains(next(iter(pin.specifier)).version), f"{pin}: run .ci/lock"
    entries = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == sum(map(len, locked.values())) > len(wanted(file))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text and "index" not in text  # whoever installs says from where


def test_replicas_and_the_cluster_are_locked_to_the_same_versions():
    own, cluster = map(pins, LOCKS)
    assert {name: list(map(str, cluster[name])) for name in own} == {name: list(map(str, own[name])) for name in own}
    assert "distributed" in cluster and "distributed" not in own


def test_the_commands_for_a_plain_machine_make_a_configuration_that_nginx_takes(tmp_path):
    """The lines of docs/hosting.md, run as they stand there, but for the folders."""
    text = (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8")
    lines = re.findall(r"^ +(sed .* > /etc/nginx/\w+\.conf)$", text, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        checked("sh", "-c", f"cd {DEPLOY}/nginx && {line.replace('/etc/nginx', str(tmp_path))}")
    main, replicas = ((tmp_path / name).read_text(encoding="utf-8") for name in ("nginx.conf", "replicas.conf"))
    assert "listen 80;" in main and "server_name lab.example.org;" in main and "zigzag-" not in replicas
    assert re.findall(r"server (127\.0\.0\.1:\d+)", replicas)[:2] == ["127.0.0.1:8501", "127.0.0.1:8502"]
    units = re.findall(r"zigzag@(\d+)", next(line for line in text.splitlines() if "enable --now" in line))
    assert units == re.findall(r"replica_(\d+);", replicas)
