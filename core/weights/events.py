"""What the feed hears of weights."""

from core.feed.kinds import EventType
from core.feed.service import NewEvent
from core.weights.entity import Weights


def installed(weights: Weights, *, storage_uri: str, inference_model_path: str) -> NewEvent:
    detail = {
        "weightsId": weights.id,
        "location": weights.location,
        "path": weights.path,
        "hubRepo": weights.hub_repo,
        "revision": weights.revision,
        "sizeBytes": str(weights.size),
        "fileCount": weights.file_count,
        "storageUri": storage_uri,
        "inferenceModelPath": inference_model_path,
        "jobId": weights.install_job_id,
    }
    return NewEvent(EventType.WEIGHTS_INSTALLED, weights.id, detail)
