r"""Signatures: images and releases are signed by cosign, and a run verifies them where its
environment asks for it.

An image's signature is in its registry. A release's is in the ledger, as a file
``artifacts/signatures/<env>/<id>.json``, over the bytes of its ``release.toml``, which names the
digest of every other file of it. Anybody can check it without stagekit::

    cosign verify-blob --key cosign.pub --bundle artifacts/signatures/prod/v42.json \
        artifacts/releases/prod/v42/release.toml
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from stagekit.builtin.cosign import INSTALL, Cosign, find_cosign
from stagekit.envelope import decode
from stagekit.errors import InputError, LedgerError, StagekitError
from stagekit.events import Emit, Warned, step
from stagekit.inputs.project import Project
from stagekit.ledger.releases import RELEASE_RECORD
from stagekit.plugins.spec import hookimpl
from stagekit.process import Result
from stagekit.protocols import Finding, Ledger
from stagekit.records import Build, Release, Stored

_SETTINGS = "pyproject.toml [tool.stagekit.sign]"
_REPEATED = ("WARNING: Skipping tlog", "error during command execution:")
PUBLIC_KEY = "STAGEKIT_PUBLIC_KEY"
"""Names the public key where the project's settings do not."""


class Sign:
    """Signs what is built and released, and verifies what is run.

    Args:
        project: whose settings name the keys.
        environ: the process's environment.
        ledger: returns the one that has releases and their signatures.
    """

    def __init__(
        self, project: Project, environ: Mapping[str, str], ledger: Callable[[], Ledger]
    ) -> None:
        self._project = project
        self._settings = project.sign
        self._find_ledger = ledger
        self._environ = environ

    @hookimpl
    def stagekit_built(self, build: Stored[Build], emit: Emit) -> None:
        """Sign the images of a build, where the settings name a key."""
        if self._settings.key:
            self.sign_build(build, emit)

    @hookimpl
    def stagekit_released(self, release: Stored[Release], emit: Emit) -> None:
        """Sign a release, where the settings name a key."""
        if self._settings.key:
            self.sign_release(release, emit)

    @hookimpl
    def stagekit_before_run(self, release: Stored[Release]) -> None:
        """Verify a release and its images, where it or its environment asks for it.

        Both do: whoever could change a release could else let it ask for nothing.
        """
        if release.record.deploy.verify_signatures or self._asked_for(release.record.env):
            self.verify(release)

    @hookimpl
    def stagekit_doctor(self, environ: Mapping[str, str]) -> Iterable[Finding]:
        """Say whether cosign is there, where anything is signed or verified."""
        if not self._settings.key and not self._public_key:
            return []
        try:
            cosign = find_cosign(self._settings, self._project.root, environ)
        except InputError:
            return [Finding(name="cosign", found=False, needed=True, hint=INSTALL)]
        where = str(cosign.program)
        return [
            Finding(name="cosign", found=True, needed=True, where=where, version=cosign.version)
        ]

    def sign_build(self, build: Stored[Build], emit: Emit) -> None:
        """Sign each image of a build in its registry.

        Args:
            build: what was built.
            emit: told of each image; warned of one that was not pushed, which cannot be signed.

        Raises:
            InputError: no key is named, or cosign is not installed.
            StagekitError: cosign refuses, in its own words.
        """
        cosign, key = self._signer()
        for name, image in sorted(build.record.images.items()):
            if not image.pushed:
                emit(Warned(f"{name} is not signed: it was pushed to no registry"))
                continue
            with step(emit, "sign", image.pin):
                notes = {"build": build.record.id, "record": build.digest}
                signed = cosign.sign_image(key, image.pin, notes)
                _hold(signed, f"cannot sign {image.pin}", where=f"key {key}")

    def sign_release(self, release: Stored[Release], emit: Emit) -> None:
        """Sign a release, beside it. One that is signed already is signed anew.

        Args:
            release: what was released.
            emit: told of it.

        Raises:
            InputError, StagekitError: as `sign_build`.
            LedgerError: its record is not what was sealed.
        """
        cosign, key = self._signer()
        with step(emit, "sign", release.record.name), tempfile.TemporaryDirectory() as folder:
            sealed, bundle = self._sealed(release, Path(folder)), Path(folder) / "bundle"
            signed = cosign.sign_file(key, sealed, bundle)
            _hold(signed, f"cannot sign {release.record.name}", where=f"key {key}")
            env, id = release.record.env, release.record.id
            self._ledger.keep_signature(env, id, bundle.read_bytes())

    def verify(self, release: Stored[Release]) -> None:
        """Verify a release's signature, and those of the project's own images in it.

        Raises:
            InputError: no public key is named, cosign is not installed, it was not signed, or by
                somebody else.
            LedgerError: its record or its build's is not what was written.
        """
        key = self._public_key
        if not key:
            raise InputError(
                f"{release.record.env} wants signatures verified, and no public key is named",
                where=f"{_SETTINGS} public_key",
                hint=f'public_key = "cosign.pub", or {PUBLIC_KEY}=cosign.pub',
            )
        cosign = find_cosign(self._settings, self._project.root, self._environ)
        self._verify_release(cosign, key, release)
        for pin in self._own_pins(release.record):
            _hold(
                cosign.verify_image(key, pin),
                f"not signed by {key}",
                where=pin,
                hint=f"sign the build that made it: inv sign {release.record.build.id}",
            )

    @property
    def _ledger(self) -> Ledger:
        return self._find_ledger()

    def _verify_release(self, cosign: Cosign, key: str, release: Stored[Release]) -> None:
        env, id, name = release.record.env, release.record.id, release.record.name
        signature = self._ledger.signature(env, id)
        url = self._project.ledger.url
        where = url or f"artifacts/signatures/{env}/{id.replace(':', '')}.json"
        hint = f"inv sign {name}, by whoever may"
        if signature is None:
            raise InputError(f"{name} is not signed", where=where, hint=hint)
        with tempfile.TemporaryDirectory() as folder:
            sealed, bundle = self._sealed(release, Path(folder)), Path(folder) / "bundle"
            bundle.write_bytes(signature)
            verified = cosign.verify_file(key, sealed, bundle)
            _hold(verified, f"{name} is not signed by {key}", where=where, hint=hint)

    def _sealed(self, release: Stored[Release], folder: Path) -> Path:
        """Copy a release's record, as it was verified, to where nobody changes it meanwhile."""
        kept = self._ledger.release_folder(release.record.env, release.record.id)
        data = (kept / RELEASE_RECORD).read_bytes()
        if decode(Release, data, where=str(kept / RELEASE_RECORD)).digest != release.digest:
            raise LedgerError(f"{release.record.name} was changed just now", where=str(kept))
        copy = folder / RELEASE_RECORD
        copy.write_bytes(data)
        return copy

    def _own_pins(self, release: Release) -> list[str]:
        build = self._ledger.find_build(release.build.id)
        if build is None or build.digest != release.build.digest:
            raise InputError(
                f"the record of build {release.build.id} is not at hand: which of the images are "
                "the project's own, and signed, is not known",
                where="artifacts/builds/",
                hint="bring it here with the release, as artifacts/ has it",
            )
        own = {image.pin for image in build.record.images.values()}
        return sorted({pin.pinned for pin in release.pins.values() if pin.pinned in own})

    def _asked_for(self, env: str) -> bool:
        from stagekit.inputs.environment import load_environment

        try:
            return load_environment(self._project, env).deploy.verify_signatures
        except StagekitError:  # it is not here, or broken: what was released says what it asks for
            return False

    @property
    def _public_key(self) -> str:
        return self._settings.public_key or self._environ.get(PUBLIC_KEY, "")

    def _signer(self) -> tuple[Cosign, str]:
        if not self._settings.key:
            raise InputError(
                "no key is named to sign with",
                where=f"{_SETTINGS} key",
                hint='cosign generate-key-pair, and key = "cosign.key"',
            )
        return find_cosign(self._settings, self._project.root, self._environ), self._settings.key


def _hold(result: Result, what: str, *, where: str, hint: str | None = None) -> None:
    if not result.ok:
        said = tuple(line for line in result.tail() if not line.startswith(_REPEATED))
        raise InputError(what, where=where, hint=hint, output=said)
