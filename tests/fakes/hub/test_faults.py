"""Each switch does what it says, as often as it says, and only to what it names."""

import json
import time

import pytest
from huggingface_hub.utils import parse_ratelimit_headers

from tests.fakes.hub import HubDouble
from tests.fakes.hub.conftest import CONFIG, WEIGHTS
from tests.fakes.hub.counters import ServedRange
from tests.fakes.hub.faults import (
    Corrupt,
    ExpireUrls,
    IgnoreRange,
    Rate,
    Stall,
    Status,
    Truncate,
    WrongContentLength,
    WrongContentRange,
    parse_fault,
)
from tests.fakes.hub.wire import Reply, fetch

SIZE = len(WEIGHTS)


@pytest.fixture
def url(hub: HubDouble) -> str:
    return signed(hub)


def signed(hub: HubDouble) -> str:
    reply = fetch(f"{hub.endpoint}/acme/packed/resolve/main/model.gguf", method="HEAD")
    return reply.headers["location"]


def ranged(url: str, span: str, **headers: str) -> Reply:
    return fetch(url, headers={"Range": f"bytes={span}", **headers})


@pytest.mark.parametrize(
    ("span", "start", "end"),
    [
        ("0-0", 0, 1),
        ("10-19", 10, 20),
        ("999000-", 999_000, SIZE),
        ("-7", SIZE - 7, SIZE),
        ("999999-2000000", SIZE - 1, SIZE),
    ],
)
def test_ranges_are_served_and_counted_exactly(hub: HubDouble, url, span, start, end):
    reply = ranged(url, span)
    assert (reply.status, reply.body, reply.cut) == (206, WEIGHTS[start:end], False)
    assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert reply.headers["content-length"] == str(end - start)
    sha256 = hub.file("acme/packed", "model.gguf").sha256
    assert reply.headers["etag"] == f'"{sha256}"'
    counters = hub.counters.cdn
    assert counters.ranges == (ServedRange(sha256, start, end),)
    assert counters.bytes_by_blob == {sha256: end - start}
    assert counters.statuses == {206: 1}


@pytest.mark.parametrize("span", ["1000000-", "5000000-6000000", "-0"])
def test_a_range_behind_the_end_is_unsatisfiable(hub: HubDouble, url, span):
    reply = ranged(url, span)
    assert (reply.status, reply.headers["content-range"]) == (416, f"bytes */{SIZE}")
    assert hub.counters.cdn.body_bytes == 0


@pytest.mark.parametrize("span", ["5-2", "0-1,4-5", "x-y", "-"])
def test_a_range_that_is_none_gets_the_whole_file(url, span):
    reply = ranged(url, span)
    assert (reply.status, reply.body) == (200, WEIGHTS)


def test_a_conditional_range_needs_the_same_etag(url):
    etag = fetch(url, method="HEAD").headers["etag"]
    assert ranged(url, "0-9", **{"If-Range": etag}).status == 206
    assert ranged(url, "0-9", **{"If-Range": '"other"'}).status == 200


def test_git_files_on_the_hub_take_ranges_too(hub: HubDouble):
    reply = ranged(f"{hub.endpoint}/acme/packed/resolve/main/config.json", "2-5")
    assert (reply.status, reply.body) == (206, CONFIG[2:6])


def test_cdn_refuses_unsigned_and_foreign_signatures(hub: HubDouble, url):
    other = hub.file("acme/packed", "config.json").sha256
    assert fetch(url.partition("?")[0]).status == 403
    assert fetch(url.replace("sig=", "sig=0")).status == 403
    assert fetch(f"{hub.cdn}/blobs/{other}?{url.partition('?')[2]}").status == 403


def test_expired_addresses_are_refused_until_signed_anew(hub: HubDouble):
    hub.faults.hub.set(ExpireUrls(ttl_s=-1, times=1))
    assert fetch(signed(hub)).status == 403
    assert fetch(signed(hub)).body == WEIGHTS


def test_status_fires_as_often_as_said(hub: HubDouble, url):
    fault = Status(status=503, times=2)
    hub.faults.cdn.set(fault)
    assert [fetch(url).status for _ in range(3)] == [503, 503, 200]
    assert hub.faults.cdn.fired(fault) == 2
    assert hub.counters.cdn.statuses == {503: 2, 200: 1}


def test_status_on_the_hub_hits_only_its_target(hub: HubDouble):
    hub.faults.hub.set(Status(status=500, target="*/resolve/*"))
    assert fetch(f"{hub.endpoint}/acme/packed/resolve/main/config.json").status == 500
    assert fetch(f"{hub.endpoint}/api/models/acme/packed").status == 200
    assert hub.faults.cdn.fired(Status(status=500)) == 0


def test_cdn_faults_hit_only_the_files_they_name(hub: HubDouble, url):
    hub.faults.cdn.set(Status(status=500, target="acme/sharded/*"))
    assert fetch(url).status == 200
    hub.faults.cdn.set(Status(status=500, target="*/model.gguf"))
    assert fetch(url).status == 500


def test_too_many_requests_says_when_to_come_back(hub: HubDouble, url):
    hub.faults.cdn.set(Status(status=429, retry_after_s=2))
    assert fetch(url).headers["retry-after"] == "2"
    hub.faults.hub.set(Status(status=429, rate_limit_reset_s=55))
    reply = fetch(f"{hub.endpoint}/api/models")
    limit = parse_ratelimit_headers(reply.headers)
    assert (limit.resource_type, limit.remaining, limit.reset_in_seconds) == ("resolvers", 0, 55)
    assert (limit.limit, limit.window_seconds) == (3000, 300)


def test_truncate_cuts_longer_bodies_only(hub: HubDouble, url):
    hub.faults.cdn.set(Truncate(after_bytes=300_000, times=1))
    assert len(ranged(url, "0-299999").body) == 300_000
    cut = fetch(url)
    assert (cut.body, cut.cut) == (WEIGHTS[:300_000], True)
    assert cut.headers["content-length"] == str(SIZE)
    assert fetch(url).body == WEIGHTS
    assert hub.counters.cdn.body_bytes == 300_000 * 2 + SIZE


def test_truncate_at_zero_sends_the_headers(hub: HubDouble, url):
    hub.faults.cdn.set(Truncate(after_bytes=0))
    assert (fetch(url).status, fetch(url).body) == (200, b"")


def test_corrupt_inverts_one_byte_of_the_file_in_any_range(hub: HubDouble, url):
    fault = Corrupt(offset=500_000, times=2)
    hub.faults.cdn.set(fault)
    expected = bytearray(WEIGHTS)
    expected[500_000] ^= 0xFF
    assert ranged(url, "0-499999").body == WEIGHTS[:500_000]
    assert hub.faults.cdn.fired(fault) == 0
    assert ranged(url, "499990-500009").body == expected[499_990:500_010]
    assert fetch(url).body == expected
    assert fetch(url).body == WEIGHTS


def test_stall_goes_silent_and_then_continues(hub: HubDouble, url):
    hub.faults.cdn.set(Stall(after_bytes=1000, duration_s=0.3, times=1))
    started = time.monotonic()
    assert fetch(url).body == WEIGHTS
    assert time.monotonic() - started >= 0.3


def test_stall_without_end_lasts_until_the_faults_change(hub: HubDouble, url):
    fault = Stall(after_bytes=1000)
    hub.faults.cdn.set(fault)
    with pytest.raises(TimeoutError):
        fetch(url, timeout_s=0.3)
    assert hub.faults.cdn.fired(fault) == 1
    assert hub.counters.cdn.body_bytes == 1000
    hub.faults.clear()
    assert fetch(url).body == WEIGHTS


def test_ignored_range_answers_with_the_whole_file(hub: HubDouble, url):
    hub.faults.cdn.set(IgnoreRange(times=1))
    assert fetch(url).status == 200
    reply = ranged(url, "10-19")
    assert (reply.status, reply.body) == (200, WEIGHTS)
    assert "content-range" not in reply.headers
    assert ranged(url, "10-19").body == WEIGHTS[10:20]


def test_wrong_content_range_lies_about_the_place_only(hub: HubDouble, url):
    hub.faults.cdn.set(WrongContentRange(shift_bytes=4, times=1))
    reply = ranged(url, "10-19")
    assert (reply.status, reply.body) == (206, WEIGHTS[10:20])
    assert reply.headers["content-range"] == f"bytes 14-23/{SIZE}"
    assert ranged(url, "10-19").headers["content-range"] == f"bytes 10-19/{SIZE}"


@pytest.mark.parametrize(("delta", "sent", "cut"), [(5, 10, True), (-3, 7, False)])
def test_wrong_content_length_lies_about_the_size(hub: HubDouble, url, delta, sent, cut):
    hub.faults.cdn.set(WrongContentLength(delta_bytes=delta, times=1))
    reply = ranged(url, "10-19")
    assert reply.headers["content-length"] == str(10 + delta)
    assert (reply.body, reply.cut) == (WEIGHTS[10 : 10 + sent], cut)
    assert hub.counters.cdn.body_bytes == sent


@pytest.mark.parametrize("per_connection", [False, True])
def test_rate_paces_the_body(hub: HubDouble, url, per_connection):
    hub.faults.cdn.set(Rate(bytes_per_s=2_000_000, per_connection=per_connection))
    started = time.monotonic()
    assert fetch(url).body == WEIGHTS
    assert time.monotonic() - started >= 0.45


def test_control_plane_switches_and_shows_each_origin_alone(hub: HubDouble, url):
    fault = {"kind": "truncate", "after_bytes": 10, "times": 1}
    changed = control(hub.cdn, {"faults": [fault]})
    assert changed["faults"] == [{**fault, "target": "*", "fired": 0}]
    assert fetch(url).body == WEIGHTS[:10]
    state = fetch(f"{hub.cdn}/__ctl").json()
    assert (state["origin"], state["url"], state["faults"][0]["fired"]) == ("cdn", hub.cdn, 1)
    sha256 = hub.file("acme/packed", "model.gguf").sha256
    assert state["counters"]["bytes_by_blob"] == {sha256: 10}
    assert state["counters"]["ranges"] == [{"sha256": sha256, "start": 0, "end": SIZE}]
    assert fetch(f"{hub.endpoint}/__ctl").json()["faults"] == []
    reset = control(hub.cdn, {"reset": True})
    assert (reset["faults"], reset["counters"]["requests"]) == ([], {})


def test_control_plane_of_the_hub_moves_mutates_and_sets_options(hub: HubDouble):
    order = {"repository": "acme/packed", "changes": {"config.json": "{}", "model.gguf": None}}
    state = control(hub.endpoint, {"move_branch": order, "options": {"xet": True}})
    assert state["options"]["xet"] is True
    assert hub.options.xet
    file = f"{hub.endpoint}/acme/packed/resolve/main/config.json"
    assert fetch(file).body == b"{}"
    control(
        hub.endpoint,
        {"mutate": {"repository": "acme/packed", "path": "config.json", "content": "!"}},
    )
    assert fetch(file).body == b"!"


@pytest.mark.parametrize(
    "body",
    [
        {"unknown": 1},
        {"faults": [{"kind": "truncate"}]},
        {"faults": [{"kind": "truncate", "after": 1}]},
        {"faults": [{"kind": "status", "status": "503"}]},
        {"faults": [{"kind": "explode"}]},
        {"faults": [{"kind": "rate", "bytes_per_s": 0}]},
        {"options": {"magic": True}},
        {"move_branch": {"repository": "no/such", "changes": {}}},
        [],
    ],
)
def test_control_plane_refuses_what_it_does_not_know(hub: HubDouble, body):
    reply = fetch(f"{hub.endpoint}/__ctl", method="POST", body=json.dumps(body).encode())
    assert reply.status == 400
    assert fetch(f"{hub.endpoint}/__ctl").json()["faults"] == []


def test_faults_are_read_from_documents():
    fault = parse_fault({"kind": "stall", "after_bytes": 1, "duration_s": 5, "target": "*.gguf"})
    assert fault == Stall(after_bytes=1, duration_s=5, target="*.gguf")


def control(origin: str, body: dict) -> dict:
    reply = fetch(f"{origin}/__ctl", method="POST", body=json.dumps(body).encode())
    assert reply.status == 200, reply.body
    return reply.json()
