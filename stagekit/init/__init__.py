"""Moving in: from a repository as it is to one that stagekit builds, releases and runs.

found.py      which Compose files there are, and which environment each is of
readings.py   what Compose says of them: models, and the values of .env
nodes.py      where things stand in a file; edits that leave every other byte alone
moving.py     what is moved so far: edits, variables, secrets, images, findings
builds.py variables.py env_files.py mounts.py files.py paths.py …
a part each of what is taken over
layout.py     the files that are written, as text; pipelines.py a CI's own
proof.py      the old files against the first release
expected.py   what becomes of a service on its way into a release, each change with its reason
plan.py       gather → decide → apply
"""
