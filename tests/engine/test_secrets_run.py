"""Sealed secrets on a real engine: they arrive as they were set, and stand nowhere in clear."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from stagekit.engine.programs import find_plugin
from tests.conftest import Machine
from tests.engine.test_bad_input import refused
from tests.repository import Repository

pytestmark = pytest.mark.engine

HOSTILE = {
    "DOLLARS": "a$b$$c${HOME}${X:-y}$",
    "QUOTES": 'it\'s "quoted" \\ and `ticked` \\n',
    "LINES": "-----BEGIN KEY-----\nabc: # $x\n\n  end\n-----END KEY-----\n",
    "CARRIAGE": "one\r\ntwo\rthree\t\x01 ",
    "UNICODE": "pässwörd 日本語 \U0001f600 \u2028",
    "PLAIN": "0o17",
    "LONG": "x$'\"" * 16_000,
}
TEMPLATE = """\
services:
  variables:
    image: ${{IMAGE_APP}}
    environment:
{variables}
      MIXED: redis://:{{{{ secrets.PLAIN }}}}@redis/${{SECRET_DOLLARS}}
  files:
    image: ${{IMAGE_APP}}
    secrets: [{files}]
  configs:
    image: ${{IMAGE_APP}}
    configs: [{{source: login, target: /etc/login}}]
configs:
  login:
    content: |
      password = ${{SECRET_DOLLARS}}
secrets:
{secrets}
"""


def program(name: str) -> str:
    """A program that comes with the tests' own packages."""
    found = find_plugin(name, os.environ)
    assert found, name
    return str(found)


@pytest.fixture
def sealed(deployed: Repository, tmp_path: Path) -> Repository:
    """A repository whose environment dev has secrets, and commands that can open them."""
    identity = tmp_path / "identity"
    deployed.inv("secrets.keygen", "--env", "dev", "--to", str(identity), "--name", "ana")
    deployed.environ["STAGEKIT_AGE_IDENTITY"] = str(identity)
    return deployed


def put(repository: Repository, name: str, value: str, env: str = "dev") -> None:
    repository.inv("secrets.set", name, "--env", env, "--exact", stdin=value)


def ids(machine: Machine, repository: Repository) -> dict[str, str]:
    found = machine.engine.containers(f"{repository.name}-dev")
    return {item.service: item.id for item in found}


def read(machine: Machine, container: str, path: str) -> bytes:
    with closing(machine.client()) as client:
        code, output = client.containers.get(container).exec_run(["cat", path])
    assert code == 0, output
    return bytes(output)


def variables(machine: Machine, container: str) -> dict[str, str]:
    entries = read(machine, container, "/proc/1/environ").decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def ledger_bytes(repository: Repository) -> bytes:
    files = [path for path in (repository.root / "artifacts").rglob("*") if path.is_file()]
    return b"\0".join(path.read_bytes() for path in files)


def test_values_arrive_byte_for_byte_and_stand_nowhere(
    sealed: Repository, machine: Machine
) -> None:
    """As variable, as file and within a config; no byte of the repository tells one."""
    for name, value in HOSTILE.items():
        put(sealed, name, value)
    sealed.write(
        "templates/compose.yaml.j2",
        TEMPLATE.format(
            variables="\n".join(
                f"      {name}: " + ("${SECRET_%s}" if at % 2 else "{{ secrets.%s | yaml }}") % name
                for at, name in enumerate(HOSTILE)
            ),
            files=", ".join(name.lower() for name in HOSTILE),
            secrets="\n".join(f"  {name.lower()}: {{environment: {name}}}" for name in HOSTILE),
        ),
    )
    outcome = sealed.inv("up", "--env", "dev")

    running = ids(machine, sealed)
    seen = variables(machine, running["variables"])
    assert {name: seen[name] for name in HOSTILE} == HOSTILE
    assert seen["MIXED"] == f"redis://:{HOSTILE['PLAIN']}@redis/{HOSTILE['DOLLARS']}"
    for name, value in HOSTILE.items():
        data = read(machine, running["files"], f"/run/secrets/{name.lower()}")
        assert data == value.encode(), name
    login = read(machine, running["configs"], "/etc/login").decode()
    assert login == f"password = {HOSTILE['DOLLARS']}\n"
    assert "docker inspect shows secrets in variables" in outcome.stderr
    everything = (
        b"".join(path.read_bytes() for path in sealed.root.rglob("*") if path.is_file())
        + outcome.text.encode()
    )
    for name, value in HOSTILE.items():
        assert value.encode() not in everything, name
        assert name == "PLAIN" or json.dumps(value).encode()[1:-1] not in everything, name


def test_a_changed_secret_recreates_just_what_uses_it(sealed: Repository, machine: Machine) -> None:
    """File and variable alike; sealing anew for one more recipient recreates nothing."""
    for name in ("ONE", "TWO", "THREE"):
        put(sealed, name, f"first {name}")
    sealed.write(
        "templates/compose.yaml.j2",
        "services:\n"
        "  one: {image: '${IMAGE_APP}', secrets: [one]}\n"
        "  two: {image: '${IMAGE_APP}', environment: {TWO: '${SECRET_TWO}'}}\n"
        "  three: {image: '${IMAGE_APP}', configs: [three]}\n"
        "  none: {image: '${IMAGE_APP}'}\n"
        "secrets: {one: {environment: ONE}}\n"
        "configs: {three: {content: '${SECRET_THREE}'}}\n",
    )
    sealed.inv("up", "--env", "dev")
    before = ids(machine, sealed)

    for service in ("one", "two", "three"):
        put(sealed, service.upper(), f"second {service}")
        sealed.inv("release", "--env", "dev")
        sealed.inv("run", "--env", "dev")
        after = ids(machine, sealed)
        assert {name for name in after if after[name] != before[name]} == {service}
        before = after
    assert read(machine, before["one"], "/run/secrets/one") == b"second one"

    bob = sealed.inv("secrets.keygen", "-e", "dev", "--to", f"{sealed.root}-bob").stdout.strip()
    sealed.inv("secrets.rotate", "--env", "dev", "--add", f"bob={bob}")
    sealed.inv("release", "--env", "dev")
    sealed.inv("run", "--env", "dev", STAGEKIT_AGE_IDENTITY=f"{sealed.root}-bob")
    assert ids(machine, sealed) == before


def test_a_run_that_cannot_open_a_secret_touches_nothing(
    sealed: Repository, machine: Machine
) -> None:
    """Nor does a rollback: no identity, or one that came after the release was sealed."""
    put(sealed, "KEY", "hunter2")
    sealed.write(
        "templates/compose.yaml.j2",
        "services: {web: {image: '${IMAGE_APP}', environment: {KEY: '${SECRET_KEY}'}}}\n",
    )
    sealed.inv("up", "--env", "dev")
    other = f"{sealed.root}-other"
    bob = sealed.inv("secrets.keygen", "--env", "dev", "--to", other).stdout.strip()
    rotated = sealed.inv("secrets.rotate", "--env", "dev", "--add", f"bob={bob}", "--remove", "ana")
    assert "only former recipients can open dev/v1" in rotated.stderr
    sealed.environ["STAGEKIT_AGE_IDENTITY"] = ""
    sealed.inv("release", "--env", "dev")
    before = ids(machine, sealed)

    refused(sealed.attempt("run", "--env", "dev"), code=2, says="needs an age identity")
    sealed.environ["STAGEKIT_AGE_IDENTITY"] = other
    refused(
        sealed.attempt("run.rollback", "--env", "dev", "--to", "v1"),
        code=2,
        says="secret KEY cannot be opened by this identity",
    )

    assert ids(machine, sealed) == before
    for n in (2, 3):
        assert "changed = false" in sealed.read(f"artifacts/runs/dev/{n}.toml")
    sealed.inv("run", "--env", "dev")
    assert variables(machine, ids(machine, sealed)["web"])["KEY"] == "hunter2"
    assert b"hunter2" not in ledger_bytes(sealed)


def test_a_read_only_service_takes_variables_alone(sealed: Repository, machine: Machine) -> None:
    """Compose cannot give it a file, which is said when it is released; a variable it can have."""
    put(sealed, "KEY", "hunter2")
    service = "services: {web: {image: '${IMAGE_APP}', read_only: true, %s}}\n"
    sealed.write(
        "templates/compose.yaml.j2",
        service % "secrets: [key]" + "secrets: {key: {environment: KEY}}\n",
    )
    sealed.inv("build")
    refused(sealed.attempt("release", "--env", "dev"), code=4, says="which read_only forbids")

    sealed.write("templates/compose.yaml.j2", service % "environment: {KEY: '${SECRET_KEY}'}")
    sealed.inv("up", "--env", "dev")
    assert variables(machine, ids(machine, sealed)["web"])["KEY"] == "hunter2"


def test_compose_itself_gives_a_read_only_service_no_file(
    machine: Machine, deployed: Repository
) -> None:
    """What the refusal rests on: should Compose learn it, this test fails and the refusal goes."""
    image = machine.engine.image("busybox:1")
    assert image is not None
    document = (
        f"services: {{web: {{image: '{image.id}', read_only: true, secrets: [key],"
        " command: [sleep, '60']}}\nsecrets: {key: {environment: KEY}}\n"
    )
    done = subprocess.run(
        [
            program("docker-compose"),
            "-p",
            f"{deployed.name}-dev",
            "-f",
            "-",
            "up",
            "-d",
            "--pull",
            "never",
        ],
        input=document,
        env={"PATH": os.environ["PATH"], "DOCKER_HOST": machine.engine.url, "KEY": "hunter2"},
        cwd=deployed.root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "read-only" in done.stderr


def test_the_values_of_sops(deployed: Repository, machine: Machine, tmp_path: Path) -> None:
    """A store that SOPS itself sealed: its values arrive, a changed one is seen, none is told."""
    identity = tmp_path / "identity"
    recipient = deployed.inv("secrets.keygen", "--env", "prod", "--to", str(identity)).stdout
    deployed.environ["SOPS_AGE_KEY_FILE"] = str(identity)
    store = deployed.write("environments/dev/secrets.sops.json", json.dumps(HOSTILE))
    sops(deployed, "encrypt", "--age", recipient.strip(), "--in-place", str(store))
    deployed.write(
        "templates/compose.yaml.j2",
        "services:\n  web:\n    image: ${IMAGE_APP}\n    environment:\n"
        + "".join(f"      {name}: ${{SECRET_{name}}}\n" for name in HOSTILE if name != "PLAIN")
        + "  other:\n    image: ${IMAGE_APP}\n    environment: {PLAIN: '${SECRET_PLAIN}'}\n",
    )

    deployed.inv("up", "--env", "dev")

    before = ids(machine, deployed)
    seen = variables(machine, before["web"])
    assert {name: seen.get(name) for name in HOSTILE if name != "PLAIN"} == {
        name: value for name, value in HOSTILE.items() if name != "PLAIN"
    }
    assert HOSTILE["DOLLARS"].encode() not in ledger_bytes(deployed)
    sops(deployed, "set", str(store), '["PLAIN"]', '"other"')
    deployed.inv("release", "--env", "dev")
    deployed.inv("run", "--env", "dev")
    after = ids(machine, deployed)
    assert {name for name in after if after[name] != before[name]} == {"other"}
    deployed.environ.pop("SOPS_AGE_KEY_FILE")
    refused(deployed.attempt("run", "--env", "dev"), code=2, says="SOPS cannot open it")


def sops(repository: Repository, *arguments: str) -> None:
    subprocess.run([program("sops"), *arguments], env=repository.environ, check=True, timeout=60)
