"""Stacks: sealed documents brought up on a Swarm, looked at, and taken down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from secrets import token_hex
from time import monotonic
from typing import Any

from stagekit.cancel import Cancel
from stagekit.containers import CommandAsked, Observation
from stagekit.engine.swarm import kept, objects
from stagekit.engine.swarm.api import Found, Swarm, says_no_majority
from stagekit.engine.swarm.converge import converged
from stagekit.engine.swarm.patience import PATIENCE, answered
from stagekit.engine.swarm.program import DockerProgram
from stagekit.engine.swarm.stack import (
    ONCE,
    definitions_of,
    once_of,
    only,
    stack_of,
    with_dependencies,
)
from stagekit.engine.swarm.takedown import take_down
from stagekit.engine.swarm.tasks import (
    containers_of,
    is_global,
    own_services,
    slots_of,
    wanted_of,
)
from stagekit.errors import EngineError, InputError, RunFailed
from stagekit.process import Result

_RESTART_LIMIT = 600.0
_POLL = 0.3

Tree = dict[str, Any]
Tell = Callable[[str], None]


class Stacks:
    """The stacks of one Swarm.

    Args:
        swarm: its manager.
        program: the docker command, which reaches the same.
    """

    def __init__(self, swarm: Swarm, program: DockerProgram) -> None:
        self.swarm = swarm
        self._program = program

    def up(
        self,
        stack: str,
        document: Tree,
        *,
        given: Mapping[str, str],
        scale: Mapping[str, int],
        timeout: float,
        tell: Tell,
        cancel: Cancel,
    ) -> tuple[str, ...]:
        """Bring up a sealed document, and wait until it runs.

        Args:
            stack: the stack's name.
            document: what fits (`stagekit.engine.swarm.fit`).
            given: what it leaves open.
            scale: numbers of containers other than the document's, by service.
            timeout: seconds that may pass until all run.
            tell: told of each task.
            cancel: stops it.

        Returns:
            The last lines of what went wrong, empty if nothing did.
        """
        made = self._made(stack, document, given, scale)
        wrong = self._deploy(stack, made, given, cancel)
        if wrong:
            return wrong
        answered(lambda: self._remove_others(stack, made["services"]), cancel)
        wrong = converged(
            self.swarm, stack, made["services"], timeout=timeout, tell=tell, cancel=cancel
        )
        if not wrong:
            answered(lambda: kept.keep(self.swarm, stack), cancel)
            for name in answered(lambda: objects.prune(self.swarm, stack), cancel):
                tell(f"removed {name}, which nothing uses")
            answered(lambda: objects.prune_files(self.swarm), cancel)
        return wrong

    def up_dependencies(
        self,
        stack: str,
        document: Tree,
        service: str,
        *,
        given: Mapping[str, str],
        timeout: float,
        tell: Tell,
        cancel: Cancel,
    ) -> tuple[str, ...]:
        """Bring up what a service depends on, and nothing else; as `up`."""
        needed = with_dependencies(document, service)
        if not needed:
            return ()
        made = only(self._made(stack, document, given, {}), needed)
        return self._deploy(stack, made, given, cancel) or converged(
            self.swarm, stack, needed, timeout=timeout, tell=tell, cancel=cancel
        )

    def begin_once(
        self,
        stack: str,
        document: Tree,
        asked: CommandAsked,
        *,
        labels: Mapping[str, str],
        given: Mapping[str, str],
        cancel: Cancel,
    ) -> str:
        """Have a service of its own run a command once; return its id. Where this ends in any other
        way, there is no such service: a manager may have made one that was not waited for.

        Args:
            stack: the stack's name.
            document: a sealed one.
            asked: the command, and of which service its container is.
            labels: of the new service.
            given: what the document leaves open.
            cancel: stops it.

        Raises:
            RunFailed: the manager does not take it.
        """
        called = f"{asked.service[:_NAME]}-once-{token_hex(3)}"
        changes: Tree = {"tty": False, "stdin_open": False}
        if asked.user:
            changes["user"] = asked.user
        if asked.workdir:
            changes["working_dir"] = asked.workdir
        made = once_of(
            self._made(stack, document, given, {}),
            asked.service,
            called,
            command=asked.command,
            changes=changes,
            labels=dict(labels),
        )
        try:
            return self._begun(stack, called, made, given, cancel)
        except BaseException:
            with suppress(EngineError):
                answered(lambda: self.remove_once(stack, ONCE, called.__eq__), Cancel())
            raise

    def remove_once(
        self, stack: str, label: str, left: Callable[[str], bool] = lambda _: True
    ) -> None:
        """Remove the services that run one command and have a label; of those, the ones that were
        ``left`` behind by what its text names."""
        for found in self.swarm.services(stack):
            said = (found["Spec"].get("Labels") or {}).get(label)
            if said is not None and left(said):
                self.swarm.remove("services", found["ID"])

    def definitions(self, stack: str, document: Tree, given: Mapping[str, str]) -> dict[str, str]:
        """Return the digest of each service's definition, as `up` writes it on its containers."""
        key = kept.key_of(self.swarm, stack)
        held = objects.held_of(document, stack=stack, given=given, key=key)
        return definitions_of(document, held=held, given=given, key=key)

    def observe(self, stack: str) -> Observation:
        """Return what runs of a stack, on whichever node."""
        if not self.swarm.has_answered:
            return self._observed(stack)  # a manager that has no others says so at once
        return answered(lambda: self._observed(stack), Cancel())

    def _observed(self, stack: str) -> Observation:
        services, tasks = self.swarm.services(stack), self.swarm.tasks(stack)
        changed = kept.changed(self.swarm, stack, services)
        found = containers_of(services, tasks, self.swarm.nodes(), stack, changed=changed)
        return Observation(
            containers=tuple(found),
            numbers={
                name: wanted_of(service, _of(service, tasks))
                for name, service in own_services(services, stack).items()
                if is_global(service)
            },
        )

    def services(self, stack: str) -> list[str]:
        """Return the services that there are of a stack, as the release calls them."""
        return sorted(own_services(self.swarm.services(stack), stack))

    def task_of(self, stack: str, service: str, index: int | None) -> Found:
        """Return a task of a service that runs: that of a number, or one on the manager's own node
        if there is one, else any.

        Raises:
            InputError: there is none.
        """
        there = own_services(self.swarm.services(stack), stack).get(service)
        tasks = _of(there, self.swarm.tasks(stack)) if there else []
        slots = slots_of(service, there, tasks) if there else []
        running = [slot.task for slot in slots if slot.state == "running"]
        if index is not None:
            running = [task for task in running if task.get("Slot") == index]
        if not running:
            which = f"{service}.{index}" if index is not None else service
            raise InputError(
                f"no container of {which} runs", where=stack, hint="inv run.status shows what does"
            )
        here = self.swarm.node_here()
        return min(running, key=lambda task: task.get("NodeID") != here)

    def restart(
        self, stack: str, services: Sequence[str], *, tell: Tell, cancel: Cancel
    ) -> tuple[str, ...]:
        """Put others in the place of containers, as their services say it (``update_config``): all,
        or those of ``services``. Return what `up` does."""
        own = own_services(self.swarm.services(stack), stack)
        chosen = [name for name in own if name in services or not services]
        for name in chosen:
            spec = own[name]["Spec"]
            template = dict(spec["TaskTemplate"])
            template["ForceUpdate"] = template.get("ForceUpdate", 0) + 1
            self.swarm.update_service(own[name], {**spec, "TaskTemplate": template})
        return converged(
            self.swarm, stack, chosen, timeout=_RESTART_LIMIT, tell=tell, cancel=cancel
        )

    def down(self, stack: str, *, tell: Tell, cancel: Cancel) -> None:
        """Remove a stack, and wait until its containers are gone. Volumes stay.

        Raises:
            RunFailed: they are not, in time.
        """
        take_down(self.swarm, self._program, stack, tell=tell, cancel=cancel)

    def _made(
        self, stack: str, document: Tree, given: Mapping[str, str], scale: Mapping[str, int]
    ) -> Tree:
        """Hold what a document has of configs and secrets, and write it as a stack file."""
        key = kept.key_of(self.swarm, stack)
        held = objects.held_of(document, stack=stack, given=given, key=key)
        objects.hold(self.swarm, stack, held)
        files = objects.placed(self.swarm)
        return stack_of(document, held=held, files=files, given=given, key=key, scale=scale)

    def _begun(
        self, stack: str, service: str, made: Tree, given: Mapping[str, str], cancel: Cancel
    ) -> str:
        name = f"{stack}_{service}"
        if wrong := self._deploy(stack, made, given, cancel):
            raise RunFailed(f"the Swarm does not run it: {wrong[-1]}", where=name, output=wrong)
        for found in answered(lambda: self.swarm.services(stack), cancel):
            if found["Spec"]["Name"] == name:
                return str(found["ID"])
        raise RunFailed("the Swarm has no service for it", where=name)

    def _deploy(
        self, stack: str, made: Tree, given: Mapping[str, str], cancel: Cancel
    ) -> tuple[str, ...]:
        def deploy() -> Result:
            return self._program.deploy(stack, made, given=given, cancel=cancel)

        until, result = monotonic() + PATIENCE, deploy()
        while says_no_majority(result.stderr) and monotonic() < until:
            cancel.wait(_POLL)
            cancel.check()
            result = deploy()
        if result.ok:
            return ()
        return result.tail() or (f"docker stack deploy ended with {result.code} and no word",)

    def _remove_others(self, stack: str, services: Collection[str]) -> None:
        """Remove the services that are none of the release's; ``docker stack deploy --prune`` would
        remove those that run a person's command as well."""
        for name, found in own_services(self.swarm.services(stack), stack).items():
            if name not in services:
                self.swarm.remove("services", found["ID"])


_NAME = 30
"""Characters of a service's name that stand in that of its command's: Swarm takes 63 in all."""


def _of(service: Found, tasks: Sequence[Found]) -> list[Found]:
    return [task for task in tasks if task["ServiceID"] == service["ID"]]
