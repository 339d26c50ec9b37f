"""Reading records and baselines from a git revision."""

import subprocess

import pytest
from planted_records import make_workload, planted_record
from synthetic import write

from bench.store.baseline import Baseline, encode_baseline
from bench.store.journal import RecordError
from bench.store.revision import AbsentError, RevisionError, read_blob, read_revision, split


def git(folder, *arguments):
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    """Two commits: `first` with records and a baseline, then one that removes both."""
    records = [planted_record(make_workload(), seed=seed) for seed in range(3)]
    git(tmp_path, "init", "-q")
    write(records[:2], tmp_path / "results" / "published" / "one")
    write(records[2:], tmp_path / "results" / "published" / "two")
    (tmp_path / "main.jsonl").write_bytes(encode_baseline("main", records))
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "first")
    git(tmp_path, "tag", "first")
    git(tmp_path, "rm", "-q", "-r", "results", "main.jsonl")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "second")
    return tmp_path


def test_records_anywhere_below_the_path(repository):
    assert [record.spec.seed for record in sorted_by_seed(read_revision("git:first", repository))] == [0, 1, 2]
    assert len(read_revision("git:HEAD~1:results/published/two", repository)) == 1
    (repository / "below").mkdir()
    assert len(read_revision("git:first", repository / "below")) == 3


def sorted_by_seed(records):
    return sorted(records, key=lambda record: record.spec.seed)


def test_a_baseline_file(repository):
    found = read_revision("git:first:main.jsonl", repository)
    assert isinstance(found, Baseline)
    assert found.header.trials == 3


@pytest.mark.parametrize("text", ["git:HEAD", "git:first:nowhere"])
def test_a_path_that_is_not_there_is_told_apart(repository, text):
    with pytest.raises(AbsentError, match="has no"):
        read_revision(text, repository)


def test_an_unknown_revision_says_what_shallow_clones_lack(repository):
    with pytest.raises(RevisionError, match="fetch-depth: 0"):
        read_revision("git:nonsense", repository)


@pytest.mark.parametrize("text", ["git:", "git::path", "git:--output=/tmp/x"])
def test_what_is_no_revision_is_refused(text):
    with pytest.raises(RevisionError, match="names no revision"):
        split(text)


def test_outside_a_repository(tmp_path):
    with pytest.raises(RevisionError, match="not a git repository"):
        read_revision("git:HEAD", tmp_path)


def test_a_damaged_record_is_named_with_its_revision(repository):
    folder = repository / "results" / "published" / "records"
    folder.mkdir(parents=True)
    (folder / f"{'a' * 16}.0.json").write_text("{")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "third")
    with pytest.raises(RecordError, match=r"git:HEAD:results/published/records/a{16}\.0\.json is damaged"):
        read_revision("git:HEAD", repository)


def test_what_archives_leave_out_is_read_all_the_same(repository):
    """`git archive` leaves out `export-ignore`, and with everything left out it would be an empty set of records."""
    records = [planted_record(make_workload(), seed=seed) for seed in range(3)]
    write(records, repository / "results" / "published" / "again")
    (repository / ".gitattributes").write_text("results export-ignore\n*.json export-subst\n")
    (repository / "results" / "published" / "again" / "records" / "link.json").symlink_to("nowhere")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "third")
    assert sorted_by_seed(read_revision("git:HEAD", repository)) == sorted_by_seed(records)


def test_a_path_is_a_path_and_no_pattern(repository):
    write([planted_record(make_workload())], repository / "results" / "a[b]*")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "third")
    assert len(read_revision("git:HEAD:results/a[b]*", repository)) == 1
    with pytest.raises(AbsentError):
        read_revision("git:HEAD:results/*", repository)


def test_one_file_of_a_revision(repository):
    path = repository / "main.jsonl"
    assert read_blob(repository, "first", path) == encode_baseline(
        "main", [planted_record(make_workload(), seed=seed) for seed in range(3)]
    )
    assert read_blob(repository, "HEAD", path) is None
    assert read_blob(repository, "first", repository.parent / "elsewhere") is None
    with pytest.raises(RevisionError, match="knows no revision"):
        read_blob(repository, "nonsense", path)
