"""What looks like a secret, by its name or by what it is."""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|APIKEY|(?:^|_)(?:KEYS?|PASS|PWD|PW)(?:_|$)",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"(?:^|_)PUBLIC_|_(?:FILE|PATH|DIR|ID|NAME|URL|HOST|PORT|TTL|EXPIRY|EXPIRES|LENGTH|TIMEOUT|ALGORITHM)$"
    r"|^(?:OLD)?PWD$",
    re.IGNORECASE,
)
_IN_AN_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:(?!\$)[^/\s@]+@", re.IGNORECASE)
_SWITCHES = frozenset(("", "0", "1", "true", "false", "yes", "no", "on", "off", "none", "null"))


def is_secret(name: str, value: str | None) -> bool:
    """Tell whether a variable looks like a secret.

    Args:
        name: PASSWORD, SECRET, TOKEN, KEY and their like make it one, unless it ends in what only
            speaks of one, such as _FILE.
        value: a switch is none, and an address with a password in it is one under any name. None
            for a value that is not known.
    """
    if value is not None and value.strip().lower() in _SWITCHES:
        return False
    if value is not None and _IN_AN_ADDRESS.search(value):
        return True
    return bool(_WORDS.search(name)) and not _NOT.search(name)
