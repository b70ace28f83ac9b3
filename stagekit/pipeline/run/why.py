"""Why containers are replaced: what is different in the definition of a service. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from stagekit.inputs.seal import LABEL_FILES, LABEL_SECRETS

_LONGEST = 60
_DIGEST = re.compile(r"(@?sha256:[0-9a-f]{12})[0-9a-f]{52}")
_MEANT = {
    f"labels.{LABEL_FILES}": "a config or a file that it uses",
    f"labels.{LABEL_SECRETS}": "a secret that it uses",
}
"""Labels that are there to change with what they stand for (see `stagekit.inputs.seal`)."""


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is different between two definitions, the image first, each in a few words.

    Args:
        old: a service, a network or a volume of a sealed document.
        new: the same of another one.
    """
    found = dict(_changes(old, new))
    for path in sorted(found, key=lambda path: (path != "image", path)):
        yield found[path]


def _changes(
    old: Mapping[str, Any], new: Mapping[str, Any], at: str = ""
) -> Iterator[tuple[str, str]]:
    for key in sorted({*old, *new}, key=str):
        before, after, path = old.get(key), new.get(key), f"{at}{key}"
        if before == after and (key in old) == (key in new):
            continue
        if path in _MEANT:
            yield path, _MEANT[path]
        elif isinstance(before, dict | None) and isinstance(after, dict | None) and not at:
            yield from _changes(before or {}, after or {}, f"{path}.")
        elif key not in old:
            yield path, f"{path} added: {_shown(after)}"
        elif key not in new:
            yield path, f"{path} removed"
        else:
            yield path, f"{path} {_shown(before)} → {_shown(after)}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = _DIGEST.sub(r"\1", text)
    if isinstance(value, str) and (not text or text != text.strip() or "\n" in text):
        text = json.dumps(text, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
