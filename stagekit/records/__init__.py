"""The records, as they are in memory: what each stage writes and the next one reads."""

from stagekit.records.build import (
    Build,
    BuilderFacts,
    BuildPruning,
    BuildStatus,
    BuiltImage,
    CheckPassed,
)
from stagekit.records.bundle import Bundle
from stagekit.records.comparison import (
    Compared,
    ComparedRelease,
    Comparison,
    ComparisonOutcome,
    QuestionKind,
    Reply,
)
from stagekit.records.deploy import HOOK_MOMENTS, RUN_STEPS, Deploy, HttpCheck, ReleaseCommand
from stagekit.records.held import Holder, Standing
from stagekit.records.parts import CI, EngineFacts, Failure, Link, Part, Source, compose_project
from stagekit.records.planned import (
    Action,
    ActionKind,
    ContainerPlanned,
    HostPlanned,
    Object,
    Planned,
    Prospect,
)
from stagekit.records.release import Cancellation, Pin, PinKind, Pruning, Release, Versions
from stagekit.records.run import (
    ContainerFailure,
    ContainerSeen,
    HostOutcome,
    HostRun,
    Run,
    RunOutcome,
    RunReason,
    StepTaken,
)
from stagekit.records.stored import AnyRecord, Record, Stored

__all__ = [
    "CI",
    "HOOK_MOMENTS",
    "RUN_STEPS",
    "Action",
    "ActionKind",
    "AnyRecord",
    "Build",
    "BuildPruning",
    "BuildStatus",
    "BuilderFacts",
    "BuiltImage",
    "Bundle",
    "Cancellation",
    "CheckPassed",
    "Compared",
    "ComparedRelease",
    "Comparison",
    "ComparisonOutcome",
    "ContainerFailure",
    "ContainerPlanned",
    "ContainerSeen",
    "Deploy",
    "EngineFacts",
    "Failure",
    "Holder",
    "HostOutcome",
    "HostPlanned",
    "HostRun",
    "HttpCheck",
    "Link",
    "Object",
    "Part",
    "Pin",
    "PinKind",
    "Planned",
    "Prospect",
    "Pruning",
    "QuestionKind",
    "Record",
    "Release",
    "ReleaseCommand",
    "Reply",
    "Run",
    "RunOutcome",
    "RunReason",
    "Source",
    "Standing",
    "StepTaken",
    "Stored",
    "Versions",
    "compose_project",
]
