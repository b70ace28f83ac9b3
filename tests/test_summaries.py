"""What each CI gets to see of a stage."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from stagekit.builtin.markdown import as_page, of_build, of_release, of_run
from stagekit.builtin.summaries import Summaries
from stagekit.cancel import Cancel
from stagekit.errors import StagekitError
from stagekit.records import ContainerFailure, ContainerSeen, Failure, Stored
from stagekit.testing.records import a_build, a_release, a_run, sha, stored_release

BUILD = Stored(record=a_build("b1"), digest=sha("record"))
RUN = Stored(record=a_run(3), digest=sha("run"))
PIN = f"registry.test/web@{sha('b1')}"
SHOWN = (
    "### Build b1\n\n| image | pinned as | tags |\n| --- | --- | --- |\n"
    f"| web | `{PIN}` | b1, latest |\n\n"
)
FAILURE = Failure(subject="web", step="RUN make", message="ended with 2", output=("no rule",))


def told(environ: dict[str, str], artifacts: Path) -> list[str]:
    """Tell of a build and a release that are there already, and a run; return what was narrated."""
    said: list[str] = []
    summaries = Summaries(environ, artifacts, said.append, Cancel())
    summaries.stagekit_build_unchanged(BUILD)
    summaries.stagekit_release_unchanged(stored_release(a_release(id="v7")))
    summaries.stagekit_ran(RUN)
    return said


def test_github_gets_a_job_summary_and_outputs(tmp_path: Path) -> None:
    """After what the steps before wrote, in the forms that GitHub reads."""
    summary, outputs = tmp_path / "summary", tmp_path / "outputs"
    summary.write_text("# mine\n")
    environ = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs)}
    assert told({"GITHUB_ACTIONS": "true", **environ}, tmp_path / "artifacts") == []
    assert outputs.read_text() == (
        f"build=b1\nimage-web={PIN}\nrelease=prod/v7\nrun=3\noutcome=running\n"
    )
    assert summary.read_text().startswith("# mine\n" + SHOWN + "### Release prod/v7\n")
    assert not (tmp_path / "artifacts").exists()


def test_azure_is_told_where_the_summary_lies(tmp_path: Path) -> None:
    """By logging commands, which its agent finds in what is narrated; a file for each subject."""
    said = told({"TF_BUILD": "True", "AGENT_TEMPDIRECTORY": str(tmp_path)}, tmp_path / "artifacts")
    assert said[:2] == [
        f"##vso[task.uploadsummary]{tmp_path}/stagekit-build.md",
        "##vso[task.setvariable variable=stagekit-build;isOutput=true]b1",
    ]
    assert (tmp_path / "stagekit-build.md").read_text() == SHOWN
    assert f"##vso[task.uploadsummary]{tmp_path}/stagekit-run-prod.md" in said


def an_agent(folder: Path, code: int = 0) -> dict[str, str]:
    """Put a buildkite-agent on the PATH that writes down how it was called."""
    agent = folder / "buildkite-agent"
    agent.write_text(
        "#!/usr/bin/env python3\nimport json, sys\n"
        f"with open({str(folder / 'calls')!r}, 'a') as calls:\n"
        "    print(json.dumps([sys.argv[1:], sys.stdin.read()]), file=calls)\n"
        f"print('no such job', file=sys.stderr)\nsys.exit({code})\n"
    )
    agent.chmod(0o755)
    return {"BUILDKITE": "true", "PATH": f"{folder}:/usr/bin:/bin"}


def test_buildkite_gets_annotations(tmp_path: Path) -> None:
    """One for each subject, in the colour of how it went."""
    environ = an_agent(tmp_path)
    told(environ, tmp_path / "artifacts")
    failed = replace(RUN.record, outcome="failed", failure=FAILURE)
    summaries = Summaries(environ, tmp_path, lambda _: None, Cancel())
    summaries.stagekit_ran(Stored(record=failed, digest=sha("failed")))
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    assert [(argv[2], argv[4]) for argv, _ in calls] == [
        ("success", "stagekit-build"),
        ("success", "stagekit-release-prod"),
        ("success", "stagekit-run-prod"),
        ("error", "stagekit-run-prod"),
    ]
    assert calls[0] == [
        ["annotate", "--style", "success", "--context", "stagekit-build"],
        SHOWN,
    ]


def test_what_buildkite_says_against_it_is_shown(tmp_path: Path) -> None:
    """The agent's own words."""
    with pytest.raises(StagekitError, match="Buildkite did not take the summary") as raised:
        told(an_agent(tmp_path, code=1), tmp_path)
    assert raised.value.output == ("no such job",)


@pytest.mark.parametrize(
    "environ",
    [
        {"GO_PIPELINE_NAME": "shop", "GO_PIPELINE_COUNTER": "42"},
        {"GITLAB_CI": "true"},
        {"JENKINS_URL": "https://ci.test"},
        {"CIRCLECI": "true"},
        {"BUILDKITE": "true", "PATH": "/nowhere"},
        {"CI": "true"},
    ],
)
def test_elsewhere_a_file_can_be_published(tmp_path: Path, environ: dict[str, str]) -> None:
    """It tells of one pipeline: the next one's build begins it anew."""
    file = tmp_path / "artifacts/summary.html"
    for _ in range(2):
        told(environ, tmp_path / "artifacts")
        titles = re.findall("<h3>(.*)</h3>", file.read_text())
        assert titles == ["Build b1", "Release prod/v7", "Run 3: prod/v1 running"]
    assert f"<td><code>{PIN}</code></td>" in file.read_text()


def test_a_file_that_is_named_is_appended_to(tmp_path: Path) -> None:
    """On any CI, and on a laptop."""
    for environ in ({}, {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(tmp_path / "outputs")}):
        told({**environ, "STAGEKIT_SUMMARY": str(tmp_path / "mine.md")}, tmp_path / "artifacts")
    assert (tmp_path / "mine.md").read_text().count("### Build b1") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.md"]


def test_on_a_laptop_nothing_is_written(tmp_path: Path) -> None:
    """No file appears."""
    assert told({}, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_failed_build_says_why() -> None:
    """The step, and the last lines of what it printed."""
    build = a_build("b1", status="failed", images={}, failures=(FAILURE,))
    assert of_build(build) == (
        "### Build b1 failed\n\n\nweb, RUN make: ended with 2\n\n~~~~~~text\nno rule\n~~~~~~\n\n"
    )


def test_a_release_lists_its_commits() -> None:
    """And its message; what they hold stays text."""
    release = a_release(id="v7", message="Faster", commits=("a1 <b>bold</b>", "b2 a | __init__"))
    text = of_release(release)
    begun = "### Release prod/v7\n\nFrom build b1, by ann@laptop.\n\nFaster\n\n- a1 "
    assert text.startswith(begun)
    page = as_page(text)
    assert "<li>a1 &lt;b&gt;bold&lt;/b&gt;</li>\n<li>b2 a | __init__</li>" in page


def test_a_run_shows_what_came_up_and_what_did_not() -> None:
    """A row for each container; what failed with its last lines, which end no block early."""
    seen = ContainerSeen(
        service="web", name="shop-web-1", id="1", state="running", image_id="x", proven=True
    )
    failed = ContainerFailure(
        service="db", name="shop-db-1", reason="exited", output=("~~~~~~", "no disk")
    )
    text = of_run(a_run(3, outcome="failed", containers=(seen,), failed=(failed,)))
    assert "| web | shop-web-1 | running |  | yes |" in text
    assert "shop-db-1: exited\n\n~~~~~~text\n\nno disk\n~~~~~~\n" in text
