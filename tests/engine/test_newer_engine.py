"""What BuildKit's users expect, on an engine that can keep it."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import docker
import pytest

from examples.cleaning import remove_projects
from stagekit.cancel import Cancel
from stagekit.events import ignore
from tests.conftest import Machine, free_network, one_at_a_time
from tests.engine.newer import Newer, newer_engine
from tests.repository import Repository

pytestmark = pytest.mark.engine

_INDEX = "application/vnd.oci.image.index.v1+json"
_SECRET, _IN_FILE = "tok-c0ffee-1", "key-c0ffee-2"


@pytest.fixture(scope="module")
def newer(machine: Machine) -> Iterator[Newer]:
    """The newer engine; `busybox:1` comes from the older one's registry."""
    mirrored = f"{machine.registry}/library/busybox:1"
    machine.engine.tag("busybox:1", mirrored)
    machine.engine.push(mirrored, emit=ignore, cancel=Cancel())
    with ExitStack() as stack:
        with one_at_a_time():
            network = f"10.{free_network()}"
            found = stack.enter_context(newer_engine(network, mirror=machine.registry))
        yield found


@pytest.fixture
def project(newer: Newer, machine: Machine, tmp_path: Path) -> Iterator[Repository]:
    """A repository whose commands reach the newer engine; it is committed."""
    environ = {**machine.environ, **newer.environ, "STAGEKIT_REGISTRY": machine.registry}
    repository = Repository.create(tmp_path / "repository", environ)
    repository.write("app/Dockerfile", "FROM scratch\nCOPY index.html /\n")
    repository.write(".gitignore", "artifacts/\n")
    commit(repository)
    yield repository
    remove_projects(repository.name, newer.engine)


def client(newer: Newer) -> docker.DockerClient:
    return docker.DockerClient(base_url=newer.engine.url)


def commit(project: Repository) -> None:
    author = ["-c", "user.name=Ana", "-c", "user.email=ana@example.com"]
    # All in one second: what a build is sent must not hang on times.
    environ = {**os.environ, "GIT_COMMITTER_DATE": "2026-01-01T12:00:00Z"}
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "All"]):
        subprocess.run(["git", *author, *command], cwd=project.root, env=environ, check=True)


def configure(project: Repository, settings: str, before: str = "") -> None:
    project.write(
        "pyproject.toml",
        f'[tool.stagekit]\nname = "{project.name}"\nbuilder = "buildx"\n{before}\n'
        f'[tool.stagekit.images.app]\ncontext = "app"\nrepository = "{project.name}"\n{settings}',
    )


def built(project: Repository, *arguments: str, **environ: str) -> dict[str, Any]:
    """Build and return the image's entry in the record."""
    build = project.inv("build", "--json", *arguments, **environ).json
    image: dict[str, Any] = build["images"]["app"]
    return image


def manifests(machine: Machine, image: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the registry has behind an image's digest."""
    name = image["repository"].partition("/")[2]
    url = f"http://{machine.registry}/v2/{name}/manifests/{image['digest']}"
    request = urllib.request.Request(url, headers={"Accept": _INDEX})  # loopback
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)["manifests"]
    return found


def platforms(machine: Machine, image: dict[str, Any]) -> list[str]:
    return [
        f"{m['platform']['os']}/{m['platform']['architecture']}" for m in manifests(machine, image)
    ]


def file_of(newer: Newer, image: dict[str, Any], path: str) -> bytes:
    with closing(client(newer)) as docker_client:
        container = docker_client.containers.create(image["image_id"], "none")
        try:
            packed = b"".join(container.get_archive(path)[0])
        finally:
            container.remove()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        member = archive.extractfile(Path(path).name)
        assert member
        return member.read()


def test_secrets_reach_a_step_and_nothing_else(project: Repository, newer: Newer) -> None:
    """From a variable and from a file; printed, they are masked; no layer and no file has them."""
    configure(project, 'secrets.token = { env = "TOKEN" }\nsecrets.key = { file = "key.txt" }\n')
    project.write("key.txt", f"{_IN_FILE}\n")
    project.write(
        "app/Dockerfile",
        "FROM busybox:1\n"
        "RUN --mount=type=secret,id=token --mount=type=secret,id=key"
        " cat /run/secrets/token /run/secrets/key;"
        " cat /run/secrets/token | md5sum > /token; cat /run/secrets/key | md5sum > /key\n",
    )
    missing = project.attempt("build")
    assert missing.code == 2
    assert "secret token: $TOKEN is not set" in missing.stderr
    assert "secret token: $TOKEN is not set" in project.inv("build", "--plan").stderr

    done = project.inv("build", "--progress", "plain", TOKEN=_SECRET)

    assert "***" in done.stderr
    with closing(client(newer)) as docker_client:
        name = f"{project.environ['STAGEKIT_REGISTRY']}/{project.name}"
        saved = b"".join(docker_client.images.get(f"{name}:latest").save())
        said = docker_client.containers.run(
            f"{name}:latest", ["cat", "/token", "/key"], remove=True
        )
    assert len(set(said.split()) - {b"-"}) == 2
    everything = [path for path in (project.root / "artifacts").rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in everything)
    for value in (_SECRET, _IN_FILE):
        assert value not in done.text
        assert value.encode() not in saved
        assert not [path for path in everything if value.encode() in path.read_bytes()]


def test_ssh_reaches_a_step(project: Repository, tmp_path: Path) -> None:
    """The agent's socket is there while that step runs."""
    agent = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(agent))
        listener.listen()
        configure(project, f'ssh = ["default={agent}"]\n')
        project.write(
            "app/Dockerfile", 'FROM busybox:1\nRUN --mount=type=ssh test -S "$SSH_AUTH_SOCK"\n'
        )
        built(project)


def test_several_platforms_are_one_image(project: Repository, machine: Machine) -> None:
    """The recorded digest is the index's: each machine pulls its own."""
    configure(project, 'platforms = ["linux/amd64", "linux/arm64"]\n')
    image = built(project)
    assert platforms(machine, image) == ["linux/amd64", "linux/arm64"]
    assert machine.engine.registry_digest(image["repository"] + ":latest") == image["digest"]
    again = project.inv("build")
    assert "nothing changed since" in again.stderr


def test_an_image_of_several_platforms_starts_from_another(
    project: Repository, newer: Newer, machine: Machine
) -> None:
    """From the one that this build has just made, which no registry has yet."""
    both = 'platforms = ["linux/amd64", "linux/arm64"]\n'
    configure(
        project,
        f'{both}depends = ["base"]\n',
        before=f'[tool.stagekit.images.base]\ncontext = "base"\n'
        f'repository = "{project.name}-base"\n{both}',
    )
    project.write("base/Dockerfile", "FROM scratch\nCOPY file /\n")
    project.write("base/file", "one")
    project.write("app/Dockerfile", "ARG IMAGE_BASE\nFROM ${IMAGE_BASE}\nCOPY index.html /\n")
    first = built(project)
    assert platforms(machine, first) == ["linux/amd64", "linux/arm64"]
    assert file_of(newer, first, "/file") == b"one"

    project.write("base/file", "two")
    second = built(project)
    assert file_of(newer, second, "/file") == b"two"
    assert second["why"] == ["base image base of this project changed"]


def test_an_image_is_attested_on_request(
    project: Repository, newer: Newer, machine: Machine
) -> None:
    """How it was built, and what is in it as a scanner of the project's choice says."""
    scanner = f"{machine.registry}/{project.name}-scanner:1"
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://spdx.dev/Document",
        "predicate": {"SPDXID": "SPDXRef-DOCUMENT", "name": "all of it"},
    }
    project.write("scanner/sbom.json", json.dumps(statement))
    project.write(
        "scanner/Dockerfile",
        "FROM busybox:1\nCOPY sbom.json /sbom.json\n"
        'ENTRYPOINT ["sh", "-c", "cp /sbom.json $BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"]\n',
    )
    program = Path(newer.environ["DOCKER_CONFIG"]) / "cli-plugins/docker-buildx"
    argv = [program, "build", "--quiet", "--push", "--tag", scanner, project.root / "scanner"]
    subprocess.run(argv, env=project.environ, check=True, capture_output=True, timeout=120)

    configure(project, "")
    plain = built(project)
    configure(project, f'provenance = "max"\nsbom = "generator={scanner}"\n')
    attested = built(project)

    with pytest.raises(KeyError, match="manifests"):  # one manifest, no index
        manifests(machine, plain)
    [image, attestation] = manifests(machine, attested)
    assert image["platform"]["architecture"] != "unknown"
    assert attestation["annotations"]["vnd.docker.reference.type"] == "attestation-manifest"
    assert attestation["annotations"]["vnd.docker.reference.digest"] == image["digest"]
    name = attested["repository"].partition("/")[2]
    url = f"http://{machine.registry}/v2/{name}/manifests/{attestation['digest']}"
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    request = urllib.request.Request(url, headers=accept)  # loopback
    with urllib.request.urlopen(request, timeout=10) as answer:
        kinds = {
            layer["annotations"]["in-toto.io/predicate-type"]
            for layer in json.load(answer)["layers"]
        }
    assert "https://spdx.dev/Document" in kinds
    assert any("slsa.dev/provenance" in kind for kind in kinds)


@pytest.mark.parametrize("kind", ["registry", "local", "inline"])
def test_layers_come_from_a_cache(
    project: Repository, newer: Newer, machine: Machine, tmp_path: Path, kind: str
) -> None:
    """What another machine built is not built again, whichever way it is handed over."""
    reference = f"{machine.registry}/{project.name}-cache:app"
    image = f"{machine.registry}/{project.name}:latest"
    local = tmp_path / "cache"
    source, target = {
        "registry": (f"type=registry,ref={reference}", f"type=registry,ref={reference},mode=max"),
        "local": (f"type=local,src={local}", f"type=local,dest={local}"),
        "inline": (f"type=registry,ref={image}", "type=inline"),
    }[kind]
    configure(project, f'cache.from = ["{source}"]\ncache.to = ["{target}"]\n')
    project.write("app/Dockerfile", f"FROM busybox:1\nRUN echo {kind} {project.name} > /made\n")
    built(project)
    with closing(client(newer)) as docker_client:
        docker_client.images.remove(image, force=True)
        docker_client.api.prune_builds(all=True)

    again = project.inv("build", "--force", "--progress", "plain")

    assert "CACHED" in again.stderr


def test_the_same_commit_makes_the_same_digest(
    project: Repository, newer: Newer, machine: Machine
) -> None:
    """In another folder, from another checkout with another umask, without a cache; whether its
    files are older than their commit or newer."""
    configure(project, 'platforms = ["linux/amd64", "linux/arm64"]\n', before="reproducible = true")
    project.write("app/Dockerfile", "FROM scratch\nCOPY . /\nCOPY pages /srv/pages\n")
    project.write("app/pages/run.sh", "#!/bin/sh\n")
    (project.root / "app/pages/run.sh").chmod(0o755)
    (project.root / "app/pages/latest").symlink_to("run.sh")
    project.write("app/left", "behind\n")
    project.write("app/.dockerignore", "left\n")
    commit(project)
    for path in project.root.rglob("app/**/*"):
        os.utime(path, (10**9, 10**9), follow_symlinks=False)
    first = built(project)
    with closing(client(newer)) as docker_client:
        docker_client.api.prune_builds(all=True)
    second = Repository(project.root.with_name("elsewhere"), project.name, project.environ)
    clone = ["git", "clone", "--quiet", str(project.root), str(second.root)]
    subprocess.run(clone, check=True, umask=0o077)

    assert built(second, "--force")["digest"] == first["digest"]
    assert platforms(machine, first) == ["linux/amd64", "linux/arm64"]
    second.write("app/index.html", f"{second.read('app/index.html')[:-2]}?\n")
    commit(second)
    assert built(second)["digest"] != first["digest"]
    shutil.rmtree(second.root)


def test_an_older_engine_says_what_it_cannot_keep(project: Repository, machine: Machine) -> None:
    """Plan and doctor before the build, and the build before it begins."""
    configure(
        project,
        'platforms = ["linux/amd64", "linux/arm64"]\nprovenance = true\nsbom = true\n'
        'cache.to = ["type=gha"]\n',
    )
    project.environ["DOCKER_HOST"] = machine.engine.url
    wishes = "platforms, provenance, sbom, cache.to: the engine's image store cannot keep it"

    plan, doctor = project.inv("build", "--plan"), project.attempt("doctor")
    refused = project.attempt("build")

    assert f"builder buildx cannot: app: {wishes}" in plan.stderr
    assert f"builder: app: {wishes}" in doctor.stdout
    assert (doctor.code, refused.code) == (1, 2)
    assert f"error: builder buildx: app: {wishes}" in refused.stderr
    assert not list((project.root / "artifacts/builds").glob("*"))
    project.write("pyproject.toml", project.read("pyproject.toml").replace("buildx", "classic"))
    assert "needs BuildKit; install docker-buildx" in project.attempt("build").stderr
