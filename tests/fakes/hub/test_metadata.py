"""The real huggingface_hub client searches and inspects the repositories of the double."""

import json

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile, RepoFolder

from tests.fakes.hub import HubDouble, Repository
from tests.fakes.hub.conftest import CONFIG, PARAMETERS, WEIGHTS
from tests.fakes.hub.wire import fetch


def ids(found) -> list[str]:
    return [model.id for model in found]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({}, ["acme/sharded", "acme/packed", "other/gated", "other/asks"]),
        ({"sort": "likes"}, ["other/gated", "acme/packed", "acme/sharded", "other/asks"]),
        ({"limit": 1}, ["acme/sharded"]),
        ({"search": "PACK"}, ["acme/packed"]),
        ({"author": "other"}, ["other/gated", "other/asks"]),
        ({"author": "oth"}, []),
        ({"filter": "gguf"}, ["acme/packed", "other/gated", "other/asks"]),
        ({"filter": ["safetensors", "license:apache-2.0"]}, ["acme/sharded"]),
        ({"filter": ["safetensors", "gguf"]}, []),
        ({"gated": True}, ["other/gated", "other/asks"]),
        ({"gated": False}, ["acme/sharded", "acme/packed"]),
        ({"pipeline_tag": "text-generation"}, ["acme/sharded"]),
        ({"num_parameters": "min:5K,max:6K"}, ["acme/sharded"]),
        ({"num_parameters": "min:6K"}, []),
    ],
)
def test_search_finds_exactly_the_public_matches_in_order(api: HfApi, search, expected):
    assert ids(api.list_models(**search)) == expected


def test_search_shows_private_repositories_only_to_accounts_that_may_read_them(hub, api: HfApi):
    assert ids(api.list_models(token="hf_good"))[0] == "acme/private"
    assert "acme/private" not in ids(api.list_models(token="hf_nogrant"))


def test_search_follows_the_pages(hub: HubDouble, api: HfApi):
    for number in range(1001):
        hub.add(Repository(id=f"many/model-{number:04}", files={"config.json": CONFIG}))
    hub.reset_counters()
    found = ids(api.list_models(author="many"))
    assert found == [f"many/model-{number:04}" for number in range(1001)]
    assert hub.counters.hub.requests == {"GET models": 2}


def test_search_refuses_a_parameter_the_double_does_not_know(api: HfApi):
    with pytest.raises(BadRequestError, match="the double does not know apps"):
        list(api.list_models(apps="vllm"))


def test_search_sends_the_keys_of_its_mode(hub: HubDouble):
    (brief,) = fetch(f"{hub.endpoint}/api/models?search=sharded").json()
    (full,) = fetch(f"{hub.endpoint}/api/models?search=sharded&full=true").json()
    query = "search=sharded&expand=gated&expand=safetensors&expand[]=gguf"
    (expanded,) = fetch(f"{hub.endpoint}/api/models?{query}").json()
    assert brief.keys() == {
        *("_id", "id", "modelId", "likes", "private", "downloads", "tags", "pipeline_tag"),
        *("library_name", "createdAt", "trendingScore"),
    }
    assert full.keys() - brief.keys() == {
        *("author", "sha", "lastModified", "gated", "disabled", "siblings"),
    }
    assert expanded == {
        "_id": brief["_id"],
        "id": "acme/sharded",
        "gated": False,
        "safetensors": {"parameters": PARAMETERS, "total": sum(PARAMETERS.values())},
    }


def test_model_info_tells_the_repository_and_its_files(hub: HubDouble, api: HfApi):
    info = api.model_info("acme/packed", files_metadata=True)
    weights = hub.file("acme/packed", "model.gguf")
    assert (info.id, info.author, info.private, info.gated) == ("acme/packed", "acme", False, False)
    assert (info.downloads, info.likes, info.gguf) == (20, 2, {"architecture": "llama"})
    assert info.tags == ["gguf", "region:us"]
    assert len(info.sha) == 40
    assert info.used_storage == len(CONFIG) + len(WEIGHTS)
    config, gguf = info.siblings
    assert (config.rfilename, config.size, config.lfs) == ("config.json", len(CONFIG), None)
    assert (gguf.rfilename, gguf.size) == ("model.gguf", len(WEIGHTS))
    assert gguf.lfs.sha256 == weights.sha256
    assert gguf.lfs.pointer_size == weights.pointer_size_bytes == 132


def test_model_info_has_card_and_computed_tags(api: HfApi):
    info = api.model_info("acme/sharded")
    assert info.card_data.to_dict() == {
        "license": "apache-2.0",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["llama"],
    }
    assert info.tags == [
        *("transformers", "text-generation", "llama", "safetensors"),
        *("license:apache-2.0", "region:us"),
    ]
    assert info.safetensors.parameters == PARAMETERS


def test_model_info_restricts_to_expanded_keys(api: HfApi):
    info = api.model_info("other/gated", expand=["gated"])
    assert (info.gated, info.sha, info.tags) == ("manual", None, None)


def test_tree_lists_files_and_folders_in_order(hub: HubDouble, api: HfApi):
    entries = list(api.list_repo_tree("acme/sharded", recursive=True))
    assert [(entry.path, isinstance(entry, RepoFolder)) for entry in entries] == [
        ("config.json", False),
        ("docs", True),
        ("docs/a", True),
        ("docs/a/one.md", False),
        ("docs/two.md", False),
        ("model-00001-of-00002.safetensors", False),
        ("model-00002-of-00002.safetensors", False),
        ("model.safetensors.index.json", False),
    ]
    shard = next(entry for entry in entries if entry.path.startswith("model-00001"))
    assert shard.lfs.sha256 == hub.file("acme/sharded", shard.path).sha256
    assert shard.xet_hash is None


def test_tree_of_a_folder_is_flat_unless_recursive(hub: HubDouble, api: HfApi):
    paths = [entry.path for entry in api.list_repo_tree("acme/sharded", "docs")]
    assert paths == ["docs/a", "docs/two.md"]
    slashed = fetch(f"{hub.endpoint}/api/models/acme/sharded/tree/main/docs/")
    assert [entry["path"] for entry in slashed.json()] == paths
    root = fetch(f"{hub.endpoint}/api/models/acme/sharded/tree/main/?recursive=0")
    assert [entry["type"] for entry in root.json()].count("directory") == 1


def test_tree_follows_the_pages(hub: HubDouble, api: HfApi):
    hub.add(Repository(id="acme/many", files={f"part-{n:04}.txt": b"x" for n in range(1001)}))
    hub.reset_counters()
    paths = [entry.path for entry in api.list_repo_tree("acme/many", recursive=True)]
    assert paths == [f"part-{number:04}.txt" for number in range(1001)]
    assert hub.counters.hub.requests == {"GET tree": 2}


def test_tree_expands_commits_and_scans(api: HfApi):
    config = next(iter(api.list_repo_tree("acme/packed", expand=True)))
    assert config.last_commit.oid == api.model_info("acme/packed").sha
    assert config.security.safe is True


def test_paths_info_takes_form_and_json_and_skips_the_missing(hub: HubDouble, api: HfApi):
    entries = api.get_paths_info("acme/sharded", ["docs", "config.json", "missing"])
    assert [type(entry) for entry in entries] == [RepoFolder, RepoFile]
    assert entries[1].blob_id == hub.file("acme/sharded", "config.json").git_oid
    reply = fetch(
        f"{hub.endpoint}/api/models/acme/sharded/paths-info/main",
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps({"paths": ["config.json"]}).encode(),
    )
    assert [entry["path"] for entry in reply.json()] == ["config.json"]


def test_refs_and_revisions_follow_a_moved_branch(hub: HubDouble, api: HfApi):
    old = api.model_info("acme/sharded").sha
    new = hub.move_branch("acme/sharded", {"config.json": b"{}", "docs/two.md": None})
    side = hub.move_branch("acme/sharded", {"side.txt": b"s"}, branch="feature/side")
    refs = api.list_repo_refs("acme/sharded", include_pull_requests=True)
    assert {ref.name: ref.target_commit for ref in refs.branches} == {
        "main": new,
        "feature/side": side,
    }
    assert {ref.ref: ref.target_commit for ref in refs.tags} == {"refs/tags/v1": old}
    assert refs.pull_requests == []
    for revision, sha in {
        None: new,
        "refs/heads/main": new,
        "feature/side": side,
        "v1": old,
        old: old,
    }.items():
        assert api.model_info("acme/sharded", revision=revision).sha == sha
    paths = [entry.path for entry in api.list_repo_tree("acme/sharded", "docs", revision=new)]
    assert paths == ["docs/a"]


def test_equal_content_has_an_equal_commit():
    with HubDouble() as one, HubDouble() as two:
        repository = Repository(id="acme/x", files={"config.json": CONFIG})
        assert one.add(repository) == two.add(repository)
        assert one.move_branch("acme/x", {"config.json": b"{}"}) != two.add(repository)
        assert one.move_branch("acme/x", {"config.json": CONFIG}) == two.add(repository)


def test_git_oids_are_those_of_git(hub: HubDouble):
    """`printf '1' | git hash-object --stdin`."""
    oid = hub.file("acme/sharded", "docs/a/one.md").git_oid
    assert oid == "56a6051ca2b02b04ef92d5150c9ef600403cb1de"


def test_whoami_knows_two_tokens(api: HfApi):
    assert api.whoami("hf_good")["name"] == "alice"
    assert api.whoami("hf_nogrant")["name"] == "bob"
    with pytest.raises(HfHubHTTPError) as caught:
        api.whoami("hf_wrong")
    assert caught.value.response.status_code == 401


@pytest.mark.parametrize(("token", "status"), [(False, 401), ("hf_nogrant", 404)])
@pytest.mark.parametrize("repository_id", ["acme/private", "acme/missing"])
def test_private_and_missing_look_the_same(api: HfApi, repository_id, token, status):
    with pytest.raises(RepositoryNotFoundError) as caught:
        api.model_info(repository_id, token=token)
    assert caught.value.response.status_code == status


def test_bad_token_is_refused_even_for_public_repositories(api: HfApi):
    with pytest.raises(HfHubHTTPError) as caught:
        api.model_info("acme/packed", token="hf_wrong")
    assert not isinstance(caught.value, RepositoryNotFoundError)
    assert caught.value.response.headers["X-Error-Message"] == (
        "Invalid credentials in Authorization header"
    )


def test_unknown_revision_and_folder_are_told_apart(api: HfApi):
    with pytest.raises(RevisionNotFoundError):
        api.model_info("acme/packed", revision="nowhere")
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree("acme/packed", "nowhere"))
