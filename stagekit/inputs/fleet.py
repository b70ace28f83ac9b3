"""The hosts of a fleet, as ``[stagekit]`` names them, and which services run on which. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from math import ceil
from urllib.parse import urlsplit

from stagekit.errors import InputError
from stagekit.inputs.merge import Tree
from stagekit.inputs.near import known_names
from stagekit.records import Deploy, Part

_SCHEMES = ("ssh", "tcp", "unix", "context")
_SHARE = re.compile(r"(100|[1-9]\d?)%")
_NAME = re.compile(r"[A-Za-z0-9/\[][A-Za-z0-9.:_/%\[\]-]*")
_SHARED = ("network_mode", "ipc", "pid")
_DAY = 86_400
_FEWEST, _MOST = 6, 100
"""Sessions: four pulls side by side, the lock's renewal, and one to spare."""


class Host(Part, frozen=True):
    """One host of a fleet: what it is called, and where its engine is reached."""

    name: str
    url: str

    @property
    def address(self) -> str:
        """What the ports that it publishes are reached at from elsewhere."""
        if self.url.startswith(("ssh://", "tcp://")):
            return urlsplit(self.url).hostname or self.name
        return "localhost"


def hosts_of(deploy: Deploy) -> tuple[Host, ...]:
    """Return the hosts of a fleet in the order of their settings; none where one engine runs it."""
    if isinstance(deploy.hosts, dict):
        return tuple(Host(name=name, url=url) for name, url in deploy.hosts.items())
    return tuple(Host(name=_called(url), url=url) for url in deploy.hosts)


def services_on(host: Host, services: Iterable[str], deploy: Deploy) -> tuple[str, ...]:
    """Return those of a release's services that run on a host."""
    return tuple(
        name
        for name in services
        if name not in deploy.roles or {host.name, host.url} & set(deploy.roles[name])
    )


def size_of(batch: int | str, total: int) -> int:
    """Return how many of ``total`` hosts a batch has: at least one; shares are rounded up."""
    if isinstance(batch, str):
        return max(1, ceil(total * int(batch.removesuffix("%")) / 100))
    return batch


def check_fleet(deploy: Deploy, where: str) -> None:
    """Refuse hosts, roles and batches that cannot be meant.

    Raises:
        InputError: says which.
    """
    hosts = hosts_of(deploy)
    for host in hosts:
        _check_host(host, f"{where} hosts")
    if hosts and deploy.engine != "compose":
        raise InputError(
            f"a fleet is run by Compose, and not by {deploy.engine}",
            where=f"{where} hosts",
            hint="leave out engine, or hosts",
        )
    names = [host.name for host in hosts]
    if again := {name for name in names if names.count(name) > 1}:
        raise InputError(
            f"two hosts are called {min(again)}",
            where=f"{where} hosts",
            hint='give them names: [stagekit.hosts] a = "ssh://deploy@a", b = "ssh://deploy@b"',
        )
    _check_numbers(deploy, where)
    known = {*names, *(host.url for host in hosts)}
    for service, places in deploy.roles.items():
        for place in places:
            if place not in known:
                raise InputError(
                    f"{service} is to run on {place!r}, which is no host of the fleet",
                    where=f"{where} roles",
                    hint=known_names(place, names),
                )
        if not places:
            raise InputError(
                f"{service} is to run on no host",
                where=f"{where} roles",
                hint="leave it out of roles to run it on all, or out of the template",
            )


def check_roles(deploy: Deploy, document: Tree, where: str) -> None:
    """Refuse roles that a document's services cannot be in.

    Raises:
        InputError: there is no such service, or two that share a container's network or volumes
            would be on different hosts.
    """
    services: Mapping[str, Tree] = document["services"]
    for name in deploy.roles:
        if name not in services:
            raise InputError(
                f"there is no service {name!r}",
                where=f"{where} roles",
                hint=known_names(name, services),
            )
    for host in hosts_of(deploy):
        here = services_on(host, services, deploy)
        for name in here:
            if apart := next(
                (other for other in _bound_to(services[name]) if other not in here), ""
            ):
                raise InputError(
                    f"{name} lives in the containers of {apart}, which do not run on {host.name}",
                    where=f"{where} roles",
                    hint=f"give {name} and {apart} the same hosts",
                )


def _bound_to(service: Tree) -> Collection[str]:
    """Return the services in whose containers a service's own live."""
    found = [
        str(service.get(key) or "").removeprefix("service:")
        for key in _SHARED
        if str(service.get(key) or "").startswith("service:")
    ]
    mounted = (str(text).partition(":")[0] for text in service.get("volumes_from") or [])
    return (*found, *(name for name in mounted if name != "container"))


def _called(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    return parts.netloc.rpartition("@")[2] or url


def _check_host(host: Host, where: str) -> None:
    parts = urlsplit(host.url)
    wrong = ""
    if parts.scheme not in _SCHEMES:
        wrong = "is reached in no way that is known"
    elif parts.password is not None:
        wrong = "has a password in it, which would stand in every record"
    elif parts.scheme == "unix" and not parts.path.startswith("/"):
        wrong = "names no socket"
    elif parts.scheme != "unix" and (parts.hostname or "-").startswith("-"):
        wrong = "names no host"
    elif not _NAME.fullmatch(host.name):
        wrong = f"has a name that is none: {host.name!r}"
    if wrong:
        shown = host.url if parts.password is None else f"{parts.scheme}://…@{parts.hostname}"
        raise InputError(
            f"the host {shown!r} {wrong}",
            where=where,
            hint="ssh://deploy@a.example.com, tcp://a.example.com:2376, unix:///path or "
            "context://name",
        )


def _check_numbers(deploy: Deploy, where: str) -> None:
    batch = deploy.batch
    if not (batch >= 1 if isinstance(batch, int) else _SHARE.fullmatch(batch)):
        raise InputError(
            f"batch is {batch!r}", where=where, hint='a number of hosts, or a share: batch = "25%"'
        )
    for name, fits, range in (
        ("canary", deploy.canary >= 0, "at least 0"),
        ("canary_pause", 0 <= deploy.canary_pause <= _DAY, f"0 to {_DAY} seconds"),
        ("ssh_sessions", _FEWEST <= deploy.ssh_sessions <= _MOST, f"{_FEWEST} to {_MOST}"),
    ):
        if not fits:
            raise InputError(f"{name} must be {range}", where=where)
    if not deploy.hosts and (deploy.roles or deploy.canary):
        raise InputError(
            "roles and canary are of a fleet, and there are no hosts",
            where=where,
            hint='hosts = ["ssh://deploy@a", "ssh://deploy@b"]',
        )
