"""``inv run.unlock``: frees an environment by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from stagekit.cli.app import App
from stagekit.cli.engines import fleet_on
from stagekit.cli.task import ENV, JSON, stage_task

if TYPE_CHECKING:
    from stagekit.inputs.fleet import Host
    from stagekit.protocols import Engine
    from stagekit.records import Holder

Found = TypeVar("Found")

_RELEASES = 20
"""How many releases are looked at that are newer than the one that runs."""


@stage_task(
    name="unlock",
    help={
        "env": ENV,
        "confirm": "the environment's name once more, where nobody can be asked",
        "json": JSON,
    },
    short={"env": "e"},
)
def unlock(app: App, *, env: str = "", confirm: str = "", json: bool = False) -> None:
    """Free an environment whose lock another run holds; that run stops before its next step.

    A lock frees itself soon after the process that holds it ended: this is for one that hangs. Of a
    fleet every host is freed that is reached: of the run in force and of newer releases. Where one
    is not, the exit code is 6.
    """
    from stagekit.envelope import plain
    from stagekit.errors import InputError
    from stagekit.events import Warned
    from stagekit.pipeline.run.fleet.hosts import failure_of

    app.check_environment(env)
    with _places(app, env) as there:
        held = there.held()
        if there.total == len(there.away) == 1:
            raise next(iter(there.away.values()))
        for name, error in there.away.items():
            app.console.emit(Warned(f"{name}: {error}"))
        for name, (holder, seconds) in held.items():
            on = f" on {there.engines[name].url}" if there.total > 1 else ""
            app.console.note(
                f"{env} is held{on} by {holder}; for {seconds:.0f} s more unless it is renewed"
            )
        if held and (confirm or app.console.ask(f"type {env} to free it all the same: ")) != env:
            raise InputError(
                f"{env} stays locked", where="--confirm", hint=f"--confirm {env} frees it"
            )
        broken = there.free(held)
    if there.total == len(there.away):
        raise failure_of(there.away, there.total, "be unlocked")
    where = " where it was reached" if there.away else ""
    if json:
        app.console.data(plain(broken) if broken else None)
    elif held:
        by = broken or "nobody any more"
        app.console.result(f"{env} is free{where}; it was held by {by}")
    else:
        app.console.result(f"nobody holds {env}{where}")
    if there.away:
        raise failure_of(there.away, there.total, "be unlocked")


class _Places:
    """The engines that a run of an environment may hold.

    Attributes:
        engines: those that are reached.
        away: what is wrong with the others, and with those that answer no more, by their names.
    """

    def __init__(self, project: str) -> None:
        self._project = project
        self.engines: dict[str, Engine] = {}
        self.away: dict[str, Exception] = {}

    def held(self) -> dict[str, tuple[Holder, float]]:
        """Return who holds the lock on those where somebody does, and for how many seconds."""
        found = self._of_each(self.engines, lambda engine: engine.lock_holder(self._project))
        return {name: holder for name, holder in found.items() if holder}

    def free(self, names: Iterable[str]) -> Holder | None:
        """Free the lock there, and return one of those who held it."""
        held = {name: self.engines[name] for name in names}
        freed = self._of_each(held, lambda engine: engine.break_lock(self._project))
        return next(filter(None, freed.values()), None)

    @property
    def total(self) -> int:
        return len({*self.engines, *self.away})

    def _of_each(
        self, engines: Mapping[str, Engine], ask: Callable[[Engine], Found]
    ) -> dict[str, Found]:
        from stagekit.errors import EngineError

        found = {}
        for name, engine in engines.items():
            try:
                found[name] = ask(engine)
            except EngineError as error:
                self.away[name] = error
        return found


@contextmanager
def _places(app: App, env: str) -> Iterator[_Places]:
    """Give the engines that a run of an environment may hold, connected."""
    from stagekit.errors import EngineError
    from stagekit.events import ignore
    from stagekit.pipeline.run.fleet.hosts import reach
    from stagekit.records import Deploy, compose_project

    hosts, runners = _where_runs_are(app, env)
    found = _Places(compose_project(app.project.name, env))
    for kind in runners:
        try:
            found.engines[f"the engine of {kind}"] = app.runner(kind).engine_for(app.engine)
        except EngineError as error:
            if not hosts:
                raise
            found.away[f"the engine of {kind}"] = error
    if not hosts:
        yield found
        return
    with fleet_on(app, hosts, Deploy().ssh_sessions) as fleet:
        members = fleet.members(Deploy().engine)
        reached = reach(fleet, members, fleet.base, emit=ignore)
        found.away.update(reached.failed)
        found.engines.update((m.name, m.on.engine) for m in members if m.name in reached.done)
        yield found


def _where_runs_are(app: App, env: str) -> tuple[tuple[Host, ...], tuple[str, ...]]:
    """Return the hosts that a run of an environment may be on, and the runners of those that may be
    on one engine: of the run in force, and of the releases that are newer than what runs."""
    from stagekit.inputs.fleet import Host, hosts_of
    from stagekit.pipeline.history import last_run, readable_releases
    from stagekit.records import Deploy

    last = last_run(app.ledger, env, app.console.emit)
    hosts: list[Host] = []
    runners: list[str] = []
    if last:
        left = (item for item in last.record.left if item.may_run)
        there = (*last.record.hosts, *left)
        hosts = [Host(name=item.name, url=item.url) for item in there]
        runners = [] if hosts else [last.record.runner]
    for stored in islice(readable_releases(app.ledger, env, app.console.emit), _RELEASES):
        deploy = stored.record.deploy
        if last and stored.record.id == last.record.release.id:
            break
        hosts += hosts_of(deploy)
        runners += [] if deploy.hosts else [deploy.engine]
    if not hosts and not runners:
        runners = [Deploy().engine]
    by_url = {host.url: host for host in reversed(hosts)}
    return _named_apart(reversed(by_url.values())), tuple(dict.fromkeys(runners))


def _named_apart(hosts: Iterable[Host]) -> tuple[Host, ...]:
    """Call those that share a name by their addresses."""
    from stagekit.inputs.fleet import Host

    found: dict[str, Host] = {}
    for host in hosts:
        name = host.url if host.name in found else host.name
        found[name] = Host(name=name, url=host.url)
    return tuple(found.values())
