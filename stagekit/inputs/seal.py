"""From what Compose made of a template to a document that needs nothing from outside.

Compose itself has validated, merged and filled in; here its normalised model is closed: files
taken in, images pinned, labels set, and whatever would tie it to the machine that released is
refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from typing import Any

from stagekit import digest
from stagekit.containers import ANY_ADDRESS, Port
from stagekit.digest import is_digest
from stagekit.engine.reference import is_reference
from stagekit.errors import ReleaseFailed
from stagekit.inputs.document import parse, to_yaml
from stagekit.inputs.files import FOLDER
from stagekit.inputs.forbidden import refuse_forbidden
from stagekit.inputs.limits import refuse_unstartable
from stagekit.inputs.merge import Tree
from stagekit.inputs.names import SECRET_PREFIX, SOURCE
from stagekit.inputs.used_secrets import (
    fingerprint_of,
    open_names,
    refuse_read_only,
    secret_names,
    used_by,
)
from stagekit.records import Pin

_LABEL_PROJECT = "stagekit.project"
_LABEL_ENV = "stagekit.env"
LABEL_FILES = "stagekit.files"
LABEL_SECRETS = "stagekit.secrets"

_HEADER = "# Sealed by stagekit: needs nothing from outside but its secrets. Do not edit.\n"
_NOT_SEALED = ("build", "develop", "label_file", "profiles")


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
        ReleaseFailed: a service has no image, or one whose name Docker would not take.
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
            asked[name] = _checked(service["image"], f"services.{name}.image")
        else:
            raise ReleaseFailed(f"service {name} has no image", where=f"services.{name}")
    return asked


def _checked(image: str, where: str) -> str:
    if not is_reference(image) and not is_digest(image):
        raise ReleaseFailed(
            f"{image!r} is no image's name",
            where=where,
            hint="a tag has letters, digits, '_', '.' and '-'; a digest is sha256: and 64 digits",
        )
    return image


def seal(
    model: Tree,
    *,
    pins: Mapping[str, Pin],
    project: str,
    env: str,
    fingerprints: Mapping[str, str] = {},
) -> str:
    """Close ``model`` and write it as the release's compose.yaml.

    Args:
        model: Compose's model, its files taken in; left as it is.
        pins: the pinned image of each service.
        project: the project's name.
        env: the environment's name.
        fingerprints: of its secrets, by their names.

    Returns:
        YAML in which every string is quoted.

    Raises:
        ReleaseFailed: something cannot be sealed; says what, where and instead of what.
    """
    sealed: Tree = json.loads(json.dumps(model))
    refuse_forbidden(sealed)
    refuse_read_only(sealed)
    refuse_unstartable(sealed)
    for secret in (sealed.get("secrets") or {}).values():
        if "environment" in secret:
            secret["environment"] = SECRET_PREFIX + secret["environment"]
    for name, service in sealed["services"].items():
        for key in _NOT_SEALED:
            service.pop(key, None)
        service["image"] = pins[name].pinned
        _write_modes(service)
        _label(service, _labels(sealed, service, project, env))
        if secrets := fingerprint_of(used_by(model, model["services"][name]), fingerprints):
            _label(service, {LABEL_SECRETS: secrets})
    text = _HEADER + to_yaml(sealed)
    _prove(text, sealed, {SOURCE, *(SECRET_PREFIX + name for name in secret_names(model))})
    return text


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


def _write_modes(service: Tree) -> None:
    """Write files' modes as numbers, which all versions of Compose read alike: of ``"0440"``, some
    make 0670."""
    for item in (*(service.get("configs") or []), *(service.get("secrets") or [])):
        if isinstance(item.get("mode"), str):
            item["mode"] = int(item["mode"], 8)


def _labels(document: Tree, service: Tree, project: str, env: str) -> dict[str, str]:
    labels = {_LABEL_PROJECT: project, _LABEL_ENV: env}
    if used := dict(_used(document, service)):
        labels[LABEL_FILES] = digest.of_bytes(json.dumps(used, sort_keys=True).encode())
    return labels


def _used(document: Tree, service: Tree) -> Iterator[tuple[str, str]]:
    """Yield what a service uses besides what stands in it, each with a text that changes with it:
    Compose does not recreate a container for a config that changed, but does for a label."""
    configs = document.get("configs") or {}
    for item in service.get("configs") or []:
        name = item["source"]
        yield f"config {name}", digest.of_bytes(configs[name].get("content", "").encode())
    for mount in service.get("volumes") or []:
        source = str(mount.get("source") or "")
        if mount.get("type") == "bind" and source.startswith(f"./{FOLDER}/"):
            yield f"mount {mount['target']}", source


def _label(service: Tree, labels: Mapping[str, str]) -> None:
    service["labels"] = {**(service.get("labels") or {}), **labels}


def _prove(text: str, sealed: Tree, may_be_open: Set[str]) -> None:
    if parse(text.encode()) != sealed:
        raise ReleaseFailed("the sealed document does not read back as what was sealed")
    for name in set(open_names(sealed)) - may_be_open:
        raise ReleaseFailed(f"${{{name}}} is still open", where="the sealed document")
