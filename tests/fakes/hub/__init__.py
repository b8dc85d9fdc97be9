"""A double of the Hugging Face Hub on loopback: the API, the CDN on a foreign origin, their faults.

Speaks what huggingface_hub 2.4 asks for when it searches, inspects and downloads. Refuses uploads,
datasets and spaces.
"""

from tests.fakes.hub.double import HubDouble
from tests.fakes.hub.options import HubOptions
from tests.fakes.hub.repositories import Repository

__all__ = ["HubDouble", "HubOptions", "Repository"]
