"""What arrives is exactly what the commit lists; what is there already is used."""

import hashlib

import pytest

from infra.hub.errors import AuthFailed, EntryNotFound, Gated, HubError, RepoNotFound
from infra.hub.snapshot import HubFile
from infra.hub.transfer.plan import TransferPlan
from tests.fakes.hub import HubOptions
from tests.fakes.hub.counters import ServedRange
from tests.infra.hub.repository import CONFIG, FILES, MIB, REPO, WEIGHTS, noise, plan_for, tiny
from tests.infra.hub.watching import contents, run, transfer_threads

SHA256 = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}


@pytest.mark.parametrize("parallel_files", [1, 4, 32])
def test_every_file_arrives_with_its_bytes_and_nothing_else_does(
    hub, commit, tmp_path, parallel_files
):
    plan = plan_for(hub, *FILES, revision=commit, parallel_files=parallel_files)
    heard = run(plan, tmp_path / "not" / "yet")
    assert contents(tmp_path / "not" / "yet") == FILES
    assert heard.verified == SHA256
    assert sorted(heard.started) == sorted(FILES)
    assert heard.bytes == {path: len(content) for path, content in FILES.items() if content}
    assert min(heard.steps) > 0
    assert heard.retries == []
    assert transfer_threads() == []


def test_bytes_are_fetched_once_and_the_token_stays_at_the_hub(hub, tmp_path):
    commit = hub.add(tiny(gated="manual", private=True))
    heard = run(plan_for(hub, *FILES, revision=commit, token="hf_good"), tmp_path)
    assert heard.verified == SHA256
    sent = hub.counters
    fetched = sent.hub.bytes_by_blob | sent.cdn.bytes_by_blob
    assert fetched == {SHA256[path]: len(content) for path, content in FILES.items() if content}
    # One request per file with content, and one redirect per LFS file; none to ask first.
    assert sent.hub.requests == {"GET resolve": 4}
    assert sent.cdn.requests == {"GET blob": 2}
    assert sent.hub.authorized == 4
    assert sent.cdn.auth_leaks == 0


def test_one_connection_serves_many_small_files(hub, tmp_path):
    files = {f"part_{n:03}.json": b"%d" % n for n in range(100)}
    commit = hub.add(tiny(files=files))
    run(plan_for(hub, *files, revision=commit, connections=2, max_connections=2), tmp_path)
    assert contents(tmp_path) == files
    assert hub.counters.hub.connections == 2


@pytest.mark.parametrize(
    "options", [HubOptions(resolve_cache=True), HubOptions(gzip=True), HubOptions(weak_etags=True)]
)
def test_lawful_habits_of_the_hub_change_nothing(hub, commit, tmp_path, options):
    hub.options = options
    run(plan_for(hub, *FILES, revision=commit), tmp_path)
    assert contents(tmp_path) == FILES


def test_a_commit_is_fetched_though_the_branch_has_moved(hub, commit, tmp_path):
    plan = plan_for(hub, *FILES, revision=commit)
    hub.move_branch(REPO, {WEIGHTS: noise(MIB, seed=9), CONFIG: None})
    run(plan, tmp_path)
    assert contents(tmp_path) == FILES


def test_no_files_need_no_hub(tmp_path):
    plan = TransferPlan(
        endpoint="http://127.0.0.1:1",
        token=None,
        repo=REPO,
        revision="c" * 40,
        files=(),
        parallel_files=4,
        timeout_s=1,
    )
    assert run(plan, tmp_path).started == []


def test_files_in_place_are_verified_and_not_fetched_again(hub, commit, tmp_path):
    plan = plan_for(hub, *FILES, revision=commit)
    run(plan, tmp_path)
    hub.reset_counters()
    heard = run(plan, tmp_path)
    assert contents(tmp_path) == FILES
    assert heard.verified == SHA256
    assert heard.total_bytes == sum(map(len, FILES.values()))
    assert hub.counters.hub.request_count == 0


def test_file_in_place_with_other_content_is_replaced(hub, commit, tmp_path):
    (tmp_path / CONFIG).write_bytes(b"x" * len(FILES[CONFIG]))
    (tmp_path / WEIGHTS).write_bytes(FILES[WEIGHTS] + b"too long")
    heard = run(plan_for(hub, CONFIG, WEIGHTS, revision=commit), tmp_path)
    assert contents(tmp_path) == {path: FILES[path] for path in (CONFIG, WEIGHTS)}
    assert heard.bytes == {path: len(FILES[path]) for path in (CONFIG, WEIGHTS)}


def test_part_of_an_earlier_attempt_is_continued_where_it_ends(hub, commit, tmp_path):
    (tmp_path / f"{WEIGHTS}.part").write_bytes(FILES[WEIGHTS][: 3 * MIB])
    heard = run(plan_for(hub, WEIGHTS, revision=commit), tmp_path)
    assert contents(tmp_path) == {WEIGHTS: FILES[WEIGHTS]}
    assert heard.verified == {WEIGHTS: SHA256[WEIGHTS]}
    assert heard.total_bytes == len(FILES[WEIGHTS])
    size_bytes = len(FILES[WEIGHTS])
    assert hub.counters.cdn.ranges == (ServedRange(SHA256[WEIGHTS], 3 * MIB, size_bytes),)


def test_part_that_is_not_the_beginning_is_found_out_and_fetched_anew(hub, commit, tmp_path):
    (tmp_path / f"{WEIGHTS}.part").write_bytes(b"\0" * MIB)
    heard = run(plan_for(hub, WEIGHTS, revision=commit), tmp_path)
    assert contents(tmp_path) == {WEIGHTS: FILES[WEIGHTS]}
    assert heard.total_bytes == len(FILES[WEIGHTS])
    assert [retry.path for retry in heard.retries] == [WEIGHTS]


def test_file_whose_name_is_that_of_a_part_survives(hub, tmp_path):
    files = {"a.bin": noise(MIB, seed=3), "a.bin.part": noise(MIB, seed=4)}
    commit = hub.add(tiny(files=files))
    run(plan_for(hub, *files, revision=commit), tmp_path)
    assert contents(tmp_path) == files


@pytest.mark.parametrize("path", [WEIGHTS, CONFIG])
@pytest.mark.parametrize("token", [None, "hf_nogrant"])
def test_gated_repository_names_its_licence_page(hub, tmp_path, path, token):
    commit = hub.add(tiny(gated="auto"))
    with pytest.raises(Gated) as caught:
        run(plan_for(hub, path, revision=commit, token=token), tmp_path)
    assert caught.value.licence_url == f"{hub.endpoint}/{REPO}"
    assert hub.counters.hub.request_count == 1


def test_refused_token_is_told_and_not_retried(hub, commit, tmp_path):
    with pytest.raises(AuthFailed):
        run(plan_for(hub, CONFIG, revision=commit, token="hf_revoked"), tmp_path)
    assert hub.counters.hub.request_count == 1


def test_repository_that_is_hidden_meanwhile_is_not_found(hub, tmp_path):
    commit = hub.add(tiny(private=True))
    with pytest.raises(RepoNotFound):
        run(plan_for(hub, CONFIG, revision=commit), tmp_path)


def missing(hub, *, revision: str) -> TransferPlan:
    listed = plan_for(hub, CONFIG, WEIGHTS, revision=revision)
    files = (*listed.files, HubFile("missing.bin", 3, "a" * 64, "b" * 40))
    return TransferPlan(
        endpoint=hub.endpoint,
        token=None,
        repo=REPO,
        revision=revision,
        files=files,
        parallel_files=1,
        timeout_s=5,
    )


def test_missing_file_is_named(hub, commit, tmp_path):
    with pytest.raises(EntryNotFound) as caught:
        run(missing(hub, revision=commit), tmp_path)
    assert caught.value.path == "missing.bin"
    assert (caught.value.repo, caught.value.revision) == (REPO, commit)


def test_endpoint_that_is_no_address_is_an_error_of_the_house(hub, commit, tmp_path):
    with pytest.raises(HubError, match="not an http address"):
        run(plan_for(hub, CONFIG, revision=commit, endpoint="hub.example"), tmp_path)
