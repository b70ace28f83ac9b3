"""The argv of the programs that stagekit runs. Pure: tests compare lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

from stagekit.images import BuildSecret, ImageSpec

Argv = tuple[str, ...]

_STDIN = PurePath("-")


def compose_version(program: Path) -> Argv:
    return (str(program), "version", "--short")


def compose_config(
    program: Path,
    *,
    name: str,
    folder: Path,
    files: Sequence[Path] = (Path("-"),),
    profiles: Sequence[str] = (),
) -> Argv:
    """Normalise ``files``, each merged over the one before it; ``-`` is stdin. Their paths stay as
    they are, relative to ``folder``: this machine's own must not get in."""
    return (
        *_compose(program, name=name, folder=folder),
        *_each("--file", map(str, files)),
        *_each("--profile", profiles),
        "config",
        "--no-path-resolution",
        "--format",
        "json",
    )


def compose_up(
    program: Path, *, name: str, folder: PurePath, scale: Mapping[str, int] | None = None
) -> Argv:
    """Bring up the document on stdin: exactly that, nothing pulled, nothing built. It is not
    waited for health: whoever calls looks at the containers anyway."""
    return (
        *_compose(program, name=name, folder=folder),
        "--file",
        "-",
        "up",
        "--detach",
        "--remove-orphans",
        "--pull",
        "never",
        "--no-build",
        *_each("--scale", (f"{key}={value}" for key, value in sorted((scale or {}).items()))),
    )


def compose_definitions(program: Path, *, name: str, folder: PurePath) -> Argv:
    """Print the digest of each service's definition in the document on stdin."""
    return (
        *_compose(program, name=name, folder=folder),
        *("--file", "-", "config", "--hash", "*"),
    )


def compose_run(
    program: Path,
    *,
    name: str,
    folder: PurePath,
    service: str,
    command: Sequence[str],
    dependencies: bool,
    label: str,
    document: PurePath = _STDIN,
    terminal: bool = False,
    user: str = "",
    workdir: str = "",
) -> Argv:
    """Run a command in a container of its own, of a service of ``document``."""
    return (
        *_compose(program, name=name, folder=folder),
        "--file",
        str(document),
        "run",
        "--rm",
        *(() if terminal else ("--no-TTY",)),
        "--label",
        label,
        *(() if dependencies else ("--no-deps",)),
        *(("--user", user) if user else ()),
        *(("--workdir", workdir) if workdir else ()),
        service,
        *command,
    )


def compose_logs(
    program: Path,
    *,
    name: str,
    folder: PurePath,
    services: Sequence[str] = (),
    follow: bool = False,
    tail: int | None = None,
    since: str = "",
    timestamps: bool = False,
) -> Argv:
    """Print what containers of a project printed, found by its name in the empty ``folder``."""
    return (
        *_compose(program, name=name, folder=folder),
        "logs",
        "--no-color",
        *(("--follow",) if follow else ()),
        *(("--tail", str(tail)) if tail is not None else ()),
        *(("--since", since) if since else ()),
        *(("--timestamps",) if timestamps else ()),
        *services,
    )


def compose_exec(
    program: Path,
    *,
    name: str,
    folder: PurePath,
    service: str,
    command: Sequence[str],
    index: int | None = None,
    user: str = "",
    workdir: str = "",
    terminal: bool = False,
) -> Argv:
    """Run a command in a running container of a project, found by its name as above."""
    return (
        *_compose(program, name=name, folder=folder),
        "exec",
        *(() if terminal else ("--no-TTY",)),
        *(("--index", str(index)) if index is not None else ()),
        *(("--user", user) if user else ()),
        *(("--workdir", workdir) if workdir else ()),
        service,
        *command,
    )


def compose_restart(
    program: Path, *, name: str, folder: PurePath, services: Sequence[str] = ()
) -> Argv:
    """Restart containers of a project as they are, found by its name as above."""
    return (*_compose(program, name=name, folder=folder), "restart", *services)


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
    if secret.variable:
        return f"id={secret.id},env={secret.variable}"
    source = str(secret.file).replace('"', '""')  # fields are those of CSV (RFC 4180)
    return f'id={secret.id},"src={source}"'


def _compose(program: Path, *, name: str, folder: PurePath) -> Argv:
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
