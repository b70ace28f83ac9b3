"""What a run is done with, and on whose behalf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from stagekit.cancel import Cancel
from stagekit.events import Emit
from stagekit.pipeline.run.hooks import Listeners, Nobody
from stagekit.pipeline.secrets import Providers
from stagekit.protocols import Engine, Lease, Ledger, Runner
from stagekit.records import CI, Release, Stored


@dataclass(frozen=True)
class Platform:
    """What a run is done with.

    Attributes:
        ledger: has the releases, gets the records.
        engine: where it runs.
        runner: finds what brings a release up, by the name that its record has.
        providers: finds what knows the values of its secrets.
        actor: who does it.
        emit: told of each step.
        cancel: stops it at the next safe place.
        ci: the CI job this runs in.
        project: the project's name where its source is at hand; releases of another one are
            refused. Empty where there is none to compare with.
        source: the project's folder: what mounted sources and hooks start from.
        environ: what hooks see besides the facts.
        command: what was typed, for whoever finds the environment locked.
        wait: seconds to wait for the environment where another run holds it.
        lease: the environment's lock, once it is held.
        plugins: are asked whether a release is trusted, and told of runs and their steps.
    """

    ledger: Ledger
    engine: Engine
    runner: Callable[[str], Runner]
    providers: Providers
    actor: str
    emit: Emit
    cancel: Cancel
    ci: CI | None = None
    project: str = ""
    source: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    wait: float = 0.0
    lease: Lease | None = None
    plugins: Listeners = field(default_factory=Nobody)

    def check_trust(self, release: Stored[Release]) -> tuple[str, ...]:
        """Ask plugins whether anything of a release may come up.

        Returns:
            Who vouches for it, where somebody was asked.

        Raises:
            StagekitError: one refuses it; says why.
        """
        vouched = self.plugins.gathered(
            "stagekit_verify_release", release=release, emit=self.emit, environ=self.environ
        )
        return tuple(map(str, vouched))

    def run_by(self, kind: str) -> Platform:
        """Return the same with the engine as the releases of a runner see it: what their lock is
        taken on, their state is kept on, and their containers are found on."""
        return replace(self, engine=self.runner(kind).engine_for(self.engine))

    def under(self, lease: Lease, cancel: Cancel) -> Platform:
        """Return the same with the environment's lock held; its loss requests ``cancel``."""
        return replace(self, lease=lease, cancel=cancel)
