"""age, in this process: sealing for recipients, opening with identities, and fingerprints.

A value is sealed for every recipient of its file. A fingerprint is an HMAC of the secret's name
and value under a random key of the file, which is itself sealed: it tells those who cannot open
the file that a value changed, and lets nobody try values. Who cannot open the file can still set a
secret; its fingerprint is then a random one, which says "changed" whatever the value was.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.errors import InputError, StagekitError
from stagekit.paths import expanded

if TYPE_CHECKING:
    from pyrage.x25519 import Identity, Recipient

VARIABLE = "STAGEKIT_AGE_IDENTITY"

_SECRET_KEY = "AGE-SECRET-KEY-1"  # noqa: S105  # nosec B105  # how each begins
_KEYED, _RANDOM = "hmac-sha256:", "random:"
_KEY_SIZE = 32
_LONGEST_FILE = 2**20


class CannotOpen(Exception):
    """What is sealed is damaged, or for others."""


def new_identity() -> Identity:
    """Make an identity; ``str()`` of it is the secret key, of its ``to_public()`` the recipient."""
    from pyrage.x25519 import Identity

    return Identity.generate()


def identities(environ: Mapping[str, str]) -> tuple[Identity, ...]:
    """Return the identities of STAGEKIT_AGE_IDENTITY: keys, or the path of a file that has them.

    Returns:
        None of them where the variable is not set.

    Raises:
        InputError: it leads to no identity. Nothing of what was read is in it.
    """
    given = environ.get(VARIABLE, "").strip()
    text = given if not given or _SECRET_KEY in given else _read(expanded(given))
    lines = [line.strip() for line in text.splitlines()]
    found = tuple(_identity(line) for line in lines if line and not line.startswith("#"))
    if given and not found:
        raise InputError("holds no identity", where=VARIABLE, hint=_HINT)
    return found


def required_identities(environ: Mapping[str, str], purpose: str) -> tuple[Identity, ...]:
    """Return the identities, one at least.

    Raises:
        InputError: there is none; says what it is needed for.
    """
    found = identities(environ)
    if not found:
        raise InputError(f"{purpose} needs an age identity", where=VARIABLE, hint=_HINT)
    return found


_HINT = f"export {VARIABLE}=FILE, the key file that inv secrets.keygen wrote, or the key itself"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST_FILE + 1)
        if len(data) > _LONGEST_FILE:
            raise InputError("the file it names is no key file: too long", where=VARIABLE)
        return data.decode("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        what = f"the file it names cannot be read: {(reason or '').lower()}"
        raise InputError(what, where=VARIABLE, hint=_HINT) from None


def _identity(line: str) -> Identity:
    from pyrage import IdentityError
    from pyrage.x25519 import Identity

    try:
        return Identity.from_str(line)
    except IdentityError as error:
        raise InputError(f"not an age identity: {error}", where=VARIABLE, hint=_HINT) from None


def check_recipient(text: str, where: str) -> None:
    """Raise InputError unless ``text`` is an age recipient."""
    _recipient(text, where)


def _recipient(text: str, where: str) -> Recipient:
    from pyrage import RecipientError
    from pyrage.x25519 import Recipient

    if _SECRET_KEY in text.upper():  # Bech32 is the same in small letters
        raise InputError(
            "this is a secret key, and a recipient is the public one",
            where=where,
            hint="its recipient stands in the key file's comment: age1…",
        )
    try:
        return Recipient.from_str(text)
    except RecipientError as error:
        raise InputError(
            f"{text!r} is not an age recipient: {error}", where=where, hint="age1…, 62 characters"
        ) from error


def seal_text(value: str, recipients: Iterable[str], where: str) -> str:
    """Seal ``value`` for ``recipients``; return age's binary format in Base64.

    Raises:
        InputError: there is no recipient, or one is none.
    """
    import pyrage

    keys = [_recipient(text, where) for text in recipients]
    if not keys:
        raise InputError(
            "it has no recipients: nobody could open what is sealed",
            where=where,
            hint="inv secrets.keygen --env ENV makes an identity, and its recipient",
        )
    return base64.b64encode(pyrage.encrypt(value.encode(), keys)).decode()


def open_text(sealed: str, keys: Sequence[Identity]) -> str:
    """Open what `seal_text` sealed.

    Raises:
        CannotOpen: it is damaged, or sealed for others.
    """
    import pyrage

    try:
        return pyrage.decrypt(base64.b64decode(sealed, validate=True), list(keys)).decode()
    except pyrage.DecryptError as error:
        raise CannotOpen(str(error).lower()) from None
    except (binascii.Error, UnicodeDecodeError):
        raise CannotOpen("damaged") from None


def cannot_open(
    what: str,
    recipients: Mapping[str, str],
    keys: Sequence[Identity],
    error: CannotOpen,
    *,
    where: str,
    hint: str,
) -> StagekitError:
    """Say why something did not open: the wrong identity, or damage."""
    own = {str(key.to_public()) for key in keys}
    if own & set(recipients.values()):
        return InputError(f"{what} is damaged: {error}", where=where, hint=hint)
    named = ", ".join(f"{name} ({text})" for name, text in recipients.items())
    return InputError(
        f"{what} cannot be opened by this identity, {', '.join(sorted(own))}",
        where=where,
        hint=f"it is sealed for {named}: set {VARIABLE} to the identity of one of them",
    )


def new_key() -> str:
    """Make a random key for fingerprints."""
    return secrets.token_hex(_KEY_SIZE)


def fingerprint(key: str, name: str, value: str) -> str:
    """Return the fingerprint of a secret: equal for equal values under one name and key."""
    return _KEYED + hmac.new(key.encode(), f"{name}\0{value}".encode(), "sha256").hexdigest()


def random_fingerprint() -> str:
    """Return a fingerprint for a value that is set by somebody who cannot open the key."""
    return _RANDOM + secrets.token_hex(_KEY_SIZE)


def contradicts(stated: str, key: str, name: str, value: str) -> bool:
    """Tell whether a keyed fingerprint is another value's: what was sealed was exchanged."""
    return stated.startswith(_KEYED) and not hmac.compare_digest(
        stated, fingerprint(key, name, value)
    )
