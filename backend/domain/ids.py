"""Identifiers: each kind of id has a type of its own, so that they cannot be mixed up."""

from typing import NewType

ProjectId = NewType("ProjectId", int)

PROJECT_NUMBER = "[0-9]{1,18}"
"""Pattern of the number of a project; longer ones fit no database."""

TaskId = NewType("TaskId", int)

JobId = NewType("JobId", str)

Label = NewType("Label", str)

VersionName = NewType("VersionName", str)

ControlName = NewType("ControlName", str)

UNTRAINED = VersionName("al-0000-0000")
"""The version that a project without a model reports."""

AuditId = NewType("AuditId", int)
"""Numbers of a project's audits count from 1."""
