from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Optional, Union

from mllm_client.scalars import serialize_datetime

from .base_model import UNSET
from .generated_base import GeneratedBase

if TYPE_CHECKING:
    from .all_weights import AllWeightsAllWeights
    from .base_model import UnsetType
    from .enums import JobState
    from .event_added import EventAddedEventAddedEvent, EventAddedEventAddedEventGap
    from .events import EventsEvents
    from .input_types import JobFilter
    from .job import JobJob
    from .job_cancel import JobCancelJobCancel
    from .job_log_added import JobLogAddedJobLogAdded
    from .job_logs import JobLogsJob
    from .job_pause import JobPauseJobPause
    from .job_resume import JobResumeJobResume
    from .job_retry import JobRetryJobRetry
    from .job_updated import JobUpdatedJobUpdated
    from .jobs import JobsJobs
    from .jobs_purge import JobsPurgeJobsPurge
    from .jobs_updated import JobsUpdatedJobsUpdated
    from .storage import StorageStorage
    from .system import SystemSystem
    from .weights import WeightsWeights
    from .weights_install import WeightsInstallWeightsInstall


def gql(q: str) -> str:
    return q


class GeneratedClient(GeneratedBase):
    async def events(
        self,
        types: Union[Optional[list[str]], "UnsetType"] = UNSET,
        since: Union[Optional[datetime], "UnsetType"] = UNSET,
        first: Union[Optional[int], "UnsetType"] = UNSET,
        after: Union[Optional[str], "UnsetType"] = UNSET,
        **kwargs: Any,
    ) -> "EventsEvents":
        from .events import Events

        query = gql("""
            query Events($types: [String!], $since: DateTime, $first: Int = 50, $after: ID) {
              events(types: $types, since: $since, first: $first, after: $after) {
                nodes {
                  ...EventFields
                }
                pageInfo {
                  hasNextPage
                  endCursor
                }
              }
            }

            fragment EventFields on Event {
              id
              type
              at
              subjectId
              detail
            }
            """)
        variables: dict[str, object] = {
            "types": types,
            "since": serialize_datetime(since),
            "first": first,
            "after": after,
        }
        response = await self.execute(
            query=query, operation_name="Events", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Events.model_validate(data).events

    async def event_added(
        self,
        types: Union[Optional[list[str]], "UnsetType"] = UNSET,
        after: Union[Optional[str], "UnsetType"] = UNSET,
        **kwargs: Any,
    ) -> AsyncIterator[Union["EventAddedEventAddedEvent", "EventAddedEventAddedEventGap"]]:
        from .event_added import EventAdded

        query = gql("""
            subscription EventAdded($types: [String!], $after: ID) {
              eventAdded(types: $types, after: $after) {
                __typename
                ... on Event {
                  ...EventFields
                }
                ... on EventGap {
                  from
                  to
                  reason
                }
              }
            }

            fragment EventFields on Event {
              id
              type
              at
              subjectId
              detail
            }
            """)
        variables: dict[str, object] = {"types": types, "after": after}
        async for data in self.execute_ws(
            query=query, operation_name="EventAdded", variables=variables, **kwargs
        ):
            yield EventAdded.model_validate(data).event_added

    async def jobs(
        self,
        filter_: Union[Optional["JobFilter"], "UnsetType"] = UNSET,
        first: Union[Optional[int], "UnsetType"] = UNSET,
        after: Union[Optional[str], "UnsetType"] = UNSET,
        **kwargs: Any,
    ) -> "JobsJobs":
        from .jobs import Jobs

        query = gql("""
            query Jobs($filter: JobFilter, $first: Int = 20, $after: String) {
              jobs(filter: $filter, first: $first, after: $after) {
                nodes {
                  ...JobFields
                }
                pageInfo {
                  hasNextPage
                  endCursor
                }
                totalCount
              }
            }

            fragment JobFields on Job {
              id
              kind
              state
              stage
              message
              progress
              bytesDone
              bytesTotal
              bytesPerSecond
              eta
              attempt
              maxAttempts
              priority
              error {
                code
                message
                hint
                retryable
              }
              input
              result
              requestedBy
              createdAt
              startedAt
              finishedAt
              elapsed
              nextAttemptAt
            }
            """)
        variables: dict[str, object] = {
            "filter": filter_,
            "first": first,
            "after": after,
        }
        response = await self.execute(
            query=query, operation_name="Jobs", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Jobs.model_validate(data).jobs

    async def job(
        self,
        id: str,
        files_first: Union[Optional[int], "UnsetType"] = UNSET,
        files_after: Union[Optional[str], "UnsetType"] = UNSET,
        **kwargs: Any,
    ) -> Optional["JobJob"]:
        from .job import Job

        query = gql("""
            query Job($id: ID!, $filesFirst: Int = 100, $filesAfter: String) {
              job(id: $id) {
                ...JobFields
                retryOf {
                  id
                  state
                }
                retriedBy {
                  id
                  state
                }
                files(first: $filesFirst, after: $filesAfter) {
                  nodes {
                    path
                    bytesDone
                    bytesTotal
                    state
                  }
                  pageInfo {
                    hasNextPage
                    endCursor
                  }
                  totalCount
                }
              }
            }

            fragment JobFields on Job {
              id
              kind
              state
              stage
              message
              progress
              bytesDone
              bytesTotal
              bytesPerSecond
              eta
              attempt
              maxAttempts
              priority
              error {
                code
                message
                hint
                retryable
              }
              input
              result
              requestedBy
              createdAt
              startedAt
              finishedAt
              elapsed
              nextAttemptAt
            }
            """)
        variables: dict[str, object] = {
            "id": id,
            "filesFirst": files_first,
            "filesAfter": files_after,
        }
        response = await self.execute(
            query=query, operation_name="Job", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Job.model_validate(data).job

    async def job_logs(
        self,
        id: str,
        first: Union[Optional[int], "UnsetType"] = UNSET,
        after: Union[Optional[str], "UnsetType"] = UNSET,
        **kwargs: Any,
    ) -> Optional["JobLogsJob"]:
        from .job_logs import JobLogs

        query = gql("""
            query JobLogs($id: ID!, $first: Int = 100, $after: String) {
              job(id: $id) {
                id
                state
                logs(first: $first, after: $after) {
                  nodes {
                    ...JobLogFields
                  }
                  pageInfo {
                    hasNextPage
                    endCursor
                  }
                }
              }
            }

            fragment JobLogFields on JobLogLine {
              cursor
              at
              level
              stage
              message
            }
            """)
        variables: dict[str, object] = {"id": id, "first": first, "after": after}
        response = await self.execute(
            query=query, operation_name="JobLogs", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return JobLogs.model_validate(data).job

    async def job_cancel(self, id: str, **kwargs: Any) -> "JobCancelJobCancel":
        from .job_cancel import JobCancel

        query = gql("""
            mutation JobCancel($id: ID!) {
              jobCancel(id: $id) {
                job {
                  ...JobFields
                }
                userErrors {
                  ...ErrorFields
                }
              }
            }

            fragment ErrorFields on UserError {
              field
              code
              message
              hint
            }

            fragment JobFields on Job {
              id
              kind
              state
              stage
              message
              progress
              bytesDone
              bytesTotal
              bytesPerSecond
              eta
              attempt
              maxAttempts
              priority
              error {
                code
                message
                hint
                retryable
              }
              input
              result
              requestedBy
              createdAt
              startedAt
              finishedAt
              elapsed
              nextAttemptAt
            }
            """)
        variables: dict[str, object] = {"id": id}
        response = await self.execute(
            query=query, operation_name="JobCancel", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return JobCancel.model_validate(data).job_cancel

    async def job_pause(self, id: str, **kwargs: Any) -> "JobPauseJobPause":
        from .job_pause import JobPause

        query = gql("""
            mutation JobPause($id: ID!) {
              jobPause(id: $id) {
                job {
                  ...JobFields
                }
                userErrors {
                  ...ErrorFields
                }
              }
            }

            fragment ErrorFields on UserError {
              field
              code
              message
              hint
            }

            fragment JobFields on Job {
              id
              kind
              state
              stage
              message
              progress
              bytesDone
              bytesTotal
              bytesPerSecond
              eta
              attempt
              maxAttempts
              priority
              error {
                code
                message
                hint
                retryable
              }
              input
              result
              requestedBy
              createdAt
              startedAt
              finishedAt
              elapsed
              nextAttemptAt
            }
            """)
        variables: dict[str, object] = {"id": id}
        response = await self.execute(
            query=query, operation_name="JobPause", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return JobPause.model_validate(data).job_pause

    async def job_resume(self, id: str, **kwargs: Any) -> "JobResumeJobResume":
        from .job_resume import JobResume

        query = gql("""
            mutation JobResume($id: ID!) {
              jobResume(id: $id) {
                job {
                  ...JobFields
                }
                userErrors {
                  ...ErrorFields
                }
              }
            }

            fragment ErrorFields on UserError {
              field
              code
              message
              hint
            }

            fragment JobFields on Job {
              id
              kind
              state
              stage
              message
              progress
              bytesDone
              bytesTotal
              bytesPerSecond
              eta
              attempt
              maxAttempts
              priority
              error {
                code
                message
                hint
                retryable
              }
              input
              result
              requestedBy
              createdAt
              startedAt
              finishedAt
              elapsed
              nextAttemptAt
            }
            """)
        variables: dict[str, object] = {"id": id}
        response = await self.execute(
            query=query, operation_name="JobResume", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return JobResume.model_validate(data).job_resume

    async def job_retry(self, id: str, **kwargs: Any) -> "JobRetryJobRetry":
        from .job_retry import JobRetry

        query = gql("""
            mutation JobRetry($id: ID!) {
              jobRetry(id: $id) {
                job {
                  ...JobFields
                  retryOf {
                    id
                    state
                  }
                }
                userErrors {
                  ...ErrorFields
                }
              }
            }

            fragment ErrorFields on UserError {
              field
              code
              message
              hint
            }

            fragment JobFields on Job {
              id
              kind
              state
              stage
              message
              progress
              bytesDone
              bytesTotal
              bytesPerSecond
              eta
              attempt
              maxAttempts
              priority
              error {
                code
                message
                hint
                retryable
              }
              input
              result
              requestedBy
              createdAt
              startedAt
              finishedAt
              elapsed
              nextAttemptAt
            }
            """)
        variables: dict[str, object] = {"id": id}
        response = await self.execute(
            query=query, operation_name="JobRetry", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return JobRetry.model_validate(data).job_retry

    async def jobs_purge(
        self,
        ended_before: datetime,
        states: Union[Optional[list["JobState"]], "UnsetType"] = UNSET,
        **kwargs: Any,
    ) -> "JobsPurgeJobsPurge":
        from .jobs_purge import JobsPurge

        query = gql("""
            mutation JobsPurge($endedBefore: DateTime!, $states: [JobState!]) {
              jobsPurge(endedBefore: $endedBefore, states: $states) {
                purgedCount
                userErrors {
                  ...ErrorFields
                }
              }
            }

            fragment ErrorFields on UserError {
              field
              code
              message
              hint
            }
            """)
        variables: dict[str, object] = {
            "endedBefore": serialize_datetime(ended_before),
            "states": states,
        }
        response = await self.execute(
            query=query, operation_name="JobsPurge", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return JobsPurge.model_validate(data).jobs_purge

    async def job_updated(self, id: str, **kwargs: Any) -> AsyncIterator["JobUpdatedJobUpdated"]:
        from .job_updated import JobUpdated

        query = gql("""
            subscription JobUpdated($id: ID!) {
              jobUpdated(id: $id) {
                ...JobFields
                files(first: 1) {
                  totalCount
                }
                filesDone: files(states: [REUSED, VERIFIED], first: 1) {
                  totalCount
                }
              }
            }

            fragment JobFields on Job {
              id
              kind
              state
              stage
              message
              progress
              bytesDone
              bytesTotal
              bytesPerSecond
              eta
              attempt
              maxAttempts
              priority
              error {
                code
                message
                hint
                retryable
              }
              input
              result
              requestedBy
              createdAt
              startedAt
              finishedAt
              elapsed
              nextAttemptAt
            }
            """)
        variables: dict[str, object] = {"id": id}
        async for data in self.execute_ws(
            query=query, operation_name="JobUpdated", variables=variables, **kwargs
        ):
            yield JobUpdated.model_validate(data).job_updated

    async def jobs_updated(
        self, filter_: Union[Optional["JobFilter"], "UnsetType"] = UNSET, **kwargs: Any
    ) -> AsyncIterator["JobsUpdatedJobsUpdated"]:
        from .jobs_updated import JobsUpdated

        query = gql("""
            subscription JobsUpdated($filter: JobFilter) {
              jobsUpdated(filter: $filter) {
                ...JobFields
              }
            }

            fragment JobFields on Job {
              id
              kind
              state
              stage
              message
              progress
              bytesDone
              bytesTotal
              bytesPerSecond
              eta
              attempt
              maxAttempts
              priority
              error {
                code
                message
                hint
                retryable
              }
              input
              result
              requestedBy
              createdAt
              startedAt
              finishedAt
              elapsed
              nextAttemptAt
            }
            """)
        variables: dict[str, object] = {"filter": filter_}
        async for data in self.execute_ws(
            query=query, operation_name="JobsUpdated", variables=variables, **kwargs
        ):
            yield JobsUpdated.model_validate(data).jobs_updated

    async def job_log_added(
        self, id: str, after: Union[Optional[str], "UnsetType"] = UNSET, **kwargs: Any
    ) -> AsyncIterator["JobLogAddedJobLogAdded"]:
        from .job_log_added import JobLogAdded

        query = gql("""
            subscription JobLogAdded($id: ID!, $after: String) {
              jobLogAdded(id: $id, after: $after) {
                ...JobLogFields
              }
            }

            fragment JobLogFields on JobLogLine {
              cursor
              at
              level
              stage
              message
            }
            """)
        variables: dict[str, object] = {"id": id, "after": after}
        async for data in self.execute_ws(
            query=query, operation_name="JobLogAdded", variables=variables, **kwargs
        ):
            yield JobLogAdded.model_validate(data).job_log_added

    async def system(self, **kwargs: Any) -> "SystemSystem":
        from .system import System

        query = gql("""
            query System {
              system {
                version
                uptime
                mode
                subsystems {
                  name
                  state
                  message
                }
                workers
                queueDepth
                jobCounts
                storage {
                  ...StorageFields
                }
                settings
              }
            }

            fragment StorageFields on StorageUsage {
              location
              root
              capacity
              available
              used
              reserved
              staging
            }
            """)
        variables: dict[str, object] = {}
        response = await self.execute(
            query=query, operation_name="System", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return System.model_validate(data).system

    async def all_weights(
        self,
        location: Union[Optional[str], "UnsetType"] = UNSET,
        first: Union[Optional[int], "UnsetType"] = UNSET,
        after: Union[Optional[str], "UnsetType"] = UNSET,
        **kwargs: Any,
    ) -> "AllWeightsAllWeights":
        from .all_weights import AllWeights

        query = gql("""
            query AllWeights($location: String, $first: Int = 20, $after: String) {
              allWeights(location: $location, first: $first, after: $after) {
                nodes {
                  ...WeightsFields
                }
                pageInfo {
                  hasNextPage
                  endCursor
                }
                totalCount
                totalSize
              }
            }

            fragment WeightsFields on Weights {
              id
              location
              path
              hubRepo
              revision
              requestedRevision
              size
              fileCount
              storageUri
              inferenceModelPath
              license
              installedAt
              verifiedAt
            }
            """)
        variables: dict[str, object] = {
            "location": location,
            "first": first,
            "after": after,
        }
        response = await self.execute(
            query=query, operation_name="AllWeights", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return AllWeights.model_validate(data).all_weights

    async def weights(
        self,
        path: str,
        location: Union[Optional[str], "UnsetType"] = UNSET,
        files_first: Union[Optional[int], "UnsetType"] = UNSET,
        files_after: Union[Optional[str], "UnsetType"] = UNSET,
        **kwargs: Any,
    ) -> Optional["WeightsWeights"]:
        from .weights import Weights

        query = gql("""
            query Weights($path: String!, $location: String = "default", $filesFirst: Int = 100, $filesAfter: String) {
              weights(path: $path, location: $location) {
                ...WeightsFields
                installJob {
                  id
                }
                files(first: $filesFirst, after: $filesAfter) {
                  nodes {
                    path
                    size
                    sha256
                    verified
                  }
                  pageInfo {
                    hasNextPage
                    endCursor
                  }
                }
              }
            }

            fragment WeightsFields on Weights {
              id
              location
              path
              hubRepo
              revision
              requestedRevision
              size
              fileCount
              storageUri
              inferenceModelPath
              license
              installedAt
              verifiedAt
            }
            """)
        variables: dict[str, object] = {
            "path": path,
            "location": location,
            "filesFirst": files_first,
            "filesAfter": files_after,
        }
        response = await self.execute(
            query=query, operation_name="Weights", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Weights.model_validate(data).weights

    async def storage(
        self, location: Union[Optional[str], "UnsetType"] = UNSET, **kwargs: Any
    ) -> "StorageStorage":
        from .storage import Storage

        query = gql("""
            query Storage($location: String = "default") {
              storage(location: $location) {
                ...StorageFields
              }
            }

            fragment StorageFields on StorageUsage {
              location
              root
              capacity
              available
              used
              reserved
              staging
            }
            """)
        variables: dict[str, object] = {"location": location}
        response = await self.execute(
            query=query, operation_name="Storage", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Storage.model_validate(data).storage

    async def weights_install(
        self,
        hub_repo: str,
        revision: Union[Optional[str], "UnsetType"] = UNSET,
        location: Union[Optional[str], "UnsetType"] = UNSET,
        target: Union[Optional[str], "UnsetType"] = UNSET,
        allow: Union[Optional[list[str]], "UnsetType"] = UNSET,
        ignore: Union[Optional[list[str]], "UnsetType"] = UNSET,
        overwrite: Union[Optional[bool], "UnsetType"] = UNSET,
        priority: Union[Optional[int], "UnsetType"] = UNSET,
        idempotency_key: Union[Optional[str], "UnsetType"] = UNSET,
        **kwargs: Any,
    ) -> "WeightsInstallWeightsInstall":
        from .weights_install import WeightsInstall

        query = gql("""
            mutation WeightsInstall($hubRepo: String!, $revision: String, $location: String = "default", $target: String, $allow: [String!], $ignore: [String!], $overwrite: Boolean = false, $priority: Int = 0, $idempotencyKey: String) {
              weightsInstall(
                input: {hubRepo: $hubRepo, revision: $revision, location: $location, target: $target, allow: $allow, ignore: $ignore, overwrite: $overwrite, priority: $priority, idempotencyKey: $idempotencyKey}
              ) {
                job {
                  ...JobFields
                }
                storageUri
                inferenceModelPath
                joined
                userErrors {
                  ...ErrorFields
                }
              }
            }

            fragment ErrorFields on UserError {
              field
              code
              message
              hint
            }

            fragment JobFields on Job {
              id
              kind
              state
              stage
              message
              progress
              bytesDone
              bytesTotal
              bytesPerSecond
              eta
              attempt
              maxAttempts
              priority
              error {
                code
                message
                hint
                retryable
              }
              input
              result
              requestedBy
              createdAt
              startedAt
              finishedAt
              elapsed
              nextAttemptAt
            }
            """)
        variables: dict[str, object] = {
            "hubRepo": hub_repo,
            "revision": revision,
            "location": location,
            "target": target,
            "allow": allow,
            "ignore": ignore,
            "overwrite": overwrite,
            "priority": priority,
            "idempotencyKey": idempotency_key,
        }
        response = await self.execute(
            query=query, operation_name="WeightsInstall", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return WeightsInstall.model_validate(data).weights_install
