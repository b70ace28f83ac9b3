"""The argv of the programs that stagekit runs. Pure: tests compare lists."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stagekit.images import BuildSecret, ImageSpec

Argv = tuple[str, ...]


def compose_version(program: Path) -> Argv:
    return (str(program), "version", "--short")


def compose_config(program: Path, *, name: str, folder: Path) -> Argv:
    """Normalise the document on stdin. Its paths stay as they are, relative to ``folder``: this
    machine's own must not get in."""
    return (
        *_compose(program, name=name, folder=folder),
        "--file",
        "-",
        "config",
        "--no-path-resolution",
        "--format",
        "json",
    )


def compose_up(program: Path, *, name: str, folder: Path, timeout: int) -> Argv:
    """Bring up the document on stdin: exactly that, nothing pulled, nothing built."""
    return (
        *_compose(program, name=name, folder=folder),
        "--file",
        "-",
        "up",
        "--detach",
        "--wait",
        "--wait-timeout",
        str(timeout),
        "--remove-orphans",
        "--pull",
        "never",
        "--no-build",
    )


def compose_down(program: Path, *, name: str, folder: Path) -> Argv:
    """Remove a project's containers and networks, found by its name in the empty ``folder``: what
    it was brought up from need not be there any more. No ``--volumes``, ever."""
    return (*_compose(program, name=name, folder=folder), "down", "--remove-orphans")


def buildx_version(program: Path) -> Argv:
    return (str(program), "version")


def buildx_inspect(program: Path) -> Argv:
    return (str(program), "inspect")


def buildx_build(
    program: Path, spec: ImageSpec, *, dockerfile: Path, archive: Path | None = None
) -> Argv:
    """Build with BuildKit, into the engine or into an archive to load.

    Args:
        program: buildx.
        spec: what to build.
        dockerfile: stands in for the spec's own.
        archive: where the image goes, with the times in its layers rewritten: BuildKit cannot do
            that to one that it unpacks on its way into an engine.
    """
    args = dict(spec.args)
    if spec.epoch is not None:
        args["SOURCE_DATE_EPOCH"] = str(spec.epoch)
    return (
        str(program),
        "build",
        "--progress",
        "plain",
        "--file",
        str(dockerfile),
        *_output(spec, archive),
        *_attestations(spec),
        *(("--target", spec.target) if spec.target else ()),
        *(("--platform", ",".join(spec.platforms)) if spec.platforms else ()),
        *_each("--build-arg", (f"{key}={value}" for key, value in sorted(args.items()))),
        *_each("--label", (f"{key}={value}" for key, value in sorted(spec.labels.items()))),
        *_each("--secret", map(_secret, spec.secrets)),
        *_each("--ssh", spec.ssh),
        *_each("--cache-from", spec.cache_from),
        *_each("--cache-to", spec.cache_to),
        str(spec.context),
    )


def _output(spec: ImageSpec, archive: Path | None) -> Argv:
    if archive is None:
        return ("--load", *_each("--tag", spec.references))
    names = ",".join(spec.references)
    return ("--output", f'type=oci,"name={names}","dest={archive}",rewrite-timestamp=true')


def _attestations(spec: ImageSpec) -> Argv:
    """Without a wish there is none: by default, BuildKit's would differ from build to build."""
    provenance = f"mode={spec.provenance}" if spec.provenance else "false"
    return (f"--provenance={provenance}", *((f"--sbom={spec.sbom}",) if spec.sbom else ()))


def _secret(secret: BuildSecret) -> str:
    return f"id={secret.id}," + (
        f"env={secret.variable}" if secret.variable else f"src={secret.file}"
    )


def _compose(program: Path, *, name: str, folder: Path) -> Argv:
    return (
        str(program),
        "--ansi",
        "never",
        "--project-name",
        name,
        "--project-directory",
        str(folder),
    )


def _each(flag: str, values: Iterable[str]) -> Argv:
    return tuple(part for value in values for part in (flag, value))
