import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .all_weights import (
        AllWeights,
        AllWeightsAllWeights,
        AllWeightsAllWeightsNodes,
        AllWeightsAllWeightsPageInfo,
    )
    from .base_model import BaseModel
    from .client import GeneratedClient
    from .enums import (
        CheckLevel,
        ErrorCode,
        JobFileState,
        JobKind,
        JobState,
        LogLevel,
        Scope,
    )
    from .event_added import (
        EventAdded,
        EventAddedEventAddedEvent,
        EventAddedEventAddedEventGap,
    )
    from .events import Events, EventsEvents, EventsEventsNodes, EventsEventsPageInfo
    from .fragments import (
        ErrorFields,
        EventFields,
        JobFields,
        JobFieldsError,
        JobLogFields,
        StorageFields,
        WeightsFields,
    )
    from .generated_base import GeneratedBase
    from .input_types import JobFilter, WeightsInstallInput
    from .job import (
        Job,
        JobJob,
        JobJobFiles,
        JobJobFilesNodes,
        JobJobFilesPageInfo,
        JobJobRetriedBy,
        JobJobRetryOf,
    )
    from .job_cancel import (
        JobCancel,
        JobCancelJobCancel,
        JobCancelJobCancelJob,
        JobCancelJobCancelUserErrors,
    )
    from .job_log_added import JobLogAdded, JobLogAddedJobLogAdded
    from .job_logs import (
        JobLogs,
        JobLogsJob,
        JobLogsJobLogs,
        JobLogsJobLogsNodes,
        JobLogsJobLogsPageInfo,
    )
    from .job_pause import (
        JobPause,
        JobPauseJobPause,
        JobPauseJobPauseJob,
        JobPauseJobPauseUserErrors,
    )
    from .job_resume import (
        JobResume,
        JobResumeJobResume,
        JobResumeJobResumeJob,
        JobResumeJobResumeUserErrors,
    )
    from .job_retry import (
        JobRetry,
        JobRetryJobRetry,
        JobRetryJobRetryJob,
        JobRetryJobRetryJobRetryOf,
        JobRetryJobRetryUserErrors,
    )
    from .job_updated import (
        JobUpdated,
        JobUpdatedJobUpdated,
        JobUpdatedJobUpdatedFiles,
        JobUpdatedJobUpdatedFilesDone,
    )
    from .jobs import Jobs, JobsJobs, JobsJobsNodes, JobsJobsPageInfo
    from .jobs_purge import JobsPurge, JobsPurgeJobsPurge, JobsPurgeJobsPurgeUserErrors
    from .jobs_updated import JobsUpdated, JobsUpdatedJobsUpdated
    from .storage import Storage, StorageStorage
    from .system import (
        System,
        SystemSystem,
        SystemSystemStorage,
        SystemSystemSubsystems,
    )
    from .weights import (
        Weights,
        WeightsWeights,
        WeightsWeightsFiles,
        WeightsWeightsFilesNodes,
        WeightsWeightsFilesPageInfo,
        WeightsWeightsInstallJob,
    )
    from .weights_install import (
        WeightsInstall,
        WeightsInstallWeightsInstall,
        WeightsInstallWeightsInstallJob,
        WeightsInstallWeightsInstallUserErrors,
    )
_LAZY_IMPORTS = {
    "AllWeights": ".all_weights",
    "AllWeightsAllWeights": ".all_weights",
    "AllWeightsAllWeightsNodes": ".all_weights",
    "AllWeightsAllWeightsPageInfo": ".all_weights",
    "BaseModel": ".base_model",
    "CheckLevel": ".enums",
    "ErrorCode": ".enums",
    "ErrorFields": ".fragments",
    "EventAdded": ".event_added",
    "EventAddedEventAddedEvent": ".event_added",
    "EventAddedEventAddedEventGap": ".event_added",
    "EventFields": ".fragments",
    "Events": ".events",
    "EventsEvents": ".events",
    "EventsEventsNodes": ".events",
    "EventsEventsPageInfo": ".events",
    "GeneratedBase": ".generated_base",
    "GeneratedClient": ".client",
    "Job": ".job",
    "JobCancel": ".job_cancel",
    "JobCancelJobCancel": ".job_cancel",
    "JobCancelJobCancelJob": ".job_cancel",
    "JobCancelJobCancelUserErrors": ".job_cancel",
    "JobFields": ".fragments",
    "JobFieldsError": ".fragments",
    "JobFileState": ".enums",
    "JobFilter": ".input_types",
    "JobJob": ".job",
    "JobJobFiles": ".job",
    "JobJobFilesNodes": ".job",
    "JobJobFilesPageInfo": ".job",
    "JobJobRetriedBy": ".job",
    "JobJobRetryOf": ".job",
    "JobKind": ".enums",
    "JobLogAdded": ".job_log_added",
    "JobLogAddedJobLogAdded": ".job_log_added",
    "JobLogFields": ".fragments",
    "JobLogs": ".job_logs",
    "JobLogsJob": ".job_logs",
    "JobLogsJobLogs": ".job_logs",
    "JobLogsJobLogsNodes": ".job_logs",
    "JobLogsJobLogsPageInfo": ".job_logs",
    "JobPause": ".job_pause",
    "JobPauseJobPause": ".job_pause",
    "JobPauseJobPauseJob": ".job_pause",
    "JobPauseJobPauseUserErrors": ".job_pause",
    "JobResume": ".job_resume",
    "JobResumeJobResume": ".job_resume",
    "JobResumeJobResumeJob": ".job_resume",
    "JobResumeJobResumeUserErrors": ".job_resume",
    "JobRetry": ".job_retry",
    "JobRetryJobRetry": ".job_retry",
    "JobRetryJobRetryJob": ".job_retry",
    "JobRetryJobRetryJobRetryOf": ".job_retry",
    "JobRetryJobRetryUserErrors": ".job_retry",
    "JobState": ".enums",
    "JobUpdated": ".job_updated",
    "JobUpdatedJobUpdated": ".job_updated",
    "JobUpdatedJobUpdatedFiles": ".job_updated",
    "JobUpdatedJobUpdatedFilesDone": ".job_updated",
    "Jobs": ".jobs",
    "JobsJobs": ".jobs",
    "JobsJobsNodes": ".jobs",
    "JobsJobsPageInfo": ".jobs",
    "JobsPurge": ".jobs_purge",
    "JobsPurgeJobsPurge": ".jobs_purge",
    "JobsPurgeJobsPurgeUserErrors": ".jobs_purge",
    "JobsUpdated": ".jobs_updated",
    "JobsUpdatedJobsUpdated": ".jobs_updated",
    "LogLevel": ".enums",
    "Scope": ".enums",
    "Storage": ".storage",
    "StorageFields": ".fragments",
    "StorageStorage": ".storage",
    "System": ".system",
    "SystemSystem": ".system",
    "SystemSystemStorage": ".system",
    "SystemSystemSubsystems": ".system",
    "Weights": ".weights",
    "WeightsFields": ".fragments",
    "WeightsInstall": ".weights_install",
    "WeightsInstallInput": ".input_types",
    "WeightsInstallWeightsInstall": ".weights_install",
    "WeightsInstallWeightsInstallJob": ".weights_install",
    "WeightsInstallWeightsInstallUserErrors": ".weights_install",
    "WeightsWeights": ".weights",
    "WeightsWeightsFiles": ".weights",
    "WeightsWeightsFilesNodes": ".weights",
    "WeightsWeightsFilesPageInfo": ".weights",
    "WeightsWeightsInstallJob": ".weights",
}


def __getattr__(name):
    """Import the module a generated name lives in, the first time it is used."""
    module_name = _LAZY_IMPORTS.get(name)
    if module_name is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module_name, __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)


__all__ = [
    "AllWeights",
    "AllWeightsAllWeights",
    "AllWeightsAllWeightsNodes",
    "AllWeightsAllWeightsPageInfo",
    "BaseModel",
    "CheckLevel",
    "ErrorCode",
    "ErrorFields",
    "EventAdded",
    "EventAddedEventAddedEvent",
    "EventAddedEventAddedEventGap",
    "EventFields",
    "Events",
    "EventsEvents",
    "EventsEventsNodes",
    "EventsEventsPageInfo",
    "GeneratedBase",
    "GeneratedClient",
    "Job",
    "JobCancel",
    "JobCancelJobCancel",
    "JobCancelJobCancelJob",
    "JobCancelJobCancelUserErrors",
    "JobFields",
    "JobFieldsError",
    "JobFileState",
    "JobFilter",
    "JobJob",
    "JobJobFiles",
    "JobJobFilesNodes",
    "JobJobFilesPageInfo",
    "JobJobRetriedBy",
    "JobJobRetryOf",
    "JobKind",
    "JobLogAdded",
    "JobLogAddedJobLogAdded",
    "JobLogFields",
    "JobLogs",
    "JobLogsJob",
    "JobLogsJobLogs",
    "JobLogsJobLogsNodes",
    "JobLogsJobLogsPageInfo",
    "JobPause",
    "JobPauseJobPause",
    "JobPauseJobPauseJob",
    "JobPauseJobPauseUserErrors",
    "JobResume",
    "JobResumeJobResume",
    "JobResumeJobResumeJob",
    "JobResumeJobResumeUserErrors",
    "JobRetry",
    "JobRetryJobRetry",
    "JobRetryJobRetryJob",
    "JobRetryJobRetryJobRetryOf",
    "JobRetryJobRetryUserErrors",
    "JobState",
    "JobUpdated",
    "JobUpdatedJobUpdated",
    "JobUpdatedJobUpdatedFiles",
    "JobUpdatedJobUpdatedFilesDone",
    "Jobs",
    "JobsJobs",
    "JobsJobsNodes",
    "JobsJobsPageInfo",
    "JobsPurge",
    "JobsPurgeJobsPurge",
    "JobsPurgeJobsPurgeUserErrors",
    "JobsUpdated",
    "JobsUpdatedJobsUpdated",
    "LogLevel",
    "Scope",
    "Storage",
    "StorageFields",
    "StorageStorage",
    "System",
    "SystemSystem",
    "SystemSystemStorage",
    "SystemSystemSubsystems",
    "Weights",
    "WeightsFields",
    "WeightsInstall",
    "WeightsInstallInput",
    "WeightsInstallWeightsInstall",
    "WeightsInstallWeightsInstallJob",
    "WeightsInstallWeightsInstallUserErrors",
    "WeightsWeights",
    "WeightsWeightsFiles",
    "WeightsWeightsFilesNodes",
    "WeightsWeightsFilesPageInfo",
    "WeightsWeightsInstallJob",
]
