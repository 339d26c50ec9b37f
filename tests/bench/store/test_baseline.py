"""Baselines: deterministic bytes, a digest that notices, and nothing that a comparison needs left out."""

import hashlib

import msgspec
import pytest
from planted_records import make_workload, planted_record

from bench.statistics.gates.comparison import compare
from bench.statistics.gates.verdicts import GateSettings
from bench.store.baseline import BaselineError, decode_baseline, encode_baseline, read_baseline, records_digest

WORKLOAD = make_workload()
PROTOCOL = b'"protocol_version":"%s"' % planted_record(WORKLOAD).protocol_version.encode()


@pytest.fixture
def records():
    return [planted_record(WORKLOAD, method, seed) for method in ("nsgan", "hinge") for seed in range(3)]


def test_the_same_records_give_the_same_bytes_in_whatever_order(records):
    assert encode_baseline("main", records) == encode_baseline("main", records[::-1])


def test_a_line_a_trial_and_no_curves(records):
    content = encode_baseline("main", records)
    lines = content.decode().splitlines()
    assert len(lines) == 7
    assert all(len(line) < 1500 for line in lines)
    made = decode_baseline(content, "here")
    assert (made.header.baseline, made.header.trials) == ("main", 6)
    assert {record.trial_id for record in made.records} == {record.trial_id for record in records}
    assert all(record.history == msgspec.convert({}, type(record.history)) for record in made.records)


def test_a_comparison_cannot_tell_a_baseline_from_its_records(records):
    new = [msgspec.structs.replace(each, metrics={**each.metrics, "distance": 130.0}) for each in records]
    kept = decode_baseline(encode_baseline("main", records), "here").records
    workloads, settings = {"digits": WORKLOAD}, GateSettings(resamples=200)
    assert compare(kept, new, workloads, settings) == compare(records, new, workloads, settings)
    assert compare(kept, records, workloads, settings).rows[0].findings[0].note.startswith("identical")
    assert (
        records_digest(records)
        == records_digest(kept)
        == decode_baseline(encode_baseline("other name", records), "here").header.digest
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda content: content.replace(b'"seed":1', b'"seed":7', 1), "does not fit its digest"),
        (lambda content: content[:-200], "does not fit its digest"),
        (lambda content: b"<<<<<<< ours\n" + content, "is not a baseline"),
        (lambda content: b"", "is not a baseline"),
        (lambda content: content.replace(b'"schema_version":1', b'"schema_version":9', 1), "newer program"),
    ],
)
def test_a_file_that_was_touched_is_refused(records, spoil, words):
    with pytest.raises(BaselineError, match=words) as caught:
        decode_baseline(spoil(encode_baseline("main", records)), "baselines/main.jsonl")
    assert "baselines/main.jsonl" in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(BaselineError, match="cannot be read"):
        read_baseline(tmp_path)


def frozen_again(content, *replacements):
    """A baseline as somebody edits it who knows about the digest."""
    header, _, body = content.partition(b"\n")
    for old, new in replacements:
        assert body.count(old) >= 1
        body = body.replace(old, new, 1)
    header = msgspec.json.decode(header) | {"digest": hashlib.sha256(body).hexdigest()}
    return msgspec.json.encode(header) + b"\n" + body


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"seed":1', b'"seed":7', "line 3, calls its trial .*one of them was edited; restore the file from git"),
        (b'"losses":"1"', b'"losses":"2"', "line 2, calls its trial"),
        (b'"seed":1', b'"seed":7,"seed":1', "line 3, .*the key 'seed' is there twice"),
        (b'"schema_version":1', b'"schema_version":0', "line 2, says that it has schema 0, which there is not"),
        (b'"schema_version":1', b'"schema_version":2', "line 2, says that it has schema 2, which there is not"),
        (PROTOCOL + b',"trial_id"', b'"protocol_version":"0.9","trial_id"', "line 2, names two protocol versions"),
    ],
)
def test_a_trial_that_was_edited_with_its_digest_is_refused_by_its_line(records, old, new, words):
    content = encode_baseline("main", records)
    assert decode_baseline(frozen_again(content), "here").records == decode_baseline(content, "here").records
    with pytest.raises(BaselineError, match=f"baselines/main.jsonl, {words}"):
        decode_baseline(frozen_again(content, (old, new)), "baselines/main.jsonl")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"schema_version":1', b'"schema_version":0', "says that it has schema 0, and the first one was 1"),
        (b'"baseline":"main"', b'"baseline":"a","baseline":"main"', "the key 'baseline' is there twice"),
    ],
)
def test_a_header_that_was_edited_is_refused(records, old, new, words):
    content = encode_baseline("main", records)
    assert old in content.partition(b"\n")[0]
    with pytest.raises(BaselineError, match=words):
        decode_baseline(content.replace(old, new, 1), "here")


@pytest.mark.parametrize(
    "changed",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"),
    ],
)
def test_what_windows_does_to_a_text_is_undone(records, changed):
    content = encode_baseline("main", records)
    assert changed(content) != content
    assert decode_baseline(changed(content), "here") == decode_baseline(content, "here")


@pytest.mark.parametrize("said", [0, 5, 7, 2**62])
def test_the_count_in_the_header_is_held_to_the_lines(records, said):
    content = encode_baseline("main", records)
    assert content.count(b'"trials":6') == 1
    with pytest.raises(BaselineError, match=f"says that it has {said:,} trials, and has 6: its first line was edited"):
        decode_baseline(content.replace(b'"trials":6', b'"trials":%d' % said), "here")


def test_a_baseline_without_trials_is_one():
    assert decode_baseline(encode_baseline("none", []), "here").records == ()
