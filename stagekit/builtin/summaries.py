"""What each CI shows of a stage: a summary where people look, and values for the steps after it.

GitHub, Azure and Buildkite have a place for it; elsewhere it is a file that the CI publishes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from stagekit.builtin.ci import stagekit_ci
from stagekit.builtin.markdown import as_page, of_build, of_release, of_run
from stagekit.cancel import Cancel
from stagekit.errors import StagekitError
from stagekit.plugins.spec import hookimpl
from stagekit.records import Build, Release, Run, Stored

FILE = "STAGEKIT_SUMMARY"
"""Names the file that summaries are appended to, instead of where they would go: as HTML where its
name says so, else as Markdown."""

_LIMIT = 30.0


class Summary(Struct, frozen=True):
    """What is to be shown. ``subject`` tells one from another of the same CI job; ``values`` are
    what later steps may want, by name."""

    subject: str
    text: str
    well: bool
    values: dict[str, str]


class Summaries:
    """Gives each stage's summary to the CI that it runs in.

    Args:
        environ: the process's environment, by which each CI says where its summaries go.
        artifacts: the folder that CI jobs hand on.
        say: prints a line of narration.
        cancel: ends what takes long.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        artifacts: Path,
        say: Callable[[str], None],
        cancel: Cancel,
    ) -> None:
        self._environ = environ
        self._artifacts = artifacts
        self._say = say
        self._cancel = cancel

    @hookimpl
    def stagekit_built(self, build: Stored[Build]) -> None:
        record = build.record
        pins = {f"image-{name}": image.pin for name, image in sorted(record.images.items())}
        values = {"build": record.id, **pins}
        self._show(Summary("build", of_build(record), well=True, values=values))

    @hookimpl
    def stagekit_build_unchanged(self, build: Stored[Build]) -> None:
        self.stagekit_built(build)

    @hookimpl
    def stagekit_build_failed(self, build: Stored[Build]) -> None:
        self._show(Summary("build", of_build(build.record), well=False, values={}))

    @hookimpl
    def stagekit_released(self, release: Stored[Release]) -> None:
        record = release.record
        values = {"release": record.name}
        self._show(Summary(f"release-{record.env}", of_release(record), well=True, values=values))

    @hookimpl
    def stagekit_release_unchanged(self, release: Stored[Release]) -> None:
        self.stagekit_released(release)

    @hookimpl
    def stagekit_ran(self, run: Stored[Run]) -> None:
        record = run.record
        well = record.outcome in ("running", "stopped")
        values = {"run": str(record.n), "outcome": record.outcome}
        self._show(Summary(f"run-{record.env}", of_run(record), well=well, values=values))

    def _show(self, summary: Summary) -> None:
        ci = stagekit_ci(self._environ)
        if path := self._environ.get(FILE):
            _append(Path(path), as_page(summary.text) if _is_page(path) else summary.text)
        elif ci and ci.name == "github":
            self._on_github(summary)
        elif ci and ci.name == "azure":
            self._on_azure(summary)
        elif ci and ci.name == "buildkite" and self._agent:
            self._on_buildkite(summary, self._agent)
        elif ci:
            self._in_file(summary)

    @property
    def _agent(self) -> str | None:
        return shutil.which("buildkite-agent", path=self._environ.get("PATH"))

    def _on_github(self, summary: Summary) -> None:
        # https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
        if path := self._environ.get("GITHUB_STEP_SUMMARY"):
            _append(Path(path), summary.text)
        if path := self._environ.get("GITHUB_OUTPUT"):
            lines = (f"{name}={value}\n" for name, value in summary.values.items())
            _append(Path(path), "".join(lines))

    def _on_azure(self, summary: Summary) -> None:
        # https://learn.microsoft.com/en-us/azure/devops/pipelines/scripts/logging-commands
        # The agent finds its commands in what is narrated, too: results stay for machines.
        folder = Path(self._environ.get("AGENT_TEMPDIRECTORY") or self._artifacts).absolute()
        path = folder / f"stagekit-{summary.subject}.md"
        _append(path, summary.text)
        self._say(f"##vso[task.uploadsummary]{path}")
        for name, value in summary.values.items():
            self._say(f"##vso[task.setvariable variable=stagekit-{name};isOutput=true]{value}")

    def _on_buildkite(self, summary: Summary, agent: str) -> None:
        # https://buildkite.com/docs/agent/cli/reference/annotate
        from stagekit import process

        style = "success" if summary.well else "error"
        argv = [agent, "annotate", "--style", style, "--context", f"stagekit-{summary.subject}"]
        done = process.run(
            argv,
            env=self._environ,
            limit=_LIMIT,
            cancel=self._cancel,
            stdin=summary.text.encode(),
        )
        if not done.ok:
            raise StagekitError(
                "Buildkite did not take the summary", where=" ".join(argv), output=done.tail()
            )

    def _in_file(self, summary: Summary) -> None:
        """Keep it for whoever publishes the file. A build begins it anew: a workspace that is used
        again has the last pipeline's."""
        path = self._artifacts / "summary.html"
        if summary.subject == "build":
            path.unlink(missing_ok=True)
        _append(path, as_page(summary.text))


def _is_page(path: str) -> bool:
    return path.endswith((".html", ".htm"))


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
