"""How one host's part of a run is recorded: in the whole run's journal, under the host's name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from stagekit.cancel import Cancel
from stagekit.errors import NotProven
from stagekit.inputs.fleet import Host
from stagekit.pipeline.failure import failure_of
from stagekit.pipeline.run.fleet.abreast import MainThread
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.records import ContainerSeen, HostOutcome, HostRun


class HostRunning(Running):
    """The part of a run that is done on one host, in a thread: hooks and the journal are the
    run's, and theirs is the main thread.

    Args:
        host: which one.
        on: what it is done with.
        whole: the run.
        main: does things on the main thread.
        so_far: what is recorded of the host by now.
    """

    def __init__(
        self,
        host: Host,
        on: Platform,
        whole: Running,
        main: MainThread,
        so_far: HostRun,
    ) -> None:
        super().__init__(on, so_far.steps)
        self.engine, self.changed = so_far.engine, so_far.changed
        self.foreign = so_far.foreign
        self.secrets = whole.secrets
        self._host = host
        self._whole = whole
        self._main = main
        self._journal = whole._journal
        self._subject = whole._subject
        self._hooks = whole._hooks
        self._warnings = whole._warnings

    def note_begun(self, step: str, *, changes: bool) -> None:
        """Say durably that a step of the whole run is done on this host."""
        self._at = step
        self._note({"begins": step, "changes": changes})
        self.changed = self.changed or changes

    def note_before(self, release: str | None, *, foreign: bool = False) -> None:
        """Say durably what runs on the host; or that the ledger does not know it."""
        self.foreign = foreign
        self._note({"before": release, "foreign": foreign})

    def note_outcome(self, outcome: HostOutcome, release: str | None) -> None:
        """Say durably how it ended on the host, and what runs there now."""
        self._note({"outcome_of_host": outcome, "release": release})

    def told(
        self,
        outcome: HostOutcome,
        *,
        release: str | None,
        before: str | None,
        seen: tuple[ContainerSeen, ...] = (),
        error: Exception | None = None,
    ) -> HostRun:
        """Return what is recorded of the host."""
        subject = f"{self._subject.name} on {self._host.name}" if self._subject else ""
        if error:
            self._hide_in(error)
        return HostRun(
            name=self._host.name,
            url=self._host.url,
            outcome=outcome,
            release=release,
            before=before,
            foreign=self.foreign,
            changed=self.changed,
            engine=self.engine,
            failure=failure_of(error, step=self._at, subject=subject) if error else None,
            steps=self.steps,
            containers=seen,
            failed=error.failed if isinstance(error, NotProven) else (),
        )

    def _note(self, entry: Mapping[str, object]) -> None:
        if entry.get("changes"):
            self._whole.changed = True
        self._main(partial(self._whole._note, {"host": self._host.name, **entry}))

    def _before(self, moment: str) -> None:
        self._main(partial(super()._before, moment))

    def _after(self, moment: str, cancel: Cancel, **more: str) -> None:
        self._main(partial(super()._after, moment, cancel, **more))

    def _facts(self) -> dict[str, str]:
        return {**super()._facts(), "host": self._host.name}
