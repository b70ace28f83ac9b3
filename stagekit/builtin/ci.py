"""The CIs that ship, each recognised by the variables that it documents for every job."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stagekit.plugins.spec import hookimpl
from stagekit.records import CI

_Environ = Mapping[str, str]


@hookimpl
def stagekit_ci(environ: _Environ) -> CI | None:
    """Return the first CI that knows itself in ``environ``."""
    return next((found for ci in _KNOWN if (found := ci(environ))), None)


def _gocd(environ: _Environ) -> CI | None:
    # https://docs.gocd.org/current/faq/dev_use_current_revision_in_build.html
    pipeline, counter = environ.get("GO_PIPELINE_NAME"), environ.get("GO_PIPELINE_COUNTER")
    if not pipeline or not counter:
        return None
    server = _address(environ.get("GO_SERVER_URL"))
    label, attempt = environ.get("GO_STAGE_NAME"), environ.get("GO_STAGE_COUNTER", "1")
    stage = f"{label}/{attempt}" if label else ""
    return CI(
        name="gocd",
        url=f"{server}/pipelines/{pipeline}/{counter}/{stage}".rstrip("/") if server else None,
        pipeline=pipeline,
        counter=counter,
        attempt=_repeated(attempt),
        commit=environ.get("GO_REVISION") or None,
    )


def _github(environ: _Environ) -> CI | None:
    # https://docs.github.com/en/actions/reference/workflows-and-actions/variables
    if environ.get("GITHUB_ACTIONS") != "true":
        return None
    server, place = _address(environ.get("GITHUB_SERVER_URL")), environ.get("GITHUB_REPOSITORY")
    run = environ.get("GITHUB_RUN_ID")
    on_branch = environ.get("GITHUB_REF_TYPE") == "branch"
    return CI(
        name="github",
        url=f"{server}/{place}/actions/runs/{run}" if server and place and run else None,
        pipeline=environ.get("GITHUB_WORKFLOW") or None,
        counter=environ.get("GITHUB_RUN_NUMBER") or None,
        attempt=_repeated(environ.get("GITHUB_RUN_ATTEMPT")),
        commit=environ.get("GITHUB_SHA") or None,
        branch=environ.get("GITHUB_HEAD_REF")
        or (environ.get("GITHUB_REF_NAME") if on_branch else None)
        or None,
    )


def _gitlab(environ: _Environ) -> CI | None:
    # https://docs.gitlab.com/ci/variables/predefined_variables/
    if environ.get("GITLAB_CI") != "true":
        return None
    return CI(
        name="gitlab",
        url=_address(environ.get("CI_JOB_URL")),
        pipeline=environ.get("CI_PROJECT_PATH_SLUG") or None,
        counter=environ.get("CI_PIPELINE_IID") or None,
        commit=environ.get("CI_COMMIT_SHA") or None,
        branch=environ.get("CI_COMMIT_BRANCH")
        or environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME")
        or None,
    )


def _jenkins(environ: _Environ) -> CI | None:
    # https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
    if not environ.get("JENKINS_URL"):
        return None
    branch = environ.get("CHANGE_BRANCH") or environ.get("BRANCH_NAME")
    return CI(
        name="jenkins",
        url=_address(environ.get("BUILD_URL")),
        pipeline=environ.get("JOB_NAME") or None,
        counter=environ.get("BUILD_NUMBER") or None,
        commit=environ.get("GIT_COMMIT") or None,
        branch=branch or environ.get("GIT_BRANCH", "").removeprefix("origin/") or None,
    )


def _buildkite(environ: _Environ) -> CI | None:
    # https://buildkite.com/docs/pipelines/configure/environment-variables
    if environ.get("BUILDKITE") != "true":
        return None
    retries = environ.get("BUILDKITE_RETRY_COUNT", "0")
    return CI(
        name="buildkite",
        url=_address(environ.get("BUILDKITE_BUILD_URL")),
        pipeline=environ.get("BUILDKITE_PIPELINE_SLUG") or None,
        counter=environ.get("BUILDKITE_BUILD_NUMBER") or None,
        attempt=_repeated(str(int(retries) + 1) if _is_number(retries) else None),
        commit=environ.get("BUILDKITE_COMMIT") or None,
        branch=environ.get("BUILDKITE_BRANCH") or None,
    )


def _circleci(environ: _Environ) -> CI | None:
    # https://circleci.com/docs/reference/variables/
    if environ.get("CIRCLECI") != "true":
        return None
    return CI(
        name="circleci",
        url=_address(environ.get("CIRCLE_BUILD_URL")),
        pipeline=environ.get("CIRCLE_PROJECT_REPONAME") or None,
        counter=environ.get("CIRCLE_BUILD_NUM") or None,
        commit=environ.get("CIRCLE_SHA1") or None,
        branch=environ.get("CIRCLE_BRANCH") or None,
    )


def _azure(environ: _Environ) -> CI | None:
    # https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables
    if environ.get("TF_BUILD") != "True":
        return None
    server = _address(environ.get("SYSTEM_COLLECTIONURI"))
    project, build = environ.get("SYSTEM_TEAMPROJECT"), environ.get("BUILD_BUILDID")
    known = server and project and build
    branch = environ.get("SYSTEM_PULLREQUEST_SOURCEBRANCH") or environ.get("BUILD_SOURCEBRANCH", "")
    return CI(
        name="azure",
        url=f"{server}/{project}/_build/results?buildId={build}" if known else None,
        pipeline=environ.get("BUILD_DEFINITIONNAME") or None,
        counter=build or None,
        attempt=_repeated(environ.get("SYSTEM_JOBATTEMPT")),
        commit=environ.get("BUILD_SOURCEVERSION") or None,
        branch=branch.removeprefix("refs/heads/") if branch.startswith("refs/heads/") else None,
    )


def _any(environ: _Environ) -> CI | None:
    """Any other, by the one variable that nearly all of them set."""
    return CI(name="ci") if environ.get("CI", "").lower() in ("true", "1") else None


_KNOWN: tuple[Callable[[_Environ], CI | None], ...] = (
    _gocd,
    _github,
    _gitlab,
    _jenkins,
    _buildkite,
    _circleci,
    _azure,
    _any,
)


def _address(url: str | None) -> str | None:
    from stagekit.inputs.source import without_credentials

    return without_credentials(url).rstrip("/") or None if url else None


def _repeated(attempt: str | None) -> str | None:
    """Return the number of an attempt that is not the first."""
    return attempt if attempt and _is_number(attempt) and int(attempt) > 1 else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19  # noqa: PLR2004  # as many as 64 bits hold
