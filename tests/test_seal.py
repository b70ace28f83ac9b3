"""From Compose's model to a document that needs nothing from outside. The real Compose judges."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stagekit.cancel import Cancel
from stagekit.containers import ANY_ADDRESS, Port
from stagekit.engine.compose import Compose, find_compose
from stagekit.engine.documents import Document
from stagekit.errors import InputError, ReleaseFailed, StagekitError
from stagekit.inputs.document import parse, to_yaml
from stagekit.inputs.files import take_in
from stagekit.inputs.seal import (
    asked_images,
    model_of,
    published_ports,
    replicas,
    seal,
)
from stagekit.inputs.templates import render
from stagekit.inputs.used_secrets import secret_names
from stagekit.records import Pin
from tests.hostile import HOSTILE

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(HOSTILE), below, max_size=4)
    ),
    max_leaves=15,
)
PIN = Pin(asked="web:1", pinned="registry.test/web@sha256:" + "0" * 64, kind="digest")


@pytest.fixture(scope="module")
def compose() -> Compose:
    """The real Compose of this machine; it needs no engine to normalise a document."""
    return find_compose(os.environ, {})


def normalised(compose: Compose, text: str, root: Path, **variables: str) -> dict[str, Any]:
    """What Compose makes of ``text``."""
    warnings: list[str] = []
    output = compose.config(
        [Document(text=text, where="compose.yaml")],
        name="shop-prod",
        folder=root,
        variables=variables,
        cancel=Cancel(),
        warn=warnings.append,
    )
    return model_of(output)


def model(root: Path, **service: Any) -> dict[str, Any]:
    """A model of one service as Compose writes it."""
    del root
    return {"name": "shop-prod", "services": {"web": {"image": "web:1", **service}}}


def sealed(source: dict[str, Any], root: Path) -> dict[str, Any]:
    """Take in the files of ``source``, seal it, every service pinned alike, and read the result."""
    pins = dict.fromkeys(source["services"], PIN)
    taken = take_in(source, root).model
    return parse(seal(taken, pins=pins, project="shop", env="prod").encode())


def refusal(source: dict[str, Any], root: Path) -> StagekitError:
    with pytest.raises((ReleaseFailed, InputError)) as caught:
        sealed(source, root)
    return caught.value


def test_the_sealed_document_is_this_text(tmp_path: Path) -> None:
    """The golden: strings quoted, keys plain, labels set, what builds is gone, images pinned."""
    source = model(
        tmp_path,
        build={"context": str(tmp_path)},
        develop={"watch": []},
        command=["sleep", "1e3"],
        environment={"A": "yes", "B": "x$$y", "1": ""},
        labels={"app": "8080"},
        deploy={"replicas": 2},
        configs=[{"source": "page", "target": "/page"}],
        entrypoint=None,
    )
    (tmp_path / "page.html").write_text("costs $5\n")
    source["configs"] = {"page": {"name": "page", "file": str(tmp_path / "page.html")}}
    taken = take_in(source, tmp_path).model
    text = seal(taken, pins={"web": PIN}, project="shop", env="prod")
    assert (
        text
        == f"""\
# Sealed by stagekit: needs nothing from outside but its secrets. Do not edit.
configs:
  page:
    content: "costs $$5\\n"
    name: "page"
name: "shop-prod"
services:
  web:
    command:
    - "sleep"
    - "1e3"
    configs:
    - source: "page"
      target: "/page"
    deploy:
      replicas: 2
    entrypoint: null
    environment:
      "1": ""
      A: "yes"
      B: "x$$y"
    image: "{PIN.pinned}"
    labels:
      app: "8080"
      stagekit.env: "prod"
      stagekit.files: "sha256:d1194287d3895d49d1836e2327c25db13e1b3d7fb485f23c43cc677048c55398"
      stagekit.project: "shop"
"""
    )


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    """Sealing works on a copy: the same facts may be decided on twice."""
    source = model(tmp_path, build={"context": "/x"}, labels={"a": "b"})
    (tmp_path / "page").write_text("hello\n")
    source["configs"] = {"page": {"file": str(tmp_path / "page")}}
    before = copy.deepcopy(source)
    taken = take_in(source, tmp_path).model
    assert taken["configs"] == {"page": {"content": "hello\n"}}
    assert source == before
    kept = copy.deepcopy(taken)
    seal(taken, pins={"web": PIN}, project="shop", env="prod")
    assert taken == kept


def test_the_same_model_seals_to_the_same_bytes(tmp_path: Path) -> None:
    """Neither the order of keys nor the time is in it: equal content has an equal digest."""
    one = model(tmp_path, environment={"A": "1", "B": "2"})
    two = {"services": {"web": {"environment": {"B": "2", "A": "1"}, "image": "web:1"}}}
    two["name"] = "shop-prod"  # type: ignore[assignment]
    texts = {seal(item, pins={"web": PIN}, project="shop", env="prod") for item in (one, two)}
    assert len(texts) == 1


@given(DOCUMENTS)
def test_yaml_reads_back_as_it_was(document: object) -> None:
    """Whatever a JSON document holds, YAML reads the same from what is written."""
    assert yaml.safe_load(to_yaml(document)) == document  # type: ignore[arg-type]


@given(st.lists(st.dictionaries(st.text(), st.text(), max_size=3), max_size=3))
def test_yaml_has_no_anchors_and_only_ascii(document: list[object]) -> None:
    """A value that stands twice is written twice, and no reader's encoding matters."""
    text = to_yaml([document, document])  # type: ignore[arg-type]
    assert text.isascii()
    assert yaml.safe_load(text) == [document, document]
    assert not any(
        isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)
    )


def test_keys_are_plain_where_no_reader_takes_them_for_anything_else() -> None:
    """A document reads as people write one; what YAML 1.1 reads as a boolean is quoted."""
    text = to_yaml({"A.b-c": "x", "ON": "x", "a b": "x", "y": "x", "null": "x", "1": "x"})
    assert text == '"1": "x"\nA.b-c: "x"\n"ON": "x"\n"a b": "x"\n"null": "x"\n"y": "x"\n'


def test_compose_reads_hostile_strings_as_they_were(compose: Compose, tmp_path: Path) -> None:
    """What is emitted is for Compose: each string and each key arrives there unchanged."""
    texts = [item.replace("$", "$$") for item in HOSTILE]
    keys = {item: "x" for item in HOSTILE if "\n" not in item and item not in ("", "<<")}
    document = {"services": {"web": {"image": "x"}}, "x-texts": texts, "x-keys": keys}
    read = normalised(compose, to_yaml(document), tmp_path)
    assert read["x-texts"] == texts
    assert set(read["x-keys"]) == keys.keys()


def test_a_value_goes_the_whole_way_unchanged(compose: Compose, tmp_path: Path) -> None:
    """From config.toml by template, Compose and seal, then Compose again: the value itself."""
    names = {f"V{number}": value for number, value in enumerate(HOSTILE)}
    lines = [
        f"      J_{name}: {{{{ {name} | yaml }}}}\n      C_{name}: ${name}\n" for name in names
    ]
    template = tmp_path / "compose.yaml.j2"
    template.write_text(
        "services:\n  web:\n    image: web:1\n    environment:\n" + "".join(lines), "utf-8"
    )
    result = render(template, root=tmp_path, variables=names, images={}, env="e", project="p")
    first = normalised(compose, result.text, tmp_path, **result.variables)
    text = seal(first, pins={"web": PIN}, project="shop", env="prod")
    second = normalised(compose, text, tmp_path)
    arrived = second["services"]["web"]["environment"]
    for name, value in names.items():
        assert arrived[f"J_{name}"] == value.replace("$", "$$"), (name, value)
        assert arrived[f"C_{name}"] == value.replace("$", "$$"), (name, value)


def test_a_dollar_in_a_key_stays_one(compose: Compose, tmp_path: Path) -> None:
    """Compose writes it doubled and reads it as it stands: unmended, each pass would double it."""
    source = "services: {web: {image: x, environment: {A$X: a$$b}, labels: {$$x: y}}}"
    closed = sealed(normalised(compose, source, tmp_path), tmp_path)["services"]["web"]
    assert closed["environment"] == {"A$X": "a$$b"}
    assert closed["labels"]["$$x"] == "y"


def test_compose_accepts_what_was_sealed(compose: Compose, tmp_path: Path) -> None:
    """A document of many parts is sealed, and reads back for Compose as the same document."""
    (tmp_path / "page").write_text("$HOME costs ${5} $$\n")
    source = normalised(
        compose,
        """
services:
  web:
    image: web:1
    ports: ["127.0.0.1:8080:80", "9000-9002:90/udp"]
    configs: [{source: page, target: /page, mode: 0440}]
    secrets: [token]
    volumes: ["data:/data", "/var/run/x.sock:/x"]
    healthcheck: {test: ["CMD", "true"], interval: 90s}
    deploy: {replicas: 2}
  job: {image: job:1, restart: "no", depends_on: [web]}
configs: {page: {file: ./page}}
secrets: {token: {environment: TOKEN}}
volumes: {data: {}}
""",
        tmp_path,
    )
    closed = sealed(source, tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = normalised(compose, to_yaml(closed), elsewhere)
    [config] = again["services"]["web"]["configs"]
    config["mode"] = int(str(config["mode"]), 8)  # newer ones write it in octal
    assert again["services"]["web"] == closed["services"]["web"]
    assert again["configs"]["page"]["content"] == "$$HOME costs $${5} $$$$\n"
    assert secret_names(source) == ("TOKEN",)
    assert closed["secrets"]["token"]["environment"] == "STAGEKIT_SECRET_TOKEN"
    assert replicas(closed) == {"web": 2, "job": 1}
    assert published_ports(closed) == [
        ("web", Port("127.0.0.1", "8080", "tcp")),
        ("web", Port(ANY_ADDRESS, "9000-9002", "udp")),
    ]


def test_a_changed_file_changes_the_label_of_those_who_use_it(tmp_path: Path) -> None:
    """Compose recreates a container for a changed label, not for a changed config."""
    labels = []
    for text in ("one", "two", "one"):
        (tmp_path / "page").write_text(text)
        source = model(tmp_path, configs=[{"source": "page"}])
        source["services"]["other"] = {"image": "web:1"}
        source["configs"] = {"page": {"file": str(tmp_path / "page")}}
        services = sealed(source, tmp_path)["services"]
        labels.append(services["web"]["labels"]["stagekit.files"])
        assert "stagekit.files" not in services["other"]["labels"]
    assert labels[0] != labels[1]
    assert labels[0] == labels[2]


def test_no_label_names_the_release_or_the_build(tmp_path: Path) -> None:
    """An id among the labels would restart the database with each release."""
    labels = sealed(model(tmp_path), tmp_path)["services"]["web"]["labels"]
    assert labels == {"stagekit.project": "shop", "stagekit.env": "prod"}


@pytest.mark.parametrize("kind", ["file", "content"])
def test_a_secret_in_clear_is_refused(tmp_path: Path, kind: str) -> None:
    """A release is no place for a secret; the hint says what is."""
    source = model(tmp_path) | {"secrets": {"token": {kind: "hunter2"}}}
    error = refusal(source, tmp_path)
    assert error.where == "secrets.token"
    assert "secrets.token.environment" in str(error.hint)
    assert "hunter2" not in f"{error} {error.hint}"


def test_a_config_from_the_runners_shell_is_refused(tmp_path: Path) -> None:
    """``configs.x.environment`` would be read where the release runs."""
    source = model(tmp_path) | {"configs": {"page": {"environment": "PATH"}}}
    error = refusal(source, tmp_path)
    assert error.where == "configs.page.environment"


def test_an_environment_value_left_open_is_refused(tmp_path: Path) -> None:
    """A name without a value would be the shell's of whoever runs it."""
    error = refusal(model(tmp_path, environment={"A": "1", "DEBUG": None}), tmp_path)
    assert error.where == "services.web.environment"
    assert error.what.startswith("DEBUG has no value")


@pytest.mark.parametrize("source", [".", "./src", "../src", "src", "~/src"])
def test_a_mount_of_the_source_is_refused(tmp_path: Path, source: str) -> None:
    """A folder of the machine that releases would hide what was built."""
    mount = {"type": "bind", "source": source, "target": "/code"}
    error = refusal(model(tmp_path, volumes=[mount]), tmp_path)
    assert error.where == "services.web.volumes"


def test_a_mount_of_the_engines_host_and_a_volume_are_fine(tmp_path: Path) -> None:
    """A socket of the host is the host's; a folder whose name begins alike is another one."""
    mounts = [
        {"type": "bind", "source": "/var/run/x.sock", "target": "/x"},
        {"type": "bind", "source": f"{tmp_path}-other/src", "target": "/y"},
        {"type": "volume", "source": "data", "target": "/data"},
        {"type": "tmpfs", "target": "/tmp"},
    ]
    assert sealed(model(tmp_path, volumes=mounts), tmp_path)["services"]["web"]["volumes"] == mounts


@pytest.mark.parametrize(
    ("service", "key"),
    [
        ({"devices": [{"source": "./disk", "target": "/dev/sda"}]}, "devices"),
        ({"devices": [{"source": "~/disk", "target": "/dev/sda"}]}, "devices"),
        ({"security_opt": ["seccomp:./profile.json"]}, "security_opt"),
        ({"security_opt": ["seccomp=profiles/one.json"]}, "security_opt"),
        ({"volumes": [{"type": "volume", "source": "c", "target": "data"}]}, "volumes"),
    ],
)
def test_a_path_that_means_nothing_elsewhere_is_refused(
    tmp_path: Path, service: dict[str, Any], key: str
) -> None:
    """What is relative would be read on the machine that runs it."""
    assert refusal(model(tmp_path, **service), tmp_path).where == f"services.web.{key}"


def test_a_path_on_the_engines_host_is_fine(tmp_path: Path) -> None:
    """Absolute devices and profiles are the host's; a profile may also be named or written out."""
    service = {
        "devices": [{"source": "/dev/fuse", "target": "/dev/fuse"}],
        "security_opt": ["seccomp=unconfined", "seccomp:/etc/one.json", "label:disable"],
    }
    closed = sealed(model(tmp_path, **service), tmp_path)["services"]["web"]
    assert service.items() <= closed.items()


def with_device(root: Path, device: str) -> dict[str, Any]:
    """A model with a volume that is a bind by way of its options."""
    options = {"type": "none", "o": "bind", "device": device}
    return model(root) | {"volumes": {"data": {"driver_opts": options}}}


@pytest.mark.parametrize("device", ["./data", "../data", "~/data"])
def test_a_volumes_device_is_no_path_of_this_machine(tmp_path: Path, device: str) -> None:
    """A bind is one, however it is written."""
    error = refusal(with_device(tmp_path, device), tmp_path)
    assert error.where == "volumes.data.driver_opts.device"


@pytest.mark.parametrize("device", ["/data", "tmpfs", ":/export"])
def test_a_volumes_device_may_be_the_hosts(tmp_path: Path, device: str) -> None:
    """An absolute path, a kind of file system, or a share."""
    source = with_device(tmp_path, device)
    assert sealed(source, tmp_path)["volumes"] == source["volumes"]


def test_what_was_active_is_sealed_without_its_profiles(tmp_path: Path) -> None:
    """Whoever runs the release names none."""
    assert "profiles" not in sealed(model(tmp_path, profiles=["a"]), tmp_path)["services"]["web"]


def test_an_open_variable_is_refused(tmp_path: Path) -> None:
    """Nothing may be left for the shell to fill in."""
    error = refusal(model(tmp_path, command="echo ${X:-1}"), tmp_path)
    assert "${X} is still open" in error.what


def test_a_doubled_dollar_stays(tmp_path: Path) -> None:
    """``$$`` is a dollar for Compose: it is sealed as it stands."""
    service = sealed(model(tmp_path, command="echo $${X} $$$$"), tmp_path)["services"]["web"]
    assert service["command"] == "echo $${X} $$$$"


API = "registry.test/api@sha256:" + "2" * 64


def test_images_are_asked_for_as_the_template_says() -> None:
    """An image is taken as it stands; a service that Compose would build runs the build's own."""
    services = {
        "db": {"image": "redis:7"},
        "web": {"build": {}, "image": "web:dev"},
        "api": {"build": {}, "image": API},
    }
    images = {
        "web": "registry.test/web@sha256:1",
        "api2": API,
    }
    assert asked_images({"services": services}, images) == {
        "db": "redis:7",
        "web": "registry.test/web@sha256:1",
        "api": API,
    }


def test_a_build_without_an_image_of_ours_is_refused() -> None:
    """A release builds nothing: the service's image has to be declared and built before."""
    with pytest.raises(ReleaseFailed) as caught:
        asked_images({"services": {"web": {"build": {}, "image": "x"}}}, {"app": "x@sha256:1"})
    assert caught.value.where == "services.web.build"
    assert "[tool.stagekit.images.web]" in str(caught.value.hint)


def test_a_service_without_an_image_is_refused() -> None:
    """There is nothing to run."""
    with pytest.raises(ReleaseFailed, match="service web has no image"):
        asked_images({"services": {"web": {}}}, {})


@pytest.mark.parametrize("output", ["", "{", "[]", "{}", '{"services": {}}', '{"services": null}'])
def test_an_output_without_services_is_no_model(output: str) -> None:
    """A Compose that prints something else is noticed."""
    with pytest.raises(ReleaseFailed):
        model_of(output)


def test_replicas_are_the_deploys_or_the_scale_or_one() -> None:
    """How many containers a service should have."""
    services = {"a": {"deploy": {"replicas": 3}}, "b": {"scale": 2}, "c": {}, "d": {"deploy": {}}}
    assert replicas({"services": services}) == {"a": 3, "b": 2, "c": 1, "d": 1}
    assert json.dumps(replicas({"services": services}))
