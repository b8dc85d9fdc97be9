"""The real huggingface_hub client downloads from the double, whatever lawful way the hub takes."""

import hashlib
from pathlib import Path

import pytest
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils._xet import refresh_xet_connection_info

from tests.fakes.hub import HubDouble, HubOptions
from tests.fakes.hub.conftest import CONFIG, PARAMETERS, WEIGHTS
from tests.fakes.hub.wire import fetch

MISSING, HIDDEN, GATED = EntryNotFoundError, RepositoryNotFoundError, GatedRepoError


def head(hub: HubDouble, repository_id: str, path: str, *, token=False, revision=None):
    url = hf_hub_url(repository_id, path, revision=revision, endpoint=hub.endpoint)
    return get_hf_file_metadata(url, token=token, endpoint=hub.endpoint)


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }


def download(hub: HubDouble, repository_id: str, folder: Path, *, token: str | bool = False):
    return snapshot_download(
        repository_id, endpoint=hub.endpoint, local_dir=folder, token=token, max_workers=2
    )


def cdn_url(hub: HubDouble) -> str:
    return head(hub, "acme/packed", "model.gguf").location


def test_head_of_a_git_file_comes_from_the_hub(hub: HubDouble, api: HfApi):
    found = head(hub, "acme/packed", "config.json")
    assert found.etag == hub.file("acme/packed", "config.json").git_oid
    assert found.size == len(CONFIG)
    assert found.commit_hash == api.model_info("acme/packed").sha
    assert found.location.startswith(hub.endpoint)
    assert found.xet_file_data is None


def test_head_of_an_lfs_file_leads_to_a_signed_address_of_another_origin(hub: HubDouble):
    found = head(hub, "acme/packed", "model.gguf")
    assert found.etag == hashlib.sha256(WEIGHTS).hexdigest()
    assert found.size == len(WEIGHTS)
    assert found.location.startswith(f"{hub.cdn}/blobs/{found.etag}?")
    assert fetch(found.location).body == WEIGHTS


def test_snapshot_has_every_byte_and_the_cdn_sees_no_credentials(hub: HubDouble, tmp_path: Path):
    download(hub, "acme/private", tmp_path / "out", token="hf_good")
    assert hashes(tmp_path / "out") == {
        "config.json": hashlib.sha256(CONFIG).hexdigest(),
        "model.gguf": hashlib.sha256(WEIGHTS).hexdigest(),
    }
    counters = hub.counters
    assert counters.cdn.requests == {"GET blob": 1}
    assert counters.cdn.bytes_by_blob == {hashlib.sha256(WEIGHTS).hexdigest(): len(WEIGHTS)}
    assert counters.cdn.auth_leaks == 0
    assert counters.hub.auth_leaks == 0
    assert counters.hub.authorized == counters.hub.request_count


def test_snapshot_of_folders_and_shards_matches_the_tree(hub: HubDouble, api, tmp_path: Path):
    download(hub, "acme/sharded", tmp_path / "out")
    paths = [
        entry.path
        for entry in api.list_repo_tree("acme/sharded", recursive=True)
        if hasattr(entry, "size")
    ]
    assert hashes(tmp_path / "out") == {
        path: hub.file("acme/sharded", path).sha256 for path in paths
    }


def test_a_leaked_credential_is_counted(hub: HubDouble):
    fetch(cdn_url(hub), headers={"Authorization": "Bearer hf_good"})
    fetch(cdn_url(hub))
    assert hub.counters.cdn.auth_leaks == 1


def test_dry_run_lists_sizes_and_moves_no_weights(hub: HubDouble, tmp_path: Path):
    files = snapshot_download(
        "acme/packed", endpoint=hub.endpoint, local_dir=tmp_path / "out", dry_run=True, token=False
    )
    assert {file.filename: file.file_size for file in files} == {
        "config.json": len(CONFIG),
        "model.gguf": len(WEIGHTS),
    }
    assert hub.counters.cdn.request_count == 0


@pytest.mark.parametrize(
    ("repository_id", "path", "revision", "token", "error", "status"),
    [
        ("other/gated", "config.json", None, False, GATED, 401),
        ("other/gated", "model.gguf", None, "hf_nogrant", GATED, 403),
        ("other/asks", "config.json", None, "hf_nogrant", GATED, 403),
        ("acme/private", "config.json", None, False, HIDDEN, 401),
        ("acme/private", "config.json", None, "hf_nogrant", HIDDEN, 404),
        ("acme/packed", "config.json", "nowhere", False, RevisionNotFoundError, 404),
        ("acme/packed", "missing.json", None, False, MISSING, 404),
        ("acme/packed", "config.json", None, "hf_wrong", HfHubHTTPError, 401),
    ],
)
def test_refusals_become_the_errors_of_the_client(
    hub: HubDouble, repository_id, path, revision, token, error, status
):
    with pytest.raises(error) as caught:
        head(hub, repository_id, path, token=token, revision=revision)
    assert type(caught.value).__name__.endswith(error.__name__)
    assert caught.value.response.status_code == status


def test_gated_repository_shows_its_tree_to_all_and_its_files_to_some(hub: HubDouble, api: HfApi):
    assert api.model_info("other/gated").gated == "manual"
    assert [entry.path for entry in api.list_repo_tree("other/gated")] == [
        "config.json",
        "model.gguf",
    ]
    assert head(hub, "other/gated", "config.json", token="hf_good").size == len(CONFIG)


def test_missing_file_names_the_commit(hub: HubDouble, api: HfApi):
    reply = fetch(f"{hub.endpoint}/acme/packed/resolve/main/missing.json")
    assert reply.headers["x-error-code"] == "EntryNotFound"
    assert reply.headers["x-repo-commit"] == api.model_info("acme/packed").sha
    assert reply.json() == {"error": "Entry not found"}


def test_safetensors_headers_give_exact_parameter_counts(hub: HubDouble, api: HfApi):
    found = api.get_safetensors_metadata("acme/sharded")
    assert found.sharded
    assert found.parameter_count == PARAMETERS
    assert found.metadata["total_parameters"] == sum(PARAMETERS.values())


def test_git_files_may_take_the_way_over_the_resolve_cache(hub: HubDouble, tmp_path: Path):
    hub.options = HubOptions(resolve_cache=True)
    first = fetch(f"{hub.endpoint}/acme/packed/resolve/main/config.json")
    assert first.status == 307
    assert first.headers["location"].startswith("/api/resolve-cache/models/acme/packed/")
    download(hub, "acme/packed", tmp_path / "out")
    assert hashes(tmp_path / "out")["config.json"] == hashlib.sha256(CONFIG).hexdigest()
    assert hub.counters.hub.requests["GET resolve-cache"] == 1


def test_resolve_cache_is_no_way_around_the_gate(hub: HubDouble, api: HfApi):
    sha = api.model_info("other/gated").sha
    reply = fetch(f"{hub.endpoint}/api/resolve-cache/models/other/gated/{sha}/config.json")
    assert (reply.status, reply.headers["x-error-code"]) == (401, "GatedRepo")


def test_git_files_may_be_compressed_without_a_length(hub: HubDouble, tmp_path: Path):
    hub.options = HubOptions(gzip=True)
    url = f"{hub.endpoint}/acme/packed/resolve/main/config.json"
    packed = fetch(url, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in packed.headers
    assert packed.body[:2] == b"\x1f\x8b"
    assert fetch(url, headers={"Accept-Encoding": "identity"}).body == CONFIG
    download(hub, "acme/packed", tmp_path / "out")
    assert hashes(tmp_path / "out")["config.json"] == hashlib.sha256(CONFIG).hexdigest()


def test_etags_may_be_weak(hub: HubDouble):
    strong = head(hub, "acme/packed", "model.gguf").etag
    hub.options = HubOptions(weak_etags=True)
    reply = fetch(f"{hub.endpoint}/acme/packed/resolve/main/model.gguf", method="HEAD")
    assert reply.headers["x-linked-etag"] == f'W/"{strong}"'
    assert reply.headers["etag"].startswith('W/"')
    assert head(hub, "acme/packed", "model.gguf").etag == strong


def test_xet_is_announced_and_hands_out_a_token_only_when_on(hub: HubDouble, api: HfApi):
    sha = api.model_info("acme/packed").sha
    route = f"{hub.endpoint}/api/models/acme/packed/xet-read-token/{sha}"
    assert fetch(route).status == 404
    hub.options = HubOptions(xet=True)
    data = head(hub, "acme/packed", "model.gguf").xet_file_data
    assert data.file_hash == hub.file("acme/packed", "model.gguf").xet_hash
    assert data.refresh_route == route
    connection = refresh_xet_connection_info(file_data=data, headers={})
    assert (connection.endpoint, connection.access_token) == (hub.cdn, f"xet_{sha}")
    hashes = [entry.xet_hash for entry in api.list_repo_tree("acme/packed")]
    assert hashes == [None, data.file_hash]


def test_a_pinned_commit_survives_a_moved_branch(hub: HubDouble, api: HfApi):
    old = api.model_info("acme/packed").sha
    new = hub.move_branch("acme/packed", {"model.gguf": b"GGUF new"})
    assert head(hub, "acme/packed", "model.gguf", revision=old).size == len(WEIGHTS)
    moved = head(hub, "acme/packed", "model.gguf")
    assert (moved.size, moved.commit_hash) == (len(b"GGUF new"), new)
    assert fetch(moved.location).body == b"GGUF new"


@pytest.mark.parametrize("path", ["config.json", "model.gguf"])
def test_a_mutated_file_differs_from_its_tree(hub: HubDouble, api: HfApi, path):
    listed = api.get_paths_info("acme/packed", path)[0].size
    hub.mutate("acme/packed", path, b"mutated")
    assert api.get_paths_info("acme/packed", path)[0].size == listed
    found = head(hub, "acme/packed", path)
    assert found.size == len(b"mutated")
    assert found.etag != hub.file("acme/packed", path).etag
    assert fetch(found.location).body == b"mutated"
