"""Ids and tags: what Docker takes for a tag, and the ledger for a name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stagekit.errors import InputError
from stagekit.inputs.project import Project
from stagekit.records import CI, Source

LATEST = "latest"

_ID_LIMIT = 120
_TAG_LIMIT = 128
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]")
_WHERE = "pyproject.toml [tool.stagekit] tags"


def id_of(text: str) -> str:
    """Turn what names a build into its id.

    Up to 120 of ``[A-Za-z0-9_.-]``, starting with a letter or a digit; a tag's other eight
    characters are kept for the number of an id that is taken.
    https://docs.docker.com/reference/cli/docker/image/tag/
    """
    return _written(text)[:_ID_LIMIT] or "build"


def further_tags(project: Project, source: Source, ci: CI | None, id: str) -> tuple[str, ...]:
    """Return the tags that images get next to their build's id.

    A template in the project's ``tags`` sees ``branch``, ``commit`` and ``build``; one that comes
    out empty, as ``{{ branch }}`` does for a commit on no branch, is left out.

    Raises:
        InputError: a template is wrong.
    """
    known = {
        "branch": source.branch or (ci.branch if ci else None) or "",
        "commit": source.commit or (ci.commit if ci else None) or "",
        "build": id,
    }
    filled = (_fill(text, known) for text in project.tags)
    tags = [_written(text)[:_TAG_LIMIT] for text in filled]
    latest = [LATEST] if project.latest else []
    return tuple(dict.fromkeys(tag for tag in (*tags, *latest) if tag and tag != id))


def _written(text: str) -> str:
    return _NOT_IN_TAGS.sub("-", text.strip()).lstrip("._-")


def _fill(template: str, known: Mapping[str, str]) -> str:
    if "{" not in template:
        return template
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    try:
        return SandboxedEnvironment(undefined=StrictUndefined).from_string(template).render(known)
    except Exception as error:  # whatever an expression of the template raises
        raise InputError(
            f"{template!r}: {error}",
            where=_WHERE,
            hint=f"a tag's template knows {', '.join(known)}",
        ) from error
