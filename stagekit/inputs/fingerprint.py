"""The digest of what an image is made from, and why an image is not what its source makes.

Part of it: the Dockerfile and which file it is, type, mode and content of each file that travels,
build arguments, labels, target, platforms, the base images' digests, and which builder builds. Not
part of it: times of files, secrets' values, caches, and anything of an environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from stagekit import digest
from stagekit.engine.context import Ignoring, ignore_patterns
from stagekit.images import ImageSpec
from stagekit.inputs.differences import compared, files_in_words, in_words
from stagekit.inputs.dockerfile import read_bases
from stagekit.inputs.fileindex import FileIndex, text_of
from stagekit.records import Part

_UNKNOWN = "unknown"
_DOCKERFILE = "Dockerfile"
"""What it is called where nobody says otherwise; settings name another one alone."""


class ImageInputs(Part, frozen=True):
    """What one image is made from: names, each with what stands for its content."""

    settings: dict[str, str]
    bases: dict[str, str]
    files: dict[str, str]

    @property
    def fingerprint(self) -> str:
        return digest.of_bytes(msgspec.json.encode(self, order="deterministic"))


def read_inputs(
    spec: ImageSpec, *, builder: str, base_digest: Callable[[str], str | None], index: Path
) -> ImageInputs:
    """Read what an image is made from now.

    Args:
        spec: the image.
        builder: the builder's name: two of them make two images of the same source.
        base_digest: says which image a base's name means now, None if nobody knows.
        index: where the `FileIndex` of its context is kept.

    Raises:
        InputError: a file cannot be read.
    """
    patterns = ignore_patterns(spec)
    known = FileIndex(index, digest.of_bytes(os.fsencode("\n".join(patterns))))
    walk = Ignoring(patterns, known.verdicts).walk(spec.context)
    files = {text_of(path): known.describe(text_of(path), entry) for path, entry in walk}
    known.save()
    settings = _settings(spec, builder)
    dockerfile = spec.dockerfile.read_bytes()
    name = text_of(os.path.relpath(spec.dockerfile, spec.context))
    if name not in files or spec.dockerfile.is_symlink():  # .dockerignore may name it as well
        files[name] = f"{files.get(name, '')} {digest.of_bytes(dockerfile)}".lstrip()
    elif name != _DOCKERFILE:
        settings["dockerfile"] = name
    names = read_bases(dockerfile, spec.args).images
    return ImageInputs(
        settings=settings,
        bases={name: base_digest(name) or _UNKNOWN for name in names},
        files=files,
    )


def encode_inputs(inputs: Mapping[str, ImageInputs]) -> bytes:
    """Write the inputs of a build's images, to be kept beside its record."""
    return msgspec.json.encode(inputs, order="deterministic") + b"\n"


def decode_inputs(data: bytes) -> dict[str, ImageInputs]:
    """Read what `encode_inputs` wrote; empty where it is damaged."""
    try:
        return msgspec.json.decode(data, type=dict[str, ImageInputs])
    except (msgspec.DecodeError, ValueError):
        return {}


def changes(old: ImageInputs | None, new: ImageInputs) -> tuple[str, ...]:
    """Say what is different between what an image was made from and what there is now, each in a
    few words: ``app.py changed``, ``requirements.txt added``; empty where nothing is."""
    if old is None:
        return ("not built before",)
    before, now = ({"dockerfile": _DOCKERFILE} | item.settings for item in (old, new))
    return (
        *files_in_words(old.files, new.files),
        *(f"base image {said}" for said in in_words(compared(old.bases, new.bases))),
        *in_words(compared(before, now)),
    )


def _settings(spec: ImageSpec, builder: str) -> dict[str, str]:
    single = {
        "target": spec.target,
        "platforms": ", ".join(spec.platforms),
        "provenance": spec.provenance,
        "sbom": spec.sbom,
        "reproducible": "yes" if spec.epoch is not None else None,
    }
    return {
        "builder": builder,
        **{name: value for name, value in single.items() if value},
        **{f"argument {name}": value for name, value in spec.args.items()},
        **{f"label {name}": value for name, value in spec.labels.items()},
        **{f"secret {secret.id}": "" for secret in spec.secrets},
        **{f"ssh {agent}": "" for agent in spec.ssh},
    }
