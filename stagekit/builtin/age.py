"""The secret provider ``age``: ``environments/<env>/secrets.toml``, which `inv secrets` writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from stagekit.errors import InputError
from stagekit.inputs import age
from stagekit.inputs.age import CannotOpen
from stagekit.inputs.near import known_names
from stagekit.inputs.secrets import (
    FILE,
    Carried,
    carried_by,
    encode_carried,
    read_layers,
    release_of,
)

_AGAIN = "set it again (inv secrets.set), and release; or bring the file back as it was"


class AgeSecrets:
    """Carries ciphertext, and opens it with the identity of STAGEKIT_AGE_IDENTITY."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def names(self, layers: Sequence[Path]) -> Collection[str]:
        return {name for file in read_layers(layers).values() for name in file.secrets}

    def carried(self, names: Collection[str], layers: Sequence[Path]) -> Mapping[str, bytes]:
        return {FILE: encode_carried(release_of(names, read_layers(layers)))} if names else {}

    def values(self, names: Sequence[str], carried: Mapping[str, bytes]) -> Mapping[str, str]:
        document = carried_by(carried)
        missing = [name for name in names if name not in document.secrets]
        if missing:
            raise InputError(
                f"the release carries no secret {missing[0]}",
                where=FILE,
                hint=known_names(missing[0], document.secrets),
            )
        return {name: self._value(name, document) for name in names}

    def _value(self, name: str, document: Carried) -> str:
        secret = document.secrets[name]
        layer = document.layers.get(secret.layer or "")
        if layer is None or secret.age is None:
            raise InputError(f"secret {name} is not sealed with age", where=FILE)
        keys = age.required_identities(self._environ, f"opening secret {name}")
        try:
            value, key = (age.open_text(text, keys) for text in (secret.age, layer.key))
        except CannotOpen as error:
            raise age.cannot_open(
                f"secret {name}", layer.recipients, keys, error, where=FILE, hint=_AGAIN
            ) from None
        if age.contradicts(secret.fingerprint, key, name, value):
            raise InputError(
                f"secret {name} is not the one that was set: its fingerprint is another's",
                where=FILE,
                hint=_AGAIN,
            )
        return value
