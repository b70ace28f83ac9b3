"""What ``[stagekit]`` of an environment says of running a release, completed and checked once the
release's services and variables are known."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from stagekit.errors import InputError
from stagekit.inputs.interpolation import START
from stagekit.inputs.near import known_names
from stagekit.inputs.quoting import plain_text
from stagekit.records import Deploy, HttpCheck


def completed(
    deploy: Deploy, *, env: str, services: Collection[str], variables: Mapping[str, Any]
) -> Deploy:
    """Return how a release is run, the addresses of its checks filled in.

    Args:
        deploy: as the settings have it.
        env: the environment's name.
        services: the release's.
        variables: what ``${NAME}`` in an address may be.

    Raises:
        InputError: a service that is named is none of the release's, a variable has no value, or
            an address is none.
    """
    where = f"environments/{env}/config.toml"
    if deploy.release_command:
        _check_service(
            deploy.release_command.service, services, f"{where} [stagekit.release_command] service"
        )
    return replace(
        deploy,
        checks=tuple(
            _completed(check, services, variables, f"{where} [[stagekit.checks]]")
            for check in deploy.checks
        ),
    )


def _completed(
    check: HttpCheck, services: Collection[str], variables: Mapping[str, Any], where: str
) -> HttpCheck:
    if check.asked_from != "here":
        _check_service(check.asked_from, services, f"{where} from")

    def value(found: re.Match[str]) -> str:
        name = found["plain"] or found["braced"]
        if found["escaped"]:
            return "$"
        if name not in variables:
            raise InputError(
                f"${{{name}}} has no value", where=f"{where} url", hint=known_names(name, variables)
            )
        return plain_text(variables[name])

    url = re.sub(START.pattern.replace("[:}?+-]", "[}]"), value, check.url, flags=re.ASCII)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"{url!r} is no address",
            where=f"{where} url",
            hint='write it like url = "http://localhost:8000/health"',
        )
    return replace(check, url=url)


def _check_service(name: str, services: Collection[str], where: str) -> None:
    if name not in services:
        raise InputError(
            f"there is no service {name!r}", where=where, hint=known_names(name, services)
        )
