"""Every CI is recognised by the variables that it documents, and by nothing else."""

from __future__ import annotations

import pytest

from stagekit.builtin.ci import stagekit_ci
from stagekit.records import CI

GOCD = {
    "GO_SERVER_URL": "https://ann:hunter2@ci.test/go/",
    "GO_PIPELINE_NAME": "shop",
    "GO_PIPELINE_COUNTER": "42",
    "GO_STAGE_NAME": "build",
    "GO_STAGE_COUNTER": "2",
    "GO_REVISION": "c1",
}
GITHUB = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.test",
    "GITHUB_REPOSITORY": "team/shop",
    "GITHUB_RUN_ID": "777",
    "GITHUB_RUN_NUMBER": "42",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_WORKFLOW": "Build and push",
    "GITHUB_SHA": "c1",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_REF_NAME": "main",
    "GITHUB_HEAD_REF": "",
}
GITLAB = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_JOB_URL": "https://gitlab.test/team/shop/-/jobs/9",
    "CI_PROJECT_PATH_SLUG": "team-shop",
    "CI_PIPELINE_IID": "42",
    "CI_COMMIT_SHA": "c1",
    "CI_COMMIT_BRANCH": "main",
}
JENKINS = {
    "JENKINS_URL": "https://jenkins.test/",
    "BUILD_URL": "https://jenkins.test/job/shop/42/",
    "JOB_NAME": "shop/main",
    "BUILD_NUMBER": "42",
    "GIT_COMMIT": "c1",
    "GIT_BRANCH": "origin/main",
}
BUILDKITE = {
    "CI": "true",
    "BUILDKITE": "true",
    "BUILDKITE_BUILD_URL": "https://buildkite.test/team/shop/builds/42",
    "BUILDKITE_PIPELINE_SLUG": "shop",
    "BUILDKITE_BUILD_NUMBER": "42",
    "BUILDKITE_COMMIT": "c1",
    "BUILDKITE_BRANCH": "main",
    "BUILDKITE_RETRY_COUNT": "1",
}
CIRCLECI = {
    "CI": "true",
    "CIRCLECI": "true",
    "CIRCLE_BUILD_URL": "https://circleci.test/gh/team/shop/42",
    "CIRCLE_PROJECT_REPONAME": "shop",
    "CIRCLE_BUILD_NUM": "42",
    "CIRCLE_SHA1": "c1",
    "CIRCLE_BRANCH": "main",
}
AZURE = {
    "TF_BUILD": "True",
    "SYSTEM_COLLECTIONURI": "https://azure.test/org/",
    "SYSTEM_TEAMPROJECT": "team",
    "BUILD_BUILDID": "42",
    "BUILD_DEFINITIONNAME": "shop",
    "SYSTEM_JOBATTEMPT": "1",
    "BUILD_SOURCEVERSION": "c1",
    "BUILD_SOURCEBRANCH": "refs/heads/main",
}


@pytest.mark.parametrize(
    ("environ", "ci"),
    [
        (
            GOCD,
            CI(
                name="gocd",
                url="https://ci.test/go/pipelines/shop/42/build/2",
                pipeline="shop",
                counter="42",
                attempt="2",
                commit="c1",
            ),
        ),
        (
            GITHUB,
            CI(
                name="github",
                url="https://github.test/team/shop/actions/runs/777",
                pipeline="Build and push",
                counter="42",
                commit="c1",
                branch="main",
            ),
        ),
        (
            GITLAB,
            CI(
                name="gitlab",
                url="https://gitlab.test/team/shop/-/jobs/9",
                pipeline="team-shop",
                counter="42",
                commit="c1",
                branch="main",
            ),
        ),
        (
            JENKINS,
            CI(
                name="jenkins",
                url="https://jenkins.test/job/shop/42",
                pipeline="shop/main",
                counter="42",
                commit="c1",
                branch="main",
            ),
        ),
        (
            BUILDKITE,
            CI(
                name="buildkite",
                url="https://buildkite.test/team/shop/builds/42",
                pipeline="shop",
                counter="42",
                attempt="2",
                commit="c1",
                branch="main",
            ),
        ),
        (
            CIRCLECI,
            CI(
                name="circleci",
                url="https://circleci.test/gh/team/shop/42",
                pipeline="shop",
                counter="42",
                commit="c1",
                branch="main",
            ),
        ),
        (
            AZURE,
            CI(
                name="azure",
                url="https://azure.test/org/team/_build/results?buildId=42",
                pipeline="shop",
                counter="42",
                commit="c1",
                branch="main",
            ),
        ),
        ({"CI": "true"}, CI(name="ci")),
        ({"CI": "1"}, CI(name="ci")),
    ],
)
def test_a_ci_is_recognised_and_described(environ: dict[str, str], ci: CI) -> None:
    """By name, address without credentials, pipeline, counter, commit and branch."""
    assert stagekit_ci(environ) == ci


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"CI": "false"},
        {"CI": ""},
        {key: value for key, value in GOCD.items() if key != "GO_PIPELINE_NAME"},
        {key: value for key, value in GOCD.items() if key != "GO_PIPELINE_COUNTER"},
        {"BUILD_NUMBER": "1", "GITHUB_REPOSITORY": "x", "TF_BUILD": "no"},
    ],
)
def test_a_laptop_is_no_ci(environ: dict[str, str]) -> None:
    """Also one on which somebody set a variable or two."""
    assert stagekit_ci(environ) is None


@pytest.mark.parametrize(
    "environ",
    [
        {"GITHUB_ACTIONS": "true"},
        {"GITLAB_CI": "true"},
        {"JENKINS_URL": "https://jenkins.test"},
        {"BUILDKITE": "true", "BUILDKITE_RETRY_COUNT": "many"},
        {"CIRCLECI": "true"},
        {"TF_BUILD": "True"},
        {"GO_PIPELINE_NAME": "shop", "GO_PIPELINE_COUNTER": "1"},
    ],
)
def test_what_a_ci_does_not_say_is_left_out(environ: dict[str, str]) -> None:
    """It is itself all the same, with no address made of nothing."""
    found = stagekit_ci(environ)
    assert found is not None
    assert (found.url, found.commit, found.branch, found.attempt) == (None, None, None, None)


@pytest.mark.parametrize(
    ("environ", "branch"),
    [
        ({**GITHUB, "GITHUB_HEAD_REF": "fix", "GITHUB_REF_NAME": "7/merge"}, "fix"),
        ({**GITHUB, "GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1"}, None),
        ({**GITLAB, "CI_COMMIT_BRANCH": "", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix"}, "fix"),
        ({**JENKINS, "BRANCH_NAME": "PR-1", "CHANGE_BRANCH": "fix"}, "fix"),
        ({**AZURE, "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/fix"}, "fix"),
        ({**AZURE, "BUILD_SOURCEBRANCH": "refs/tags/v1"}, None),
    ],
)
def test_the_branch_is_the_one_that_somebody_works_on(
    environ: dict[str, str], branch: str | None
) -> None:
    """Not a merge that a CI made for the occasion, and not a tag."""
    found = stagekit_ci(environ)
    assert found is not None
    assert found.branch == branch


@pytest.mark.parametrize(
    ("without", "url"),
    [
        ("GO_SERVER_URL", None),
        ("GO_STAGE_COUNTER", "https://ci.test/go/pipelines/shop/42/build/1"),
        ("GO_STAGE_NAME", "https://ci.test/go/pipelines/shop/42"),
    ],
)
def test_gocd_with_fewer_variables_is_still_gocd(without: str, url: str | None) -> None:
    """What is not known is left out of the address, or the address is."""
    found = stagekit_ci({key: value for key, value in GOCD.items() if key != without})
    assert found is not None
    assert found.url == url
