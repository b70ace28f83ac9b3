"""Stand-ins for the base images where Docker Hub cannot be reached.

The distribution's packages, unpacked and tagged with the Hub's names: small, fast, and enough for
the example and the tests. They need a Debian or Ubuntu machine, but neither root nor debootstrap.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from stagekit.cancel import Cancel
from stagekit.engine import debian
from stagekit.engine.docker import DockerEngine
from stagekit.errors import RegistryError
from stagekit.events import Emit, Warned, step
from stagekit.records import Part

_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_BULK = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
)
_MERGED = ("bin", "sbin", "lib", "lib64")
_SKIPPED = (  # dependencies of maintainer scripts, which are not run
    "adduser", "debconf", "dpkg", "init-system-helpers", "libperl5.36", "libperl5.40", "lsb-base",
    "passwd", "perl", "perl-base", "perl-modules-5.36", "perl-modules-5.40", "sysvinit-utils",
    "tar", "usrmerge",
)  # fmt: skip


class StandIn(Part, frozen=True):
    """What stands in for one base image: packages, and what the image's configuration says."""

    packages: tuple[str, ...]
    changes: tuple[str, ...]


STANDINS = {
    "python:3-slim": StandIn(
        packages=("python3-minimal", "python3", "python3-pip", "ca-certificates"),
        changes=('CMD ["python"]', "ENV PATH=/usr/local/bin:/usr/bin:/bin"),
    ),
    "redis:7": StandIn(
        packages=("redis-server",),
        changes=('CMD ["redis-server", "--protected-mode", "no"]', "VOLUME /data", "WORKDIR /data"),
    ),
}


def ensure_base_images(
    standins: Mapping[str, StandIn],
    *,
    engine: DockerEngine,
    registry: str | None,
    state: Path,
    emit: Emit,
    cancel: Cancel,
) -> tuple[str, ...]:
    """Have each base image on the engine: pulled, or a stand-in for it.

    Args:
        standins: what can stand in for each image, by Docker Hub's name.
        engine: gets them.
        registry: gets the stand-ins too, where an engine that mirrors it finds them with a digest.
        state: a folder for apt's lists and archives.
        emit: told of each step.
        cancel: stops it.

    Returns:
        The names for which a stand-in was made.

    Raises:
        EngineError: an image can neither be pulled nor stood in for.
    """
    made = []
    for name, standin in standins.items():
        if engine.image(name) is not None:
            continue
        try:
            with step(emit, "pull", name):
                engine.pull(name, emit=emit, cancel=cancel)
        except RegistryError as error:
            emit(Warned(f"{name} cannot be pulled ({error.what}): making a stand-in"))
            with step(emit, "unpack", f"a stand-in for {name}"):
                _make(name, standin, engine=engine, state=state, cancel=cancel)
            if registry:
                _publish(name, engine, registry, emit, cancel)
            made.append(name)
    return tuple(made)


def _make(
    name: str, standin: StandIn, *, engine: DockerEngine, state: Path, cancel: Cancel
) -> None:
    with tempfile.TemporaryDirectory(prefix="stagekit-") as temporary:
        root = Path(temporary) / "root"
        debian.unpack(
            (*standin.packages, "busybox-static"),
            root,
            state=state,
            skip=_SKIPPED,
            on_line=lambda _: None,
            cancel=cancel,
        )
        _finish(root)
        with tempfile.TemporaryFile() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                tar.add(root, arcname=".", filter=_owned_by_root)
            archive.seek(0)
            label = (
                'LABEL org.opencontainers.image.title="stand-in from the distribution\'s packages"'
            )
            engine.import_image(archive, name, (*standin.changes, label))


def _publish(name: str, engine: DockerEngine, registry: str, emit: Emit, cancel: Cancel) -> None:
    mirrored = f"{registry}/library/{name}"
    engine.tag(name, mirrored)
    with step(emit, "push", mirrored) as under_way:
        under_way.outcome = engine.push(mirrored, emit=emit, cancel=cancel)


def _finish(root: Path) -> None:
    """Do what maintainer scripts would have done."""
    for folder in _BULK:
        shutil.rmtree(root / folder, ignore_errors=True)
    for folder in ("tmp", "data", "root", "etc", "usr/local/bin", "etc/ssl/certs"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "data").chmod(0o777)
    for name in _MERGED:
        if not (root / name).exists() and (root / "usr" / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    _link_busybox(root)
    if (root / "usr/bin/python3").exists():
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            marker.unlink()  # an image has no other package manager to protect
    if _CERTIFICATES.is_file():
        shutil.copyfile(_CERTIFICATES, root / "etc/ssl/certs/ca-certificates.crt")
        (root / "etc/pip.conf").write_text(f"[global]\ncert = {_CERTIFICATES}\n")


def _link_busybox(root: Path) -> None:
    folder = root / "bin"
    busybox = next(path for path in (folder / "busybox", root / "usr/bin/busybox") if path.exists())
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for applet in listed.stdout.split():
        if not any((root / at / applet).exists() for at in ("bin", "usr/bin", "sbin", "usr/sbin")):
            (folder / applet).symlink_to("busybox")


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
