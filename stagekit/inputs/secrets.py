"""Sealed secrets as files: ``environments/<env>/secrets.toml``, and what a release carries of them.

An environment's file, one table a secret, so that git compares and merges it by secret:

    schema = 1
    key = "…"               the key of the fingerprints, sealed like a secret

    [recipients]            who can open it: a name, and an age recipient
    ana = "age1…"

    [secrets.API_KEY]
    fingerprint = "hmac-sha256:…"
    age = "…"               the value: age's binary format in Base64 (base64 -d | age -d -i KEY)

A release's ``secrets.toml`` has the secrets that it uses, each as it stood in its ``layer``, and of
each such layer its recipients and its key. Other providers' secrets stand there with their
fingerprint alone. Nothing here opens anything.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from stagekit import toml
from stagekit.errors import InputError
from stagekit.inputs.names import SECRET_PREFIX
from stagekit.records import Part

FILE = "secrets.toml"
SCHEMA = 1

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LONGEST = 128 * 1024 - 1  # Linux: one variable of a process, its name and its end included
_HEAD = """\
# The secrets of environments/{layer}, sealed by age (https://age-encryption.org): commit it.
# inv secrets.set NAME --env {layer} writes here; a secret goes with the lines of its table.
# A fingerprint tells that a value changed, and nothing else of it.
"""
_RELEASE_HEAD = """\
# The secrets of this release, sealed as they stood in environments/. Do not edit.
"""


class Sealed(Part, frozen=True, forbid_unknown_fields=True):
    """A secret as it stands in an environment's file."""

    fingerprint: str
    age: str


class SecretsFile(Part, frozen=True, forbid_unknown_fields=True):
    """An environment's own ``secrets.toml``, without the layers under it."""

    key: str
    recipients: dict[str, str]
    secrets: dict[str, Sealed] = {}
    schema: int = SCHEMA


class Layer(Part, frozen=True, forbid_unknown_fields=True):
    """What a release keeps of the file that a secret came from."""

    key: str
    recipients: dict[str, str]


class CarriedSecret(Part, frozen=True, forbid_unknown_fields=True):
    """A secret as a release carries it; ``layer`` and ``age`` where it is sealed with age."""

    fingerprint: str
    layer: str | None = None
    age: str | None = None


class Carried(Part, frozen=True, forbid_unknown_fields=True):
    """A release's ``secrets.toml``."""

    layers: dict[str, Layer] = {}
    secrets: dict[str, CarriedSecret] = {}
    schema: int = SCHEMA


Document = TypeVar("Document", SecretsFile, Carried)


def read_secrets(path: Path, where: str) -> SecretsFile | None:
    """Read an environment's own file, or return None where there is none.

    Raises:
        InputError: it is damaged; says where.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=where) from error
    return _decode(SecretsFile, data, where)


def encode_secrets(file: SecretsFile, layer: str) -> bytes:
    """Write an environment's file: its bytes are the same whatever order it was filled in."""
    recipients = dict(sorted(file.recipients.items()))
    return _encode(_HEAD.format(layer=layer), msgspec.structs.replace(file, recipients=recipients))


def read_layers(folders: Sequence[Path]) -> dict[str, SecretsFile]:
    """Read the files of an environment's layers, the weakest first, by the folders' names."""
    found = {folder.name: read_secrets(folder / FILE, shown(folder)) for folder in folders}
    return {name: file for name, file in found.items() if file is not None}


def shown(folder: Path, file: str = FILE) -> str:
    """Write where a layer's file is: ``environments/prod/secrets.toml``."""
    return f"{folder.parent.name}/{folder.name}/{file}"


def release_of(names: Iterable[str], layers: Mapping[str, SecretsFile]) -> Carried:
    """Return what a release that uses ``names`` carries: of each, the strongest layer's."""
    secrets = {}
    for name in names:
        layer = [at for at, file in layers.items() if name in file.secrets][-1]
        sealed = layers[layer].secrets[name]
        secrets[name] = CarriedSecret(sealed.fingerprint, layer, sealed.age)
    used = {secret.layer for secret in secrets.values()}
    return Carried(
        layers={
            name: Layer(file.key, file.recipients) for name, file in layers.items() if name in used
        },
        secrets=secrets,
    )


def encode_carried(document: Carried) -> bytes:
    """Write a release's file; only what stood in the layers is in it, so equal secrets give equal
    bytes."""
    return _encode(_RELEASE_HEAD, document)


def carried_by(files: Mapping[str, bytes]) -> Carried:
    """Read the secrets that a release carries; none where it has no such file.

    Raises:
        InputError: it is not one that stagekit wrote.
    """
    return _decode(Carried, files[FILE], FILE) if FILE in files else Carried()


def fingerprints(files: Mapping[str, bytes]) -> Mapping[str, str]:
    """Return each secret's fingerprint by its name: equal ones are of equal values.

    Args:
        files: a release's, by their paths in it.

    Raises:
        InputError: its ``secrets.toml`` is not one that stagekit wrote.
    """
    return {name: secret.fingerprint for name, secret in carried_by(files).secrets.items()}


def check_secret_name(name: str, where: str | None) -> None:
    """Refuse a name that no variable could have."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is not a secret's name",
            where=where,
            hint="letters, digits and '_', not starting with a digit",
        )


def check_value(name: str, value: str) -> None:
    """Refuse a value that could not reach a container; says which secret, and nothing of it.

    Raises:
        InputError: it is empty, holds a NUL, or is too long for a variable.
    """
    longest = _LONGEST - len(f"{SECRET_PREFIX}{name}=")
    if not value:
        raise InputError(f"no value for {name}", hint=f"printf %s … | inv secrets.set {name} …")
    if "\0" in value:
        raise InputError(f"{name} holds a NUL, which no container could be told", hint=_BASE64)
    if len(value.encode()) > longest:
        raise InputError(
            f"{name} is longer than {longest} bytes, which no process could be told",
            hint="keep a file of that size sealed in the image's own store, and its key here",
        )


_BASE64 = "set it in Base64, and let the container decode it"


def _encode(head: str, document: SecretsFile | Carried) -> bytes:
    import tomli_w

    plain = msgspec.to_builtins(document)
    secrets = {name: _without_none(plain["secrets"][name]) for name in sorted(plain["secrets"])}
    first = {key: plain[key] for key in ("schema", "key") if key in plain}
    body = {**first, **{key: plain[key] for key in plain if key not in (*first, "secrets")}}
    return (head + tomli_w.dumps({**body, "secrets": secrets})).encode()


def _without_none(table: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in table.items() if value is not None}


def _decode(kind: type[Document], data: bytes, where: str) -> Document:
    try:
        document = msgspec.convert(toml.loads(data.decode("utf-8")), kind)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        conflict = b"\n<<<<<<< " in data
        raise InputError(
            "git left a conflict in it" if conflict else f"not a file of secrets: {error}",
            where=where,
            hint="keep the whole table of each secret, from either side"
            if conflict
            else "bring it back as it was committed",
        ) from error
    if document.schema > SCHEMA:
        raise InputError(
            f"written by a newer stagekit (schema {document.schema}, this one knows {SCHEMA})",
            where=where,
            hint="pip install --upgrade stagekit",
        )
    return document
