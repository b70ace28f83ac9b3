"""A CI's own file: build, release and hand the records on, run where somebody says so."""

from __future__ import annotations

from stagekit.errors import InputError

_GITHUB = """\
# Builds each push to main and releases it to dev; running it there or in prod is started by hand.
name: stagekit
on:
  push: { branches: [main] }
  workflow_dispatch:
    inputs:
      env: { description: environment to run, default: dev }

permissions: { contents: read, packages: write }

jobs:
  release:
    runs-on: ubuntu-latest
    env:
      STAGEKIT_REGISTRY: ghcr.io/${{ github.repository }}  # in lower case, or another registry
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: 0 }
      - uses: actions/setup-python@v5
        with: { python-version: "3.13" }
      - run: pip install 'stagekit[compose]'
      - run: docker login ghcr.io -u "$WHO" --password-stdin <<< "$TOKEN"
        env: { WHO: "${{ github.actor }}", TOKEN: "${{ github.token }}" }
      - run: inv build
      - run: inv release --env "${{ inputs.env || 'dev' }}"
      - uses: actions/upload-artifact@v4
        with: { name: artifacts, path: artifacts/, include-hidden-files: true }

  run:
    if: github.event_name == 'workflow_dispatch'
    needs: release
    runs-on: ubuntu-latest
    environment: ${{ inputs.env }}
    env:
      DOCKER_HOST: ${{ vars.DOCKER_HOST }}  # the engine that it runs on
      STAGEKIT_AGE_IDENTITY: ${{ secrets.STAGEKIT_AGE_IDENTITY }}
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: 0 }
      - uses: actions/setup-python@v5
        with: { python-version: "3.13" }
      - run: pip install 'stagekit[compose]'
      - uses: actions/download-artifact@v4
        with: { name: artifacts, path: artifacts/ }
      - run: inv run --env "${{ inputs.env }}"
"""

_GITLAB = """\
# Builds each commit and releases it to dev; running it is started by hand. The registry's
# credentials: a variable DOCKER_AUTH_CONFIG of the project, written to ~/.docker/config.json.
stages: [build, release, run]

default:
  image: python:3.13
  services: ["docker:dind"]
  before_script:
    - pip install 'stagekit[compose]'
    - mkdir -p ~/.docker && printenv DOCKER_AUTH_CONFIG > ~/.docker/config.json

variables:
  GIT_DEPTH: "0"
  DOCKER_HOST: tcp://docker:2375
  DOCKER_TLS_CERTDIR: ""
  STAGEKIT_REGISTRY: $CI_REGISTRY_IMAGE

build:
  stage: build
  script: inv build
  artifacts: { when: always, paths: [artifacts/] }

release:
  stage: release
  script: inv release --env dev
  artifacts: { paths: [artifacts/] }

run:
  stage: run
  when: manual
  environment: dev
  variables:
    DOCKER_HOST: $ENGINE  # the engine that it runs on; STAGEKIT_AGE_IDENTITY opens its secrets
  script: inv run --env dev
  artifacts: { when: always, paths: [artifacts/] }
"""

_GOCD = """\
# For GoCD's YAML configuration plugin: build and release by themselves, run by hand.
format_version: 10
pipelines:
  {name}:
    group: {name}
    label_template: "${{COUNT}}"
    materials:
      source:
        git: https://git.example.com/{name}.git  # this repository
        branch: main
    stages:
      - build:
          jobs:
            build:
              tabs: {{ stagekit: artifacts/summary.html }}
              artifacts: [{{ build: {{ source: artifacts }} }}]
              tasks: [{{ exec: {{ command: inv, arguments: [build] }} }}]
      - release:
          jobs:
            release:
              tabs: {{ stagekit: artifacts/summary.html }}
              artifacts: [{{ build: {{ source: artifacts }} }}]
              tasks:
                - fetch: {{ stage: build, job: build, source: artifacts }}
                - exec: {{ command: inv, arguments: [release, --env, dev] }}
      - run:
          approval: manual
          jobs:
            run:
              tabs: {{ stagekit: artifacts/summary.html }}
              artifacts: [{{ build: {{ source: artifacts }} }}]
              tasks:
                - fetch: {{ stage: release, job: release, source: artifacts }}
                - exec: {{ command: inv, arguments: [run, --env, dev] }}
"""

_JENKINS = """\
// Builds and releases by itself; running it waits for somebody.
pipeline {
  agent any
  environment { STAGEKIT_REGISTRY = 'registry.example.com/team' }
  stages {
    stage('install') { steps {
      sh 'python3 -m venv .venv'
      sh '.venv/bin/pip install "stagekit[compose]"'
    } }
    stage('build') { steps { sh '.venv/bin/inv build' } }
    stage('release') { steps { sh '.venv/bin/inv release --env dev' } }
    stage('run') {
      input { message 'Run it in dev?' }
      steps { sh '.venv/bin/inv run --env dev' }
    }
  }
  post { always { archiveArtifacts artifacts: 'artifacts/**', allowEmptyArchive: true } }
}
"""

_PIPELINES = {
    "github": (".github/workflows/stagekit.yml", _GITHUB),
    "gitlab": (".gitlab-ci.yml", _GITLAB),
    "gocd": ("stagekit.gocd.yaml", _GOCD),
    "jenkins": ("Jenkinsfile", _JENKINS),
}


def pipeline(ci: str, project: str) -> tuple[str, str]:
    """Return the path and the text of a CI's own file.

    Raises:
        InputError: there is none for that CI.
    """
    if ci not in _PIPELINES:
        raise InputError(
            f"no pipeline for {ci!r}", where="--ci", hint=f"there are: {', '.join(_PIPELINES)}"
        )
    path, text = _PIPELINES[ci]
    return path, text.format(name=project) if ci == "gocd" else text
