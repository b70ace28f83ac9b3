"""How a release is run: what ``[stagekit]`` of its environment said, sealed with it."""

from __future__ import annotations

import msgspec

from stagekit.records.parts import Part

RUN_STEPS = ("pull", "place", "command", "up", "settle", "ask", "prove")
"""The steps of a run that hooks can stand before and after, in their order."""

HOOK_MOMENTS = (
    "before_run",
    *(f"{when}_{step}" for step in RUN_STEPS for when in ("before", "after")),
    "after_run",
    "on_failure",
)


class ReleaseCommand(Part, frozen=True, forbid_unknown_fields=True):
    """A command of a release that is run before anything is replaced, such as a migration.

    Attributes:
        service: in a container of which of its services.
        command: its words.
        timeout: seconds it may take.
    """

    service: str
    command: tuple[str, ...]
    timeout: float = 600.0


class HttpCheck(Part, frozen=True, forbid_unknown_fields=True):
    """A page that has to answer before a run is well.

    Attributes:
        url: what is asked for, ``http://`` or ``https://``.
        status: what has to be answered.
        body: text that the answer must contain.
        deadline: seconds until which it has to.
        asked_from: ``here``, or the service in one of whose containers it is asked (``from``).
    """

    url: str
    status: int = 200
    body: str = ""
    deadline: float = 30.0
    asked_from: str = msgspec.field(name="from", default="here")


class Deploy(Part, frozen=True):
    """How a release is run, sealed with it.

    Attributes:
        engine: names the runner: ``compose``, ``swarm``, or a plugin's.
        timeout: seconds its services may take to come up.
        settle: seconds they must then hold.
        secret_provider: asked for its secrets: ``age``, ``sops``, ``env``, or a plugin's. ``auto``
            is the one whose file the environment has; a release names the one that it was.
        profiles: Compose's, whose services it has.
        source_mounts: lets containers mount the source: such a release runs only beside it.
        rollback_on_failure: what runs after a run that failed is the last release that ran well.
            Unless it is said: on, but for an environment ``dev`` and for mounted sources.
        free_disk: MiB that must be free on the engine's disk, where that can be seen.
        lease: seconds after which the environment's lock of a process that died is free.
        verify_signatures: a run asks for the signature of the release, and for those of the
            project's own images in it, before it touches anything.
        release_command: run before anything is replaced.
        checks: pages that have to answer before it is well.
        hooks: commands by moment (``before_up``, ``after_run``, ``on_failure``), run beside
            stagekit with the facts in their environment.
        hosts: of a fleet: addresses (``ssh://deploy@a``, ``tcp://a:2376``, ``unix:///path``,
            ``context://name``), or addresses by name.
        roles: on which of its hosts a service runs, by service; one that is not named runs on all.
        batch: how many hosts are switched at a time: a number, or a share (``25%``).
        canary: how many are switched before all others; 0 for none.
        canary_pause: seconds that those must hold before the others follow.
        ssh_sessions: how much is asked at a time over the one connection to a host.
    """

    engine: str = "compose"
    timeout: float = 120.0
    settle: float = 2.0
    secret_provider: str = "auto"  # noqa: S105  # a provider's name
    profiles: tuple[str, ...] = ()
    source_mounts: bool = False
    rollback_on_failure: bool | None = None
    free_disk: int = 256
    lease: float = 60.0
    verify_signatures: bool = False
    release_command: ReleaseCommand | None = None
    checks: tuple[HttpCheck, ...] = ()
    hooks: dict[str, tuple[str, ...]] = {}
    hosts: tuple[str, ...] | dict[str, str] = ()
    roles: dict[str, tuple[str, ...]] = {}
    batch: int | str = 1
    canary: int = 0
    canary_pause: float = 0.0
    ssh_sessions: int = 8

    def rolls_back(self, env: str) -> bool:
        """Tell whether a run to ``env`` that fails goes back by itself."""
        if self.rollback_on_failure is None:
            return env != "dev" and not self.source_mounts
        return self.rollback_on_failure
