"""What ``[stagekit]`` of an environment says of running a release, completed and checked once the
release's services and variables are known."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from msgspec.structs import replace

from stagekit.errors import InputError
from stagekit.inputs.interpolation import filled, unfilled
from stagekit.inputs.near import known_names
from stagekit.inputs.placeholders import TEMPLATE_PREFIX
from stagekit.records import Deploy, HttpCheck

_NEVER = re.compile(r"[\x00-\x20\x7f]|\$\{")
"""What no address has; nor the start of a variable that was not one."""


def completed(
    deploy: Deploy, *, env: str, services: Collection[str], variables: Mapping[str, str]
) -> Deploy:
    """Return how a release is run, the addresses of its checks filled in.

    Args:
        deploy: as the settings have it.
        env: the environment's name.
        services: the release's.
        variables: what ``${NAME}`` in an address may be, as in a template.

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
    check: HttpCheck, services: Collection[str], variables: Mapping[str, str], where: str
) -> HttpCheck:
    here = check.asked_from == "here"
    if not here:
        _check_service(check.asked_from, services, f"{where} from")
    for name in unfilled(check.url, variables):
        raise InputError(
            f"${{{name}}} has no value",
            where=f"{where} url",
            hint="a release has its addresses in clear: no secret can stand in one"
            if name.startswith(TEMPLATE_PREFIX)
            else known_names(name, variables),
        )
    url = filled(check.url, variables)
    if wrong := _wrong(url, here=here):
        raise InputError(
            f"{url!r} is no address: {wrong}",
            where=f"{where} url",
            hint='write it like url = "http://localhost:${PORT}/health": what ${NAME} may be are '
            "the variables that are neither tables nor arrays",
        )
    return replace(check, url=url)


def _wrong(url: str, *, here: bool) -> str | None:
    """Say why a page could never be asked for at an address."""
    if found := _NEVER.search(url):
        return f"{found[0]!r} stands in it"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https"):
        return "it does not start with http:// or https://"
    if not parts.hostname:
        return "it names no host"
    if port == 0:
        return "nothing listens on port 0"
    return "no user can be named where it is asked from here" if here and parts.username else None


def _check_service(name: str, services: Collection[str], where: str) -> None:
    if name not in services:
        raise InputError(
            f"there is no service {name!r}", where=where, hint=known_names(name, services)
        )
