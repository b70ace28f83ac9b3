"""Hundreds of values on their way from config.toml to real containers, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from itertools import starmap
from pathlib import Path

import pytest
import tomli_w

from tests.composes import VERSIONS, compose_of
from tests.conftest import Machine
from tests.hostile import VALUES
from tests.repository import Repository

pytestmark = pytest.mark.engine

NAMES = {f"V{number}": value for number, value in enumerate(VALUES)}
JOINED = "\x1e".join(VALUES)
IDLE = '"sh", "-c", "while :; do sleep 1; done", "sh"'

Line = Callable[[str], str]

# How a value may be written, in a template with Jinja and in a plain Compose file. Each is a list
# of lines for `environment`, `labels` or `command`.
WITH_JINJA: dict[str, Line] = {
    "jinja_map": lambda name: f"      {name}: {{{{ {name} | yaml }}}}\n",
    "jinja_list": lambda name: f'      - {{{{ ("{name}=" ~ {name}) | yaml }}}}\n',
    "jinja_both": lambda name: f"      {name}: {{{{ {name} | dollar | quote }}}}\n",
}
PLAIN: dict[str, Line] = {
    "plain_map": lambda name: f"      {name}: ${{{name}}}\n",
    "double_quoted": lambda name: f'      {name}: "${{{name}}}"\n',
    "single_quoted": lambda name: f"      {name}: '${name}'\n",
    "block": lambda name: f"      {name}: |-\n        ${{{name}}}\n",
    "plain_list": lambda name: f"      - {name}=${{{name}}}\n",
    "quoted_list": lambda name: f'      - "{name}=${{{name}:-}}"\n',
}


def template(forms: dict[str, Line]) -> str:
    """A Compose file with a service for each form."""
    text = "services:\n"
    for service, line in forms.items():
        text += f"  {service}:\n    image: busybox:1\n    command: [{IDLE}]\n"
        text += "    stop_signal: SIGKILL\n    environment:\n" + "".join(map(line, NAMES))
    return text


ARGUMENTS = (
    "  {kind}_arguments:\n    image: busybox:1\n    stop_signal: SIGKILL\n"
    "    command:\n      - sh\n      - -c\n      - while :; do sleep 1; done\n      - sh\n"
)
WITH_CONFIG = """\
    configs: [{source: joined, target: /joined}]
configs:
  joined: {content: {{ JOINED | yaml }}}
"""


def env_file() -> dict[str, str]:
    """The values that a line of an env_file can hold between single quotes, as Compose reads it."""
    return {name: value for name, value in NAMES.items() if not {"'", "\\"} & set(value)}


def write_everything(repository: Repository) -> None:
    """One release with every form: two Compose files that are merged."""
    config = repository.read("environments/base/config.toml")
    values = tomli_w.dumps(NAMES | {"JOINED": JOINED})
    repository.write("environments/base/config.toml", config + values)
    settings = repository.read("pyproject.toml")
    repository.write(
        "pyproject.toml",
        settings.replace(
            "[tool.stagekit]\n",
            '[tool.stagekit]\ntemplate = ["templates/one.yaml.j2", "templates/two.yaml"]\n',
        ),
    )
    with_jinja = template(WITH_JINJA) + ARGUMENTS.format(kind="jinja")
    with_jinja += "".join(f"      - {{{{ {name} | yaml }}}}\n" for name in NAMES)
    with_jinja += "    labels:\n" + "".join(map(WITH_JINJA["jinja_map"], NAMES)) + WITH_CONFIG
    plain = template(PLAIN) + ARGUMENTS.format(kind="plain")
    plain += "".join(f"      - ${{{name}}}\n" for name in NAMES)
    plain += "    labels:\n" + "".join(map(PLAIN["plain_map"], NAMES))
    plain += f"  env_file:\n    image: busybox:1\n    command: [{IDLE}]\n"
    plain += "    stop_signal: SIGKILL\n    env_file: ./environments/base/values.env\n"
    repository.write("templates/one.yaml.j2", with_jinja)
    repository.write("templates/two.yaml", plain)
    lines = starmap("{}='{}'\n".format, env_file().items())
    path = repository.write("environments/base/values.env", "")
    path.write_bytes("".join(lines).encode())


def in_container(machine: Machine, repository: Repository, service: str, path: str) -> bytes:
    with closing(machine.client()) as client:
        container = client.containers.get(f"{repository.name}-dev-{service}-1")
        code, output = container.exec_run(["cat", path])
        assert code == 0
        return bytes(output)


def variables(machine: Machine, repository: Repository, service: str) -> dict[str, bytes]:
    """What the first process of a service's container was started with."""
    entries = in_container(machine, repository, service, "/proc/1/environ").split(b"\0")
    pairs = (entry.partition(b"=") for entry in entries)
    return {name.decode(): value for name, _, value in pairs if name.startswith(b"V")}


def arguments(machine: Machine, repository: Repository, service: str) -> list[bytes]:
    whole = in_container(machine, repository, service, "/proc/1/cmdline")
    return whole.split(b"\0")[4:-1]


def labels(machine: Machine, repository: Repository, service: str) -> dict[str, str]:
    with closing(machine.client()) as client:
        container = client.containers.get(f"{repository.name}-dev-{service}-1")
        return {key: value for key, value in container.labels.items() if key in NAMES}


def wrong(expected: dict[str, str], arrived: dict[str, bytes]) -> list[tuple[str, bytes | None]]:
    """The values that did not arrive as they were, with what did."""
    return [
        (value, arrived.get(name))
        for name, value in expected.items()
        if arrived.get(name) != value.encode()
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_values_arrive_as_they_were(
    deployed: Repository, machine: Machine, tmp_path: Path, version: str
) -> None:
    """In the environment, labels, commands and configs, by every way of writing them, whichever
    Compose seals the release and brings it up."""
    write_everything(deployed)
    deployed.environ["DOCKER_CONFIG"] = str(tmp_path / "docker")
    if version != "ours":
        plugins = tmp_path / "docker/cli-plugins"
        plugins.mkdir(parents=True)
        compose_of(version, plugins)

    deployed.inv("up", "--env", "dev")

    for service in (*WITH_JINJA, *PLAIN):
        assert wrong(NAMES, variables(machine, deployed, service)) == [], service
    assert wrong(env_file(), variables(machine, deployed, "env_file")) == []
    for service in ("jinja_arguments", "plain_arguments"):
        arrived = arguments(machine, deployed, service)
        assert arrived == [value.encode() for value in VALUES], service
        assert labels(machine, deployed, service) == NAMES, service
    assert in_container(machine, deployed, "jinja_arguments", "/joined") == JOINED.encode()
    sealed_by = deployed.inv("release.show", "dev/latest", "--json").json["versions"]["compose"]
    assert version in ("ours", ".".join(sealed_by.split(".")[:2]))
