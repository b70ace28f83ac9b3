"""Taking down what runs. Volumes stay."""

from __future__ import annotations

from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.standing import keep_standing
from stagekit.pipeline.run.subject import Subject
from stagekit.records import ContainerSeen, Run, Stored, compose_project


def take_down(subject: Subject, on: Platform, running: Running) -> Stored[Run]:
    """Take down what runs under a project's name, and record it.

    Args:
        subject: what runs there, and why it is taken down.
        on: what it is done with; its lock is held.
        running: records it.

    Raises:
        RunFailed: the runner could not.
    """
    project = compose_project(subject.project, subject.env)

    def work() -> tuple[ContainerSeen, ...]:
        running.engine = on.engine.facts()
        with running.step("down", subject.name, changes=True) as under_way:
            on.runner(subject.runner).down(project, emit=on.emit, cancel=on.cancel)
            under_way.outcome = "volumes stay"
        return ()

    stored = running.recorded(subject, "stopped", work)
    keep_standing(stored.record, "", on)
    return stored
