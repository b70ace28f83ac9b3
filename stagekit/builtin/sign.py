r"""Signatures: images and releases are signed by cosign, and a run verifies them where its
environment asks for it.

An image's signature is in its registry. A release's is a file of its own in the ledger, over the
bytes of its ``release.toml``, which names the digest of every other file of it. Anybody can check
it without stagekit::

    cosign verify-blob --key cosign.pub --insecure-ignore-tlog=true \
        --bundle artifacts/signatures/prod/v42.json artifacts/releases/prod/v42/release.toml

That flag is for what was not written to sigstore's public log, as it is not by default.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.builtin.keys import Keys
from stagekit.cancel import Cancel
from stagekit.envelope import decode
from stagekit.errors import InputError, LedgerError
from stagekit.events import Emit, Warned, step
from stagekit.inputs.project import Project
from stagekit.ledger.releases import RELEASE_RECORD
from stagekit.plugins.spec import hookimpl
from stagekit.process import Result
from stagekit.protocols import Finding, Ledger
from stagekit.records import Build, BuiltImage, Pin, Release, Stored

if TYPE_CHECKING:
    from stagekit.builtin.cosign import Cosign

_REPEATED = ("WARNING: Skipping tlog", "WARNING: Could not fetch", "error during command execution")


class Sign:
    """Signs what is built and released, and verifies what is run.

    Args:
        project: whose settings name the keys.
        ledger: has the records and the signatures; asked for when it is needed.
        environ: the process's environment.
        cancel: ends what cosign is at.
    """

    def __init__(
        self,
        project: Project,
        ledger: Callable[[], Ledger],
        environ: Mapping[str, str],
        cancel: Cancel,
    ) -> None:
        self._project = project
        self._keys = Keys.of_project(project, environ)
        self._ledger = ledger
        self._environ = environ
        self._cancel = cancel

    @hookimpl
    def stagekit_built(self, build: Stored[Build], emit: Emit) -> None:
        """Sign the images of a build, where a key is named."""
        if self._keys.private:
            self.sign_build(build, emit)

    @hookimpl
    def stagekit_build_unchanged(self, build: Stored[Build], emit: Emit) -> None:
        """Sign what of it is not signed yet: a key may have been named since, or was not there."""
        if self._keys.private and self._keys.public and self._lacks(build.record):
            self.sign_build(build, emit)

    @hookimpl
    def stagekit_released(self, release: Stored[Release], emit: Emit) -> None:
        """Sign a release, where a key is named."""
        if self._keys.private:
            self.sign_release(release, emit)

    @hookimpl
    def stagekit_verify_release(self, release: Stored[Release], emit: Emit) -> Iterable[str]:
        """Verify a release and its images, where it or its environment asks for it; give by which
        key.

        Both do: whoever could change a release could else let it ask for nothing.
        """
        if release.record.deploy.verify_signatures or self._asked_for(release.record.env):
            return [f"signed {self.verify(release, emit)}"]
        return ()

    @hookimpl
    def stagekit_doctor(self) -> Iterable[Finding]:
        """Say whether cosign and the keys are there, where anything is signed or verified."""
        from stagekit.builtin.cosign import INSTALL
        from stagekit.inputs.environment import environment_names

        asking = [env for env in environment_names(self._project) if self._asked_for(env)]
        if not asking and not self._keys.named:
            return
        try:
            cosign = self._cosign()
        except InputError:
            yield Finding(name="cosign", found=False, needed=True, hint=INSTALL)
        else:
            where = str(cosign.program)
            yield Finding(
                name="cosign", found=True, needed=True, where=where, version=cosign.version
            )
        yield from self._keys.findings(asking)

    def sign_build(self, build: Stored[Build], emit: Emit) -> None:
        """Sign each image of a build, in each registry that has it.

        Args:
            build: what was built.
            emit: told of each image; warned of one that was not pushed, which cannot be signed.

        Raises:
            InputError: no key is named or there, cosign is not installed, or it refuses; in its own
                words.
            LimitExceeded: it takes too long.
        """
        cosign, key = self._signer()
        for name, image in sorted(build.record.images.items()):
            if not image.pushed:
                emit(Warned(f"{name} is not signed: it was pushed to no registry"))
                continue
            notes = {"build": build.record.id, "record": build.digest}
            for pin in _pins(image):
                with step(emit, "sign", pin):
                    signed = cosign.sign_image(key, pin, notes)
                    self._hold_signed(signed, pin, again=f"inv sign {build.record.id}")

    def sign_release(self, release: Stored[Release], emit: Emit) -> None:
        """Sign a release; a later signature takes the place of an earlier one.

        Args:
            release: what was released.
            emit: told of it, and by which key.

        Raises:
            InputError, LimitExceeded: as `sign_build`.
            LedgerError: its record is not what was sealed.
        """
        cosign, key = self._signer()
        record = release.record
        with (
            step(emit, "sign", record.name) as under_way,
            tempfile.TemporaryDirectory() as folder,
        ):
            sealed, bundle = self._sealed(release, Path(folder)), Path(folder) / "bundle"
            signed = cosign.sign_file(key, sealed, bundle)
            self._hold_signed(signed, record.name, again=f"inv sign {record.name}")
            self._ledger().keep_signature(record.env, record.id, bundle.read_bytes())
            under_way.outcome = f"by {key}"

    def verify(self, release: Stored[Release], emit: Emit) -> str:
        """Verify a release's signature, and those of the project's own images in it.

        Args:
            release: what is looked at.
            emit: told by which key it is signed.

        Returns:
            That, and which of its images are.

        Raises:
            InputError: no public key is named or there, cosign is not installed, it was not signed,
                or by somebody else.
            LedgerError: its record or its build's is not what was written.
            LimitExceeded: it takes too long.
        """
        record = release.record
        cosign, key = self._cosign(), self._keys.to_verify(record.env)
        with step(emit, "signed", record.name) as under_way:
            self._verify_release(cosign, key, release)
            pins = self._own_pins(record)
            for name, pin in pins.items():
                _verify_image(cosign, key, name, pin, record)
            said = f"by {key}; images: {', '.join(pins) or 'none of its own'}"
            under_way.outcome = said
        return said

    def _verify_release(self, cosign: Cosign, key: str, release: Stored[Release]) -> None:
        record = release.record
        hint = f"inv sign {record.name}, by whoever may"
        kept = self._ledger().release_folder(record.env, record.id) / RELEASE_RECORD
        where = self._project.relative(kept)
        signature = self._ledger().signature(record.env, record.id)
        if signature is None:
            what = f"{record.name} is not signed, by {key} or anybody"
            raise InputError(what, where=where, hint=hint)
        with tempfile.TemporaryDirectory() as folder:
            sealed, bundle = self._sealed(release, Path(folder)), Path(folder) / "bundle"
            bundle.write_bytes(signature)
            verified = cosign.verify_file(key, sealed, bundle)
            _hold(verified, f"{record.name} is not signed by {key}", where=where, hint=hint)

    def _sealed(self, release: Stored[Release], folder: Path) -> Path:
        """Copy a release's record, as it was verified, to where nobody changes it meanwhile."""
        kept = self._ledger().release_folder(release.record.env, release.record.id)
        data = (kept / RELEASE_RECORD).read_bytes()
        if decode(Release, data, where=str(kept / RELEASE_RECORD)).digest != release.digest:
            raise LedgerError(f"{release.record.name} was changed just now", where=str(kept))
        copy = folder / RELEASE_RECORD
        copy.write_bytes(data)
        return copy

    def _own_pins(self, release: Release) -> dict[str, Pin]:
        """Return the pins of the project's own images, by the names that these have in it."""
        build = self._ledger().find_build(release.build.id)
        if build is None or build.digest != release.build.digest:
            raise InputError(
                f"the record of build {release.build.id} is not at hand: which of the images are "
                "the project's own, and signed, is not known",
                where="artifacts/builds/",
                hint="bring it here with the release, as artifacts/ has it",
            )
        used = {pin.pinned: pin for pin in release.pins.values()}
        own = sorted(build.record.images.items())
        return {name: used[image.pin] for name, image in own if image.pin in used}

    def _lacks(self, build: Build) -> bool:
        cosign, key = self._cosign(), self._keys.to_verify(build.id)
        pins = [pin for image in build.images.values() if image.pushed for pin in _pins(image)]
        return not all(cosign.verify_image(key, pin).ok for pin in pins)

    def _asked_for(self, env: str) -> bool:
        # Not before it is needed: every command loads what ships, and few read an environment.
        from stagekit.inputs.environment import environment_names, load_environment

        if env in environment_names(self._project):
            with suppress(InputError):
                return load_environment(self._project, env).deploy.verify_signatures
        return bool(self._keys.public)  # what it asks for is not known: who has a key wants it used

    def _cosign(self) -> Cosign:
        from stagekit.builtin.cosign import find_cosign

        return find_cosign(self._project.sign, self._project.root, self._environ, self._cancel)

    def _signer(self) -> tuple[Cosign, str]:
        return self._cosign(), self._keys.to_sign()

    def _hold_signed(self, result: Result, subject: str, *, again: str) -> None:
        opening = "export COSIGN_PASSWORD=…, which opens the key; "
        hint = f"{opening if self._keys.lacks_password else ''}{again}"
        where = f"key {self._keys.private}"
        _hold(result, f"cannot sign {subject}", where=where, hint=hint)


def _pins(image: BuiltImage) -> Iterator[str]:
    yield image.pin
    yield from (f"{repository}@{digest}" for repository, digest in sorted(image.copies.items()))


def _verify_image(cosign: Cosign, key: str, name: str, pin: Pin, release: Release) -> None:
    if pin.kind != "digest":
        raise InputError(
            f"the image {name} was pushed to no registry: nobody can have signed it",
            where=pin.pinned,
            hint="name a registry in [tool.stagekit], inv build --force, "
            f"inv release --env {release.env}",
        )
    _hold(
        cosign.verify_image(key, pin.pinned),
        f"the image {name} is not signed by {key}",
        where=pin.pinned,
        hint=f"sign the build that made it: inv sign {release.build.id}",
    )


def _hold(result: Result, what: str, *, hint: str, where: str | None = None) -> None:
    if not result.ok:
        said = tuple(line for line in result.tail() if not line.startswith(_REPEATED))
        raise InputError(what, where=where, hint=hint, output=said)
