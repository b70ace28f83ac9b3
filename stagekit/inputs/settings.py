"""``[stagekit]`` of an environment: how a release to it is made, and how it is run."""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from stagekit.errors import InputError
from stagekit.inputs.fleet import check_fleet
from stagekit.inputs.merge import Merged
from stagekit.inputs.near import known_names
from stagekit.records import HOOK_MOMENTS, Deploy, Part

_HOUR, _DAY = 3_600, 86_400
_SHORTEST_LEASE = 5
_STATUS = range(100, 600)
_Settings = TypeVar("_Settings", bound=Part)


class Policy(Part, frozen=True):
    """How releases to an environment are made. None of it travels in them.

    Attributes:
        id: how they are named: ``counter`` (v1, v2, …), ``timestamp``, ``ci``, or a plugin's.
        auto_build: build where no build of the checked-out source is there, instead of saying so.
        pin: ``require`` refuses an image that is known by no digest.
        protected: sets the next four, each of which can be set by itself.
        require_clean: only a build of a commit, without changes on top.
        require_pushed: only a build of a commit that the remote has.
        require_ci: only a build made on a CI.
        confirm: the environment's name has to be typed, but for on a CI.
    """

    id: str = "counter"
    auto_build: bool = False
    pin: Literal["auto", "require"] = "auto"
    protected: bool = False
    require_clean: bool | None = None
    require_pushed: bool | None = None
    require_ci: bool = False
    confirm: bool | None = None

    def wants(self, setting: Literal["require_clean", "require_pushed", "confirm"]) -> bool:
        """Tell whether a setting holds, said by itself or by ``protected``."""
        said: bool | None = getattr(self, setting)
        return self.protected if said is None else said


def read_settings(settings: Merged) -> tuple[Deploy, Policy]:
    """Read the merged ``[stagekit]`` tables.

    Raises:
        InputError: a setting is unknown or cannot be meant; says which, and where it stands.
    """
    _check_names(settings)
    deploy, policy = _read(settings, Deploy), _read(settings, Policy)
    for name, fits, range in (
        ("timeout", 0 < deploy.timeout <= _DAY, f"over 0 and at most {_DAY}"),
        ("settle", 0 <= deploy.settle <= _HOUR, f"at least 0 and at most {_HOUR}"),
        ("lease", _SHORTEST_LEASE <= deploy.lease <= _HOUR, f"{_SHORTEST_LEASE} to {_HOUR}"),
    ):
        if not fits:
            raise InputError(f"{name} must be {range} seconds", where=_where(settings, name))
    if deploy.free_disk < 0:
        raise InputError("free_disk is 0 or more MiB", where=_where(settings, "free_disk"))
    _check_steps(settings, deploy)
    of_fleet = (name for name in ("hosts", "roles", "canary") if name in settings.values)
    check_fleet(deploy, _where(settings, next(of_fleet, "hosts")))
    if policy.protected and deploy.source_mounts:
        raise InputError(
            "a protected environment mounts no source",
            where=_where(settings, "source_mounts"),
            hint="leave out source_mounts, and COPY the source into the image",
        )
    return deploy, policy


def _check_steps(settings: Merged, deploy: Deploy) -> None:
    """Check what is run and asked on the way."""
    command = deploy.release_command
    if command and (not command.command or not 0 < command.timeout <= _DAY):
        raise InputError(
            "a release command has words, and a timeout of over 0 seconds",
            where=f"{_where(settings, 'release_command')}.release_command",
            hint='service = "web" and command = ["python", "migrate.py"]',
        )
    for check in deploy.checks:
        if not 0 <= check.deadline <= _DAY:
            raise InputError(
                f"deadline must be at least 0 and at most {_DAY} seconds",
                where=f"{_where(settings, 'checks')}.checks",
            )
        if check.status not in _STATUS:
            raise InputError(
                f"{check.status} is no HTTP status", where=f"{_where(settings, 'checks')}.checks"
            )
    for moment, argv in deploy.hooks.items():
        if moment not in HOOK_MOMENTS:
            raise InputError(
                f"there is no moment {moment!r} for a hook",
                where=f"{_where(settings, 'hooks')}.hooks",
                hint=known_names(moment, HOOK_MOMENTS),
            )
        if not argv:
            raise InputError(
                f"the hook {moment} has no words", where=f"{_where(settings, 'hooks')}.hooks"
            )


def _names(kind: type[Part]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(kind)]


def _check_names(settings: Merged) -> None:
    known = [*_names(Deploy), *_names(Policy)]
    for name in settings.values:
        if name not in known:
            raise InputError(
                f"unknown setting {name!r}",
                where=_where(settings, name),
                hint=known_names(name, known),
            )


def _read(settings: Merged, kind: type[_Settings]) -> _Settings:
    given = {name: settings.values[name] for name in _names(kind) if name in settings.values}
    for name, value in given.items():
        try:
            msgspec.convert({name: value}, kind)
        except msgspec.ValidationError as error:
            what = str(error).partition(" - at")[0]
            raise InputError(f"{name}: {what}", where=_where(settings, name)) from error
    return msgspec.convert(given, kind)


def _where(settings: Merged, name: str) -> str:
    at = next((at for key, at in settings.origins.items() if key[0] == name), "config.toml")
    return f"{at} [stagekit]"
