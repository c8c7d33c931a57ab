"""The enums of jobs."""

from domain.model.jobs import JobStatus
from schema.common.enums import describe_enum

describe_enum(
    JobStatus,
    "The status of a job in its life. SUCCEEDED, FAILED and CANCELED are final.",
    {
        "QUEUED": "The job waits for a worker.",
        "RUNNING": "A worker computes the job.",
        "SUCCEEDED": "The result is available.",
        "FAILED": "The job has no result. `message` has the reason.",
        "CANCELED": "The job was cancelled with `jobCancel`. It has no result.",
    },
)
