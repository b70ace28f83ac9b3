"""``build:`` sections become ``[tool.stagekit.images.<name>]``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from stagekit.init.build_places import Place, image_name, place, point_at, shared_builds
from stagekit.init.literals import environment_entries
from stagekit.init.moving import Moving
from stagekit.init.nodes import own
from stagekit.inputs.images import variable_of
from stagekit.inputs.merge import Tree
from stagekit.inputs.within import within

_KNOWN = {"context", "dockerfile", "target", "args", "labels", "platforms", "ssh", "secrets"}
_KNOWN |= {"cache_from", "cache_to", "dockerfile_inline", "provenance", "sbom"}
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*://|git@|[a-z0-9.-]+\.[a-z]+/.*\.git")
_INSTEAD = {
    "no_cache": "inv build --force builds whatever is unchanged, too",
    "pull": "inv build --pull asks registries for newer base images",
    "tags": 'tags = ["…"] in [tool.stagekit] of pyproject.toml',
}
"""What a command or setting does instead: nothing is lost."""

_LOST = {
    "additional_contexts": 'depends = ["…"] in the image\'s table, and FROM ${IMAGE_…}; or COPY '
    "from a folder of the context",
    "network": "a build has the builder's own network: fetch by an address that it can reach",
    "extra_hosts": "fetch by a name that the builder can resolve",
}
_NOTHING = "nothing does this here: leave it out, or build that image beside stagekit"


def take_builds(moving: Moving, models: Mapping[str | None, Tree | None]) -> None:
    """Take over what is built.

    Args:
        moving: gets the images, the edits and the findings.
        models: Compose's models by environment, None for what all share.
    """
    shared = models.get(None)
    one = shared_builds(moving)
    alike: dict[str, str] = {}
    for env, model in models.items():
        for service, described in (model or {}).get("services", {}).items():
            build = described.get("build")
            if not build:
                continue
            below = ((shared or {}).get("services", {}).get(service) or {}).get("build")
            if env is not None and below == build:
                continue
            name = image_name(f"{service}-{env}" if env and below else service)
            if name in moving.images or one.get(service, service) in moving.images:
                continue
            _take(moving, service, name, described, env)
            first = alike.setdefault(repr(moving.images.get(name)), name)
            if first != name and name in moving.images:
                moving.say(
                    "note",
                    place(moving, service, env)[0],
                    f"{name} is built just as {first} is",
                    f"image: ${{{variable_of(first)}}} in its place would do with one image",
                )


def _take(
    moving: Moving, service: str, name: str, described: Mapping[str, Any], env: str | None
) -> None:
    where, file, entry = place(moving, service, env)
    build = dict(described["build"])
    context = _context(moving, build, where)
    if context is None:
        return
    table: dict[str, Any] = {} if context == "." else {"context": context}
    root = moving.found.root
    if inline := build.get("dockerfile_inline"):
        table["dockerfile"] = f"Dockerfile.{name}"
        path = str(PurePosixPath(context) / table["dockerfile"])
        _write_inline(moving, path, str(inline).replace("$$", "$"), where)
    else:
        dockerfile = _within(root / context, root, build.get("dockerfile") or "Dockerfile")
        if dockerfile != "Dockerfile":
            table["dockerfile"] = dockerfile
    if target := build.get("target"):
        table["target"] = str(target)
    if labels := {
        key: str(value).replace("$$", "$")
        for key, value in (build.get("labels") or {}).items()
        if not moving.is_secret(key, str(value))
    }:
        table["labels"] = labels
    table |= _args(moving, _all_args(build, entry), where)
    if platforms := build.get("platforms") or [described.get("platform")]:
        table |= {"platforms": platforms} if platforms[0] else {}
    table |= _ways(build, moving, where)
    moving.images[name] = table
    _say_lost(moving, build, where)
    point_at(moving, file, entry, service, name)


def _write_inline(moving: Moving, path: str, text: str, where: str) -> None:
    if moving.is_secret("", text):
        moving.say(
            "lost",
            where,
            "its dockerfile_inline has a secret of .env in it",
            f"write it as {path}, with RUN --mount=type=secret",
        )
        return
    moving.written[path] = text
    moving.say("note", where, f"its dockerfile_inline is {path} now", "keep it with the source")


def _context(moving: Moving, build: Mapping[str, Any], where: str) -> str | None:
    context = str(build.get("context") or ".").replace("$$", "$")
    root = moving.found.root
    path = Path(os.path.normpath(root / moving.found.folder / context))
    if _ELSEWHERE.match(context) or not within(root, path):
        moving.say(
            "lost",
            where,
            f"{context} is not a folder of the project, and a build is made from that alone",
            "copy it into the project, or take it in as a git submodule",
        )
        return None
    if not path.is_dir():
        moving.say(
            "lost", where, f"there is no folder {context}", "make it, and stagekit init again"
        )
        return None
    return os.path.relpath(path, root)


def _within(context: Path, root: Path, dockerfile: str) -> str:
    path = Path(dockerfile)
    return (
        os.path.relpath(path, context) if path.is_absolute() and within(root, path) else str(path)
    )


def _all_args(build: Mapping[str, Any], place: Place | None) -> dict[str, Any]:
    """Return the build arguments, and those without a value, which Compose leaves out."""
    said = own(place[1].value, "args") if place else None
    open_ = (
        [name for name, value, _, _ in environment_entries(said.value) if value is None]
        if (said)
        else []
    )
    return {**dict.fromkeys(open_), **(build.get("args") or {})}


def _args(moving: Moving, args: Mapping[str, Any], where: str) -> dict[str, Any]:
    kept: dict[str, str] = {}
    for name, value in args.items():
        text = None if value is None else str(value).replace("$$", "$")
        if moving.is_secret(name, text):
            moving.say(
                "lost",
                where,
                f"the build argument {name} looks like a secret, and would stay in the image",
                f'secrets.{name.lower()} = {{ env = "{name}" }} in the image\'s table, and '
                f"RUN --mount=type=secret,id={name.lower()}",
            )
        elif text is None:
            moving.say(
                "lost",
                where,
                f"the build argument {name} comes from the shell of whoever builds",
                f'args.{name} = "…" in the image\'s table',
            )
        else:
            kept[name] = text
    return {"args": kept} if kept else {}


def _ways(build: Mapping[str, Any], moving: Moving, where: str) -> dict[str, Any]:
    """Return the settings of how it is built: ssh, caches, secrets, attestations."""
    table: dict[str, Any] = {}
    if ssh := build.get("ssh"):
        pairs = ssh.items() if isinstance(ssh, dict) else ((item, None) for item in ssh)
        table["ssh"] = [f"{key}={value}" if value else str(key) for key, value in pairs]
    cache = {
        "from": list(build.get("cache_from") or ()),
        "to": list(build.get("cache_to") or ()),
    }
    if any(cache.values()):
        table["cache"] = {key: value for key, value in cache.items() if value}
    for key in ("provenance", "sbom"):
        if key in build:
            said = build[key]
            table[key] = {"true": True, "false": False}.get(str(said).lower(), said)
    secrets = {}
    for item in build.get("secrets") or []:
        source = _secret(moving, item["source"])
        if source:
            secrets[item.get("target") or item["source"]] = source
        else:
            moving.say(
                "lost", where, f"the build secret {item['source']}", "secrets.<id> = { env = … }"
            )
    return table | ({"secrets": secrets} if secrets else {})


def _secret(moving: Moving, name: str) -> dict[str, str] | None:
    for file in moving.files:
        for key, node in file.section("secrets"):
            for kind, said in (("file", own(node, "file")), ("env", own(node, "environment"))):
                if key == name and said:
                    value = str(said.value.value)
                    path = os.path.normpath(Path(moving.found.folder) / value)
                    return {kind: path if kind == "file" else value}
    return None


def _say_lost(moving: Moving, build: Mapping[str, Any], where: str) -> None:
    for key in build:
        if key in _INSTEAD:
            moving.say("note", where, f"build.{key} is not taken over", _INSTEAD[key])
        elif key not in _KNOWN:
            moving.say("lost", where, f"build.{key} is not taken over", _LOST.get(key, _NOTHING))
