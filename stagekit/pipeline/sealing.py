"""Setting secrets: from an environment's file to its next one. Nothing here writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stagekit.errors import InputError, StagekitError
from stagekit.events import Emit, Warned
from stagekit.inputs import age
from stagekit.inputs.age import CannotOpen
from stagekit.inputs.secrets import (
    Layer,
    Sealed,
    SecretsFile,
    carried_by,
    check_secret_name,
    check_value,
)
from stagekit.pipeline.history import readable_releases
from stagekit.protocols import Ledger

if TYPE_CHECKING:
    from pyrage.x25519 import Identity

_MEND = "bring the file back as it was committed, or set the value again"


@dataclass(frozen=True)
class Store:
    """An environment's file, as far as whoever works on it can open it.

    Attributes:
        file: what stands in it.
        where: its path, for errors.
        key: of its fingerprints; None for who cannot open that.
        identities: what opens it.
    """

    file: SecretsFile
    where: str
    key: str | None
    identities: Sequence[Identity] = ()

    def values(self) -> dict[str, str]:
        """Return every value of the file.

        Raises:
            InputError: one is damaged, or sealed for others.
        """
        return {name: self._open(sealed.age, name) for name, sealed in self.file.secrets.items()}

    def with_values(self, values: Mapping[str, str]) -> SecretsFile:
        """Return the file with ``values`` set. What has that value already stays as it is sealed.

        Raises:
            InputError: a name or value that no container could be told.
        """
        secrets = dict(self.file.secrets)
        for name, value in values.items():
            check_secret_name(name, self.where)
            check_value(name, value)
            if not self._has(name, value):
                secrets[name] = self._sealed(name, value)
        return replace(self.file, secrets=secrets)

    def edited(self, before: Mapping[str, str], after: Mapping[str, str]) -> SecretsFile:
        """Return the file in which ``before`` became ``after``: only what changed is sealed
        anew, and what ``before`` did not have stays."""
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        file = self.with_values(changed)
        gone = before.keys() - after.keys()
        return replace(
            file, secrets={name: file.secrets[name] for name in file.secrets if name not in gone}
        )

    def for_recipients(self, recipients: Mapping[str, str]) -> SecretsFile:
        """Return the file sealed anew for ``recipients``, which may be the same.

        Where one goes, so does the key of the fingerprints that it knew: with it, short values
        could be guessed from what is committed from now on. All fingerprints are new then.

        Raises:
            InputError: a value cannot be opened, or a recipient is none.
        """
        values, was = self.values(), set(self.file.recipients.values())
        gone = was - set(recipients.values())
        key = age.new_key() if gone else self._open(self.file.key, "the key of its fingerprints")
        empty = SecretsFile(
            key=age.seal_text(key, recipients.values(), self.where), recipients=dict(recipients)
        )
        sealed = Store(empty, self.where, key).with_values(values)
        if gone:
            return sealed
        kept = {
            name: replace(secret, fingerprint=self.file.secrets[name].fingerprint)
            for name, secret in sealed.secrets.items()
        }
        return replace(sealed, secrets=kept)

    def _has(self, name: str, value: str) -> bool:
        there = self.file.secrets.get(name)
        try:
            return there is not None and age.open_text(there.age, self.identities) == value
        except CannotOpen:
            return False

    def _sealed(self, name: str, value: str) -> Sealed:
        stated = age.fingerprint(self.key, name, value) if self.key else age.random_fingerprint()
        return Sealed(stated, age.seal_text(value, self.file.recipients.values(), self.where))

    def _open(self, sealed: str, what: str) -> str:
        try:
            return age.open_text(sealed, self.identities)
        except CannotOpen as error:
            raise age.cannot_open(
                what, self.file.recipients, self.identities, error, where=self.where, hint=_MEND
            ) from None


def begin(recipients: Mapping[str, str], where: str) -> Store:
    """Return a store without a secret, for ``recipients``. Needs no identity."""
    key = age.new_key()
    file = SecretsFile(
        key=age.seal_text(key, recipients.values(), where), recipients=dict(recipients)
    )
    return Store(file, where, key)


def store_of(file: SecretsFile, where: str, identities: Sequence[Identity]) -> Store:
    """Return the store of a file, opened as far as ``identities`` go."""
    try:
        key = age.open_text(file.key, identities) if identities else None
    except CannotOpen:
        key = None
    return Store(file, where, key, identities)


def next_recipients(
    now: Mapping[str, str], add: Iterable[str], remove: Iterable[str], where: str
) -> dict[str, str]:
    """Return the recipients after ``NAME=age1…`` texts are added, and names or keys removed.

    Raises:
        InputError: one to add is no recipient or its name is taken; one to remove is not there, or
            is the last.
    """
    left = dict(now)
    for text in add:
        name, _, key = text.partition("=")
        age.check_recipient(key if name else "", f"--add {name}")
        if left.setdefault(name, key) != key:
            raise InputError(f"{name} is another recipient", where=where, hint="choose a name")
    for text in remove:
        gone = [name for name, key in left.items() if text in (name, key)]
        if not gone:
            there = f"there are: {', '.join(left)}"
            raise InputError(f"no recipient {text}", where=where, hint=there)
        for name in gone:
            del left[name]
    if not left:
        raise InputError("nobody would be left to open it", where=where, hint="--add another one")
    return left


def releases_where(
    ledger: Ledger,
    layer: str,
    is_so: Callable[[Layer], bool],
    emit: Emit,
) -> tuple[str, ...]:
    """Return the names of the releases whose part of ``layer``'s secrets ``is_so``; those of
    environments that are in the ledger alone by now, too.

    Args:
        ledger: where they are.
        layer: the environment whose file it came from.
        is_so: asked of what each release carries of it.
        emit: warned of what cannot be read.
    """
    found = []
    for env in ledger.environments():
        for stored in readable_releases(ledger, env, emit):
            if not stored.record.secrets:
                continue
            try:
                carried = carried_by(ledger.release_files(env, stored.record.id)).layers
            except StagekitError as error:
                emit(Warned(f"{stored.record.name} is passed over: {error}"))
                continue
            if layer in carried and is_so(carried[layer]):
                found.append(stored.record.name)
    return tuple(found)
