"""Everything that can go wrong, as one tree. The command line prints these and nothing else.

    StagekitError            1   what happened, where, and what to type next
    ├── InputError           2   a setting, name, template or argument is wrong
    │   ├── NoBuild          2   there is no build to release
    │   ├── NameClash        2   two tasks of one name, or an override of none
    │   └── PluginFailed     2   a plugin raised something, or cannot be loaded
    ├── BuildFailed          3   an image did not build, or could not be pushed
    ├── ReleaseFailed        4   the release could not be sealed
    ├── RunFailed            5   what came up is not what was released, or did not come up
    │   ├── NotProven        5   inspection said so; with what is known of each container
    │   ├── RolledBack       8   a run failed, and the release before runs again
    │   ├── LeaseLost        5   another run has taken the environment meanwhile
    │   └── Busy             9   another run holds the environment
    ├── EngineError          6   no engine answers, or it answers wrongly
    │   ├── NoEngine         6   nobody named an engine, and none answers
    │   ├── EngineRefused    6   an engine answers: no
    │   ├── RegistryError    6   a registry refused, or does not answer
    │   └── LimitExceeded    6   a program took too long, said nothing, or printed too much
    ├── LedgerError          7   a record is damaged, edited, or cannot be written
    │   └── LedgerAway       7   the shared ledger does not answer
    ├── DiskRefused          7   the system refused a file: full, read-only, or broken
    ├── Bug                 70   a fault of stagekit's own
    └── Cancelled          130   stopped by SIGINT or SIGTERM

The number is the exit code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stagekit.records import ContainerFailure


class StagekitError(Exception):
    """An error a user can act on.

    Args:
        what: what happened, in one sentence without a full stop.
        where: the file, key, service or host it happened at, e.g. ``templates/compose.yaml:12``.
        hint: what to do next, a command where one helps.
        output: last lines of a program or container that say why.
    """

    exit_code = 1
    transient = False
    """Whether the same may go well a little later."""

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        output: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.output = output

    def reword(self, change: Callable[[str], str]) -> None:
        """Change every text of it, to take secrets out."""
        self.what = change(self.what)
        self.args = (self.what,)
        self.where = change(self.where) if self.where else None
        self.hint = change(self.hint) if self.hint else None
        self.output = tuple(map(change, self.output))

    @property
    def in_a_line(self) -> str:
        """What happened, where, and the last line that a program said of it."""
        return f"{self}: {self.output[-1]}" if self.output else str(self)

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class InputError(StagekitError):
    """What was typed or written is wrong: a setting, a name, a template, an argument. Mend the
    place that it names."""

    exit_code = 2


class NoBuild(InputError):
    """No build of what is checked out has succeeded. Build it, or name another one."""


class NameClash(InputError):
    """A tasks.py gives a task a name that another has, or overrides one that there is not."""


class PluginFailed(InputError):
    """A plugin cannot be loaded, or raised something where it may stop what was about to be done.
    Mend it, or leave it out by its name."""


class BuildFailed(StagekitError):
    """An image did not build, did not pass a check or could not be pushed, or a task that it needs
    failed. The build is recorded as failed, and cannot be released."""

    exit_code = 3


class ReleaseFailed(StagekitError):
    """A release could not be made of a build and an environment that are right by themselves.
    There is none of it."""

    exit_code = 4


class RunFailed(StagekitError):
    """A release did not come up, or what came up is not what was released; the record says how far
    it got."""

    exit_code = 5


class NotProven(RunFailed):
    """A run that inspection found wanting.

    Args:
        failed: what is known of each container that failed.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        output: tuple[str, ...] = (),
        failed: tuple[ContainerFailure, ...] = (),
    ) -> None:
        super().__init__(what, where=where, hint=hint, output=output)
        self.failed = failed

    def reword(self, change: Callable[[str], str]) -> None:
        super().reword(change)
        self.failed = tuple(
            type(item)(
                service=item.service,
                name=item.name,
                reason=change(item.reason),
                output=tuple(map(change, item.output)),
                exit_code=item.exit_code,
                health_output=change(item.health_output),
            )
            for item in self.failed
        )


class RolledBack(RunFailed):
    """A run failed, and what ran well before runs again; what never ran well is down. Mend it, and
    build and release again."""

    exit_code = 8


class LeaseLost(RunFailed):
    """The environment's lock was lost under way, to another run or because the engine did not
    answer for too long. What was begun was stopped; look at what runs."""


class Busy(RunFailed):
    """Another run holds the environment. Wait for it (``--wait-lock``); nothing was touched."""

    exit_code = 9


class EngineError(StagekitError):
    """An engine, or a program that works on one, does not answer, or wrongly. ``inv doctor`` looks
    at each."""

    exit_code = 6


class NoEngine(EngineError):
    """Nobody named an engine, and none answers. Start one, or set ``DOCKER_HOST``."""


class EngineRefused(EngineError):
    """The engine answers: no. Its own words follow."""


class RegistryError(EngineError):
    """A registry refused, or does not answer. Log in to it, or bring it back.

    Args:
        transient: whether the same may go well a little later.
        missing: whether it says that it does not have what was asked for.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        output: tuple[str, ...] = (),
        transient: bool = False,
        missing: bool = False,
    ) -> None:
        super().__init__(what, where=where, hint=hint, output=output)
        self.transient = transient
        self.missing = missing


class LimitExceeded(EngineError):
    """A program took too long, said nothing for too long, or printed too much, and was stopped."""


class LedgerError(StagekitError):
    """A record is damaged, was edited, is in use, or cannot be written. Bring it back as it was;
    ``inv release.verify --all`` finds what else is not as it was."""

    exit_code = 7


class LedgerAway(LedgerError):
    """The shared ledger does not answer. What was read before can still be read."""

    transient = True
    reached = False
    """Whether it may have what it was sent: what was lost is its answer."""


class DiskRefused(StagekitError):
    """The system refused a file: the disk is full or broken, or may not be written. Mend that, and
    type the same again: what was finished before stays recorded."""

    exit_code = 7


class Bug(StagekitError):
    """A fault of stagekit's own. ``STAGEKIT_DEBUG=1`` shows where; please report it."""

    exit_code = 70


class Cancelled(StagekitError):
    """Stopped by SIGINT or SIGTERM. What was finished before stays recorded."""

    exit_code = 130
