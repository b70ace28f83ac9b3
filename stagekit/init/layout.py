"""The files of a repository that stagekit works in, as text."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stagekit import toml
from stagekit.errors import InputError
from stagekit.init.found import DEV, PROD
from stagekit.init.moving import Moving
from stagekit.inputs.names import ARTIFACTS, ENVIRONMENTS, NAME, NOT_SOURCE

SETTINGS, TASKS, IGNORED = "pyproject.toml", "tasks.py", ".gitignore"
TEMPLATE = "templates/compose.yaml"

_TASKS = '''"""What `inv` can do here: stagekit's tasks, and yours beside them."""

import stagekit

ns = stagekit.collection()
'''
_STARTER = """\
# The first thing that runs; put your application in its place.
FROM busybox:1
EXPOSE 8080
# As the first process of a container, busybox does not listen to SIGTERM.
STOPSIGNAL SIGKILL
CMD ["sh", "-c", "mkdir -p /www && echo hello > /www/index.html && exec httpd -f -p 8080 -h /www"]
"""
_LEFT_OUT = """\
# What the image is not made from: a change of it builds nothing.
"""
_EXPOSED = re.compile(r"^\s*EXPOSE\s+(\d+)", re.IGNORECASE | re.MULTILINE)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def settings(before: str, name: str, images: Mapping[str, Any], templates: Sequence[str]) -> str:
    """Return pyproject.toml with ``[tool.stagekit]`` at its end; what stands there stays.

    Raises:
        InputError: it is not TOML, or nothing can be added to it.
    """
    try:
        document = toml.loads(before)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            str(error), where=SETTINGS, hint="mend it, and stagekit init again"
        ) from error
    if "stagekit" in document.get("tool", {}):
        return before
    tables: list[tuple[str, Mapping[str, Any]]] = [("tool.stagekit", {"name": name})]
    if list(templates) not in ([TEMPLATE], []):
        tables = [("tool.stagekit", {"name": name, "template": list(templates)})]
    tables += [(f"tool.stagekit.images.{image}", table) for image, table in images.items()]
    added = "\n".join(f"[{head}]\n{_lines(table)}" for head, table in tables)
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    whole = before + gap + added
    try:
        toml.loads(whole)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"[tool.stagekit] cannot be added: {error}",
            where=SETTINGS,
            hint="write [tool] as a table of its own, not in one line",
        ) from error
    return whole


def ignored(before: str) -> str:
    """Return .gitignore with a line for what stagekit writes."""
    wanted = f"/{ARTIFACTS}/"
    if {wanted, f"{ARTIFACTS}/", f"/{ARTIFACTS}", ARTIFACTS} & set(before.split()):
        return before
    gap = "" if not before or before.endswith("\n") else "\n"
    return f"{before}{gap}{wanted}\n"


def tasks() -> str:
    return _TASKS


def environments(moving: Moving, profiles: Sequence[str]) -> dict[str, str]:
    """Return each environment's config.toml, by path.

    Args:
        moving: has their variables.
        profiles: those that ``.env`` said are active: dev's.
    """
    dev = moving.variables.get(DEV, {})
    files = {
        f"{ENVIRONMENTS}/base/config.toml": (
            "# Under every environment: what they have in common.\n\n[vars]\n"
            + _lines(moving.variables.get("base", {}))
        )
    }
    for env, variables in moving.by_env():
        deploy: dict[str, Any] = {}
        if env == DEV and moving.mounted:
            deploy["source_mounts"] = True
        if env == DEV and profiles:
            deploy["profiles"] = list(profiles)
        shown = {name: _typed(value) for name, value in variables.items()}
        lines = [_lines(shown)] if shown else []
        if env == DEV:
            lines += [f'# {name} = ""  # {why}\n' for name, why in moving.needed.items()]
        else:
            wanted = [*(dev.keys() - variables.keys()), *moving.needed.keys() - variables.keys()]
            head = ["# What the template asks for, and dev alone has so far:\n"] if wanted else []
            lines += head + [f'# {name} = ""\n' for name in sorted(wanted)]
        text = f"# {env}: over {ENVIRONMENTS}/base.\n\n"
        if deploy or env == PROD:
            text += f"[stagekit]\n{_lines(deploy)}"
            text += "# protected = true  # only clean, pushed commits\n" if env == PROD else ""
            text += "\n"
        files[f"{ENVIRONMENTS}/{env}/config.toml"] = f"{text}[vars]\n{''.join(lines)}"
    return files


def starter(root: Path, name: str) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Return what a repository without a Compose file begins with: images, files, and the
    variables of base.

    One image for each folder with a Dockerfile: the root alone, or those right below it.
    """
    folders = ["."] if (root / "Dockerfile").is_file() else _folders(root)
    files = {} if folders else {"Dockerfile": _STARTER}
    if (not folders or folders == ["."]) and not _has_ignore(root):
        files[".dockerignore"] = _left_out(root)
    images, services = {}, []
    for folder in folders or ["."]:
        image = image_of(folder, name)
        images[image] = {} if folder == "." else {"context": folder}
        dockerfile = root / folder / "Dockerfile"
        text = dockerfile.read_text("utf-8", "replace") if folders else _STARTER
        services.append(_service(image, _EXPOSED.search(text)))
    files[TEMPLATE] = "services:\n" + "".join(services)
    ports = [found[1] for service in services if (found := re.search(r":(\d+)\"\]", service))]
    variables = {"PUBLISH": f"127.0.0.1:{ports[0]}"} if len(ports) == 1 else {}
    if not variables:
        files[TEMPLATE] = re.sub(r"    ports: .*\n", "", files[TEMPLATE])
    return images, files, variables


def _has_ignore(root: Path) -> bool:
    return any((root / f"{name}.dockerignore").is_file() for name in ("", "Dockerfile"))


def _left_out(root: Path) -> str:
    """Return a .dockerignore. Of git's folder, each commit would make another image."""
    dockerfile = root / "Dockerfile"
    built_from = dockerfile.read_text("utf-8", "replace") if dockerfile.is_file() else ""
    git = [] if "git" in built_from.replace(".gitignore", "") else [".git"]
    ours = [] if (root / TASKS).is_file() else [TASKS]
    return _LEFT_OUT + "".join(f"{name}\n" for name in (*git, ".venv", "**/__pycache__", *ours))


def image_of(folder: str, name: str) -> str:
    """Name the image that a folder's Dockerfile makes."""
    given = name if folder == "." else re.sub(r"[^a-z0-9_-]+", "-", folder.lower()).strip("-_")
    return given if NAME.fullmatch(given) else "app"


def _folders(root: Path) -> list[str]:
    found = (path.parent.name for path in sorted(root.glob("*/Dockerfile")) if path.is_file())
    return [name for name in found if name not in NOT_SOURCE and not name.startswith(".")]


def _service(image: str, exposed: re.Match[str] | None) -> str:
    variable = f"IMAGE_{image.upper().replace('-', '_')}"
    text = f"  {image}:\n    image: ${{{variable}}}\n"
    return text + (f'    ports: ["${{PUBLISH}}:{exposed[1]}"]\n' if exposed else "")


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in values.items())


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {_value(item)}' for key, item in value.items())} }}"
    if isinstance(value, list | tuple):
        return _list([_value(item) for item in value])
    return _text(str(value))


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _text(text: str) -> str:
    """Write a string as TOML has it: as JSON does, but for what JSON leaves or writes in halves."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _typed(text: str) -> str | int | bool:
    """Read a text as the number or boolean that a template would write just so."""
    if text in ("true", "false"):
        return text == "true"
    plain = text.isascii() and text.isdigit() and len(text) < 16  # noqa: PLR2004
    return int(text) if plain and str(int(text)) == text else text
