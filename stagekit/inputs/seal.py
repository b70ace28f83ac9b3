"""From what Compose made of a template to a document that needs nothing from outside.

Compose itself has validated, merged and filled in; here its normalised model is closed: files
taken in, images pinned, labels set, and whatever would tie it to the machine that released is
refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stagekit import digest
from stagekit.containers import ANY_ADDRESS, Port
from stagekit.errors import InputError, ReleaseFailed
from stagekit.inputs.forbidden import refuse_forbidden
from stagekit.inputs.interpolation import references
from stagekit.inputs.merge import Tree
from stagekit.inputs.names import SECRET_PREFIX
from stagekit.records import Pin

_LABEL_PROJECT = "stagekit.project"
_LABEL_ENV = "stagekit.env"
_LABEL_FILES = "stagekit.files"

"""What a secret's variable starts with in a sealed document: none is called PATH or DOCKER_HOST."""

_HEADER = "# Sealed by stagekit: needs nothing from outside but its secrets. Do not edit.\n"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_AMBIGUOUS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_NOT_SEALED = ("build", "develop", "profiles")


def model_of(output: str) -> Tree:
    """Read what ``docker compose config --format json`` printed.

    Raises:
        ReleaseFailed: it is not a Compose model.
    """
    try:
        model = json.loads(output, object_pairs_hook=_undoubled)
    except ValueError as error:
        raise ReleaseFailed(f"Compose's own output is not JSON: {error}") from error
    if not isinstance(model, dict) or not model.get("services"):
        raise ReleaseFailed(
            "the document has no service to run",
            hint="services of an inactive profile do not count",
        )
    return model


def _undoubled(pairs: list[tuple[str, Any]]) -> Tree:
    """Compose doubles every dollar that it prints, and reads those in keys as they stand."""
    return {key.replace("$$", "$"): value for key, value in pairs}


def asked_images(model: Tree, images: Mapping[str, str]) -> dict[str, str]:
    """Return the image each service asks for, as the template says it.

    Args:
        model: Compose's model.
        images: the build's pins by image name. A service with ``build:`` whose name is one of
            them runs that image: a Compose file used for development works as it is.

    Raises:
        ReleaseFailed: a service has no image.
    """
    asked = {}
    for name, service in model["services"].items():
        if "build" in service and service.get("image") not in images.values():
            if name not in images:
                raise ReleaseFailed(
                    f"service {name} is built by Compose, but a release builds nothing",
                    where=f"services.{name}.build",
                    hint=f"declare [tool.stagekit.images.{name}] in pyproject.toml, and inv build",
                )
            asked[name] = images[name]
        elif service.get("image"):
            asked[name] = service["image"]
        else:
            raise ReleaseFailed(f"service {name} has no image", where=f"services.{name}")
    return asked


def take_in_files(model: Tree, root: Path) -> Tree:
    """Return ``model`` with the text of its ``configs.<name>.file`` in their place.

    Args:
        model: Compose's model; left as it is.
        root: the project's folder; only files in it are taken in.

    Raises:
        InputError: a file lies outside, cannot be read, or is not text.
    """
    taken: Tree = json.loads(json.dumps(model))
    for name, config in (taken.get("configs") or {}).items():
        if path := config.pop("file", None):
            where = f"configs.{name}.file"
            config["content"] = _text_of(root / path, root, where).replace("$", "$$")
    return taken


def seal(model: Tree, *, pins: Mapping[str, Pin], project: str, env: str) -> str:
    """Close ``model`` and write it as the release's compose.yaml.

    Args:
        model: Compose's model, its files taken in; left as it is.
        pins: the pinned image of each service.
        project: the project's name.
        env: the environment's name.

    Returns:
        YAML in which every string is quoted.

    Raises:
        ReleaseFailed: something cannot be sealed; says what, where and instead of what.
    """
    sealed: Tree = json.loads(json.dumps(model))
    refuse_forbidden(sealed)
    for secret in (sealed.get("secrets") or {}).values():
        if "environment" in secret:
            secret["environment"] = SECRET_PREFIX + secret["environment"]
    for name, service in sealed["services"].items():
        for key in _NOT_SEALED:
            service.pop(key, None)
        service["image"] = pins[name].pinned
        _label(service, _labels(sealed, service, project, env))
    text = _HEADER + to_yaml(sealed)
    _prove(text, sealed)
    return text


def to_yaml(document: Tree) -> str:
    """Write a document as YAML: strings double-quoted, so that no reader takes one for another
    type; keys plain where nothing could be taken for anything else."""
    return yaml.dump(document, Dumper=_Emitter, sort_keys=True, width=2**31, allow_unicode=False)


def parse(data: bytes) -> Tree:
    """Read a sealed document."""
    document: Tree = yaml.load(data, Loader=_LOADER)  # noqa: S506  # a safe one, in C where it is
    return document


def secret_names(model: Tree) -> tuple[str, ...]:
    """Return the names of the secrets that a model, not sealed yet, needs values for."""
    secrets = (model.get("secrets") or {}).values()
    return tuple(sorted({item["environment"] for item in secrets if item.get("environment")}))


def replicas(document: Tree) -> dict[str, int]:
    """Return how many containers each service of a sealed document should have."""
    return {
        name: int((service.get("deploy") or {}).get("replicas", service.get("scale", 1)))
        for name, service in document["services"].items()
    }


def published_ports(document: Tree) -> list[tuple[str, Port]]:
    """Return each port a sealed document publishes, with the service that does.

    A range stays a range (``8000-8010``): the engine picks one of it.
    """
    return [
        (name, Port(port.get("host_ip") or ANY_ADDRESS, str(port["published"]), port["protocol"]))
        for name, service in document["services"].items()
        for port in service.get("ports") or []
        if port.get("published")
    ]


class _Emitter(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _represent_string(dumper: _Emitter, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


def _represent_mapping(dumper: _Emitter, mapping: Tree) -> yaml.Node:
    node = dumper.represent_mapping("tag:yaml.org,2002:map", mapping)
    for key, _ in node.value:
        if _PLAIN_KEY.fullmatch(key.value) and key.value.lower() not in _AMBIGUOUS:
            key.style = None
    return node


_Emitter.add_representer(str, _represent_string)
_Emitter.add_representer(dict, _represent_mapping)


def _text_of(path: Path, root: Path, where: str) -> str:
    if not path.resolve().is_relative_to(root.resolve()):
        raise InputError(
            f"{path} lies outside the project", where=where, hint="copy it into the project"
        )
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", where=where) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not a text file", where=where, hint="put binary files into an image"
        ) from error
    if "\0" in text:
        raise InputError(f"{path} holds a NUL, which no config can", where=where)
    return text


def _labels(document: Tree, service: Tree, project: str, env: str) -> dict[str, str]:
    labels = {_LABEL_PROJECT: project, _LABEL_ENV: env}
    used = {
        item["source"]: (document.get("configs") or {}).get(item["source"], {}).get("content")
        for item in service.get("configs") or []
    }
    if used:
        text = json.dumps(used, sort_keys=True)
        labels[_LABEL_FILES] = digest.of_bytes(text.encode())
    return labels


def _label(service: Tree, labels: Mapping[str, str]) -> None:
    service["labels"] = {**(service.get("labels") or {}), **labels}


def _prove(text: str, sealed: Tree) -> None:
    if parse(text.encode()) != sealed:
        raise ReleaseFailed("the sealed document does not read back as what was sealed")
    for reference in references(text, where="compose.yaml"):
        raise ReleaseFailed(f"${{{reference.name}}} is still open", where="the sealed document")
