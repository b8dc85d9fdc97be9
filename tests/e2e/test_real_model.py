"""A real model's real weights, as published: all-MiniLM-L6-v2, 91 MB, whole on the disk.

`scripts/testmodel` fetches it once; `make test` does.
"""

import math
from collections.abc import Iterator

import pytest

from tests.e2e import disk
from tests.e2e.watching import install
from tests.fakes.hub import HubDouble, Repository
from tests.fakes.hub.realmodel import ModelNotFetched, minilm
from tests.stack import Stack

pytestmark = pytest.mark.e2e

NAME = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def model() -> Repository:
    try:
        return minilm()
    except ModelNotFetched as e:
        pytest.skip(str(e))


@pytest.fixture(scope="module")
def hub(model: Repository) -> Iterator[HubDouble]:
    with HubDouble([model]) as hub:
        yield hub


@pytest.fixture(scope="module")
def stack(hub: HubDouble) -> Iterator[Stack]:
    with Stack(env={"HF_ENDPOINT": hub.endpoint}) as stack:
        yield stack


def test_real_weights_are_whole_and_can_be_read(stack: Stack, hub: HubDouble, model: Repository):
    watched = install(stack, hubRepo=NAME)
    assert watched.updates[-1]["state"] == "COMPLETED"
    folder = stack.home / "weights" / NAME
    wanted = disk.promised(hub, model)
    assert "model.safetensors" in wanted
    assert disk.hashes(folder) == wanted

    weights = folder / "model.safetensors"
    tensors = disk.safetensors_header(weights)
    tensors.pop("__metadata__", None)
    embeddings = tensors["embeddings.word_embeddings.weight"]
    assert (embeddings["dtype"], embeddings["shape"]) == ("F32", [30522, 384])
    floats = sum(math.prod(t["shape"]) for t in tensors.values() if t["dtype"] == "F32")
    assert floats == 22_713_216
    end = max(tensor["data_offsets"][1] for tensor in tensors.values())
    header_bytes = int.from_bytes(weights.read_bytes()[:8], "little")
    assert weights.stat().st_size == 8 + header_bytes + end


def test_part_of_a_real_model_is_chosen_by_patterns(
    stack: Stack, hub: HubDouble, model: Repository
):
    install(stack, hubRepo=NAME, target="part", allow=["*.json", "*.txt"], ignore=["1_Pooling/*"])
    wanted = {
        path: sha256
        for path, sha256 in disk.promised(hub, model).items()
        if path.endswith((".json", ".txt")) and not path.startswith("1_Pooling/")
    }
    assert len(wanted) >= 3
    assert disk.hashes(stack.home / "weights" / "part") == wanted
