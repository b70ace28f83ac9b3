"""A software bill of materials of each image that is built, by Syft (the extra ``stagekit[sbom]``).

Written beside the records, as ``artifacts/sboms/<build>/<image>.cdx.json`` (CycloneDX) or
``.spdx.json`` (SPDX). What is looked through is the very image that the build recorded: by its id
where the engine has it, else by its digest in the registry. An image that a build took over from an
older one is that one's, and so is its bill.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stagekit import digest, process
from stagekit.cancel import Cancel
from stagekit.durable import write_file
from stagekit.engine.programs import find_program
from stagekit.errors import InputError, StagekitError
from stagekit.events import Emit, step
from stagekit.inputs.extending import SbomSettings
from stagekit.ledger.names import file_bytes
from stagekit.plugins.spec import hookimpl
from stagekit.protocols import Engine, Finding
from stagekit.records import Build, BuiltImage, Stored

_FOLDER = "sboms"
_ENDINGS = {"cyclonedx": "cdx.json", "spdx": "spdx.json"}
_INSTALL = "pip install 'stagekit[sbom]', or https://github.com/anchore/syft"
_QUIET = {"SYFT_CHECK_FOR_APP_UPDATE": "false"}
_VERSION_LIMIT = 20.0


def written(artifacts: Path, build: str) -> Sequence[Path]:
    """Return the bills of materials that there are of a build, by image.

    Args:
        artifacts: the folder of the project's records.
        build: its id.
    """
    return sorted((artifacts / _FOLDER / build).glob("*.json"))


class Sbom:
    """Writes them for each build that went well.

    Args:
        settings: ``[tool.stagekit.sbom]``.
        artifacts: the folder of the project's records.
        cancel: ends what Syft is at.
    """

    def __init__(self, settings: SbomSettings, artifacts: Path, cancel: Cancel) -> None:
        self._settings = settings
        self._artifacts = artifacts
        self._cancel = cancel

    @hookimpl
    def stagekit_built(
        self, build: Stored[Build], engine: Engine, emit: Emit, environ: Mapping[str, str]
    ) -> None:
        """Look through the images of a build, one after the other.

        Raises:
            InputError: Syft is not installed.
            StagekitError: it cannot read an image; says which.
            LimitExceeded: an image took too long.
        """
        for name, image in sorted(build.record.images.items()):
            path = self.path(build.record.id, name)
            with step(emit, "sbom", name) as under_way:
                older = self.path(image.made_by, name) if image.made_by else path
                if older != path and older.is_file():
                    found = file_bytes(older)
                else:
                    found = self._looked_through(build.record, image, engine, environ)
                write_file(path, found)
                under_way.outcome = f"{path.relative_to(self._artifacts.parent)}  {_short(found)}"

    @hookimpl
    def stagekit_doctor(self, environ: Mapping[str, str]) -> Iterable[Finding]:
        """Say whether Syft is there."""
        program = find_program("syft", environ)
        if program is None:
            return [Finding(name="syft", found=False, needed=False, hint=_INSTALL)]
        argv = (str(program), "--version")
        said = process.run(
            argv, env={**environ, **_QUIET}, limit=_VERSION_LIMIT, cancel=self._cancel
        ).stdout.split()
        version = said[-1] if said else "-"
        return [Finding(name="syft", found=True, needed=False, where=str(program), version=version)]

    def path(self, build: str, image: str) -> Path:
        """Return the file of an image's bill of materials."""
        ending = _ENDINGS[self._settings.format]
        return self._artifacts / _FOLDER / build / f"{image}.{ending}"

    def _looked_through(
        self, build: Build, image: BuiltImage, engine: Engine, environ: Mapping[str, str]
    ) -> bytes:
        program = find_program("syft", environ)
        if program is None:
            raise InputError("Syft is not installed", hint=f"{_INSTALL}; then inv sbom {build.id}")
        here = engine.image(image.image_id) is not None
        source = f"docker:{image.image_id}" if here else f"registry:{image.pin}"
        output = f"{self._settings.format}-json"
        result = process.run(
            (
                *(str(program), "scan", "--quiet", "--output", output),
                *("--source-name", image.repository),
                *("--source-version", image.digest or image.image_id),
                source,
            ),
            env={**_without_keys(environ), **engine.environment(), **_QUIET},
            limit=self._settings.timeout,
            cancel=self._cancel,
        )
        if not result.ok:
            raise StagekitError(
                f"Syft cannot read {image.pin}",
                where=source,
                hint=f"inv sbom {build.id} tries again",
                output=result.tail(),
            )
        return result.stdout.encode()


def _without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("COSIGN_")}


def _short(data: bytes) -> str:
    return digest.of_bytes(data)[: len("sha256:") + 12]
