"""Records on folders of images: published under a public name, described, and held against from wherever they lie."""

import json

import pytest
from image_records import on_images
from published_folders import records
from synthetic import World, write
from synthetic import make as planted
from whole_records import whole

from bench.extractors.specs import IMAGENET, extractor_component
from bench.store.journal import read_record

PLACE = "/home/somebody/cats"
WORDS = "my own cats, which are at https://example.org/cats"


@pytest.fixture
def source(tmp_path):
    return write(on_images(PLACE), tmp_path / "source")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "results" / "published" / "cats"


def test_images_that_nobody_has_described_are_not_published(bench, source, target):
    result = bench("publish", target, "--from", source)
    assert result.exit_code == 1
    assert "ran on the images of a folder 'cats', and nobody else knows what they are" in result.stdout
    assert "--describe-images 'cats=WHAT THEY ARE'" in result.stdout
    assert not target.exists()


def test_described_images_are_published_without_the_place_they_lay_in(bench, source, target):
    assert bench("publish", target, "--from", source, "--describe-images", f"cats = {WORDS}").exit_code == 0
    assert {read_record(path).spec.workload for path in records(target)} == {"imagefolder:/cats?size=32"}
    assert [path.name for path in records(target)] == [path.name for path in records(source)], "trials keep their ids"
    assert json.loads((target / "manifest.json").read_text())["images"] == {"cats": WORDS}
    for path in target.rglob("*"):
        assert path.is_dir() or b"somebody" not in path.read_bytes(), f"{path.name} names a person's folder"
    assert bench("verify", target).stdout == f"{target}: fine (6 records)\n"
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    for arguments in ([], ["--from", source]):
        assert bench("publish", target, *arguments).exit_code == 0, "what has been said once stays said"
        assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before


def test_all_but_the_place_of_a_record_is_kept(bench, source, target):
    bench("publish", target, "--from", source, "--describe-images", f"cats={WORDS}")
    for path in records(source):
        recorded, public = (json.loads(file.read_bytes()) for file in (path, target / "records" / path.name))
        assert recorded["spec"].pop("workload") == f"imagefolder:{PLACE}?size=32"
        assert public["spec"].pop("workload") == "imagefolder:/cats?size=32"
        assert public == recorded


def test_records_where_a_campaign_ran_are_not_published_in_place(bench, source):
    result = bench("publish", source, "--describe-images", f"cats={WORDS}")
    assert result.exit_code == 1
    assert f"names a path of one machine: 'imagefolder:{PLACE}?size=32'" in result.stdout
    assert "publish --from" in result.stdout


def test_one_name_is_of_one_folder(bench, target, tmp_path):
    both = write([*on_images(PLACE), *on_images("/home/another/cats", content="2")], tmp_path / "source")
    result = bench("publish", target, "--from", both, "--describe-images", f"cats={WORDS}")
    assert result.exit_code == 1
    assert "ran on 2 contents of a folder 'cats'" in result.stdout


def test_one_folder_at_two_sizes_is_described_once(bench, target, tmp_path):
    both = write([*on_images(PLACE), *on_images(PLACE, content="2", size=64)], tmp_path / "source")
    assert bench("publish", target, "--from", both, "--describe-images", f"cats={WORDS}").exit_code == 0
    assert bench("verify", target).stdout == f"{target}: fine (12 records)\n"


@pytest.mark.parametrize("text", ["cats", "=words", "cats=", "cats=one\ntwo"])
def test_a_description_that_is_none_is_bad_input(bench, source, target, text):
    result = bench("publish", target, "--from", source, "--describe-images", text)
    assert result.exit_code == 2
    assert "write NAME=TEXT" in result.stderr


def test_images_that_no_record_ran_on_are_not_described(bench, source, target, tmp_path):
    described = ("--describe-images", f"cats={WORDS}", "--describe-images", "dogs=x")
    result = bench("publish", target, "--from", source, *described)
    assert result.exit_code == 2
    assert "--describe-images dogs: no record ran on a folder of that name; they ran on cats" in result.stderr
    digits = write(map(whole, planted(World(methods=("nsgan",), workloads=("digits",)), 3)), tmp_path / "digits")
    result = bench("publish", tmp_path / "out", "--from", digits, "--describe-images", "dogs=x")
    assert "they ran on no folder of images" in result.stderr


@pytest.mark.parametrize("images", [{}, {"cats": " "}, {"dogs": WORDS}])
def test_a_description_that_was_taken_out_is_missed(bench, source, target, images):
    bench("publish", target, "--from", source, "--describe-images", f"cats={WORDS}")
    path = target / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "images": images}))
    result = bench("verify", target)
    assert result.exit_code == 1
    assert "nobody else knows what they are" in result.stdout


@pytest.mark.parametrize(
    ("extractor", "note"),
    [
        (extractor_component(IMAGENET), ""),
        (f"{IMAGENET}:0123456789ab", f"of extractor {IMAGENET}:0123456789ab, other than this program's {IMAGENET}:"),
        ("random-conv-v1:0123456789ab", "other than this program's random-conv-v1:"),
    ],
)
def test_features_of_photographs_are_compared_with_their_own_kind(bench, target, tmp_path, extractor, note):
    source = write(on_images(PLACE, extractor=extractor), tmp_path / "source")
    bench("publish", target, "--from", source, "--describe-images", f"cats={WORDS}")
    result = bench("verify", target)
    assert result.exit_code == 0
    assert note in result.stdout
    assert ("other than" in result.stdout) == bool(note)


@pytest.fixture
def made(bench, photos, target, tmp_path):
    """Published records of a short campaign on real files, which have moved since; their folder now."""
    budget = ("--steps", "4", "--seeds", "1", "--set", "evaluate_every=2", "--set", "samples=120")
    arguments = ("--workload", f"imagefolder:{photos}", "--method", "nsgan", "--workers", "1")
    assert bench("run", *arguments, *budget, "--results", tmp_path / "local").exit_code == 0
    described = ("--describe-images", "photos=pictures of one color")
    assert bench("publish", target, "--from", tmp_path / "local", *described).exit_code == 0
    return photos.rename(tmp_path / "moved")


@pytest.mark.slow
def test_a_loss_is_held_against_images_that_lie_elsewhere(bench, made, target, tmp_path):
    wanted = ("run", "--against", target, "--method", "hinge", "--workers", "1", "--results", tmp_path / "own")
    missing = bench(*wanted)
    assert missing.exit_code == 2
    assert "/photos does not exist" in missing.stderr
    assert "name the folder with --workload" in missing.stderr
    ran = bench(*wanted, "--workload", f"imagefolder:{made}", "--json")
    assert ran.exit_code == 0, ran.output
    document = json.loads(ran.stdout)
    (table,) = document["tables"]
    assert sorted(row["method"] for row in table["rows"]) == ["hinge", "nsgan"]
    assert [check["comparable"] for check in document["against"]["checks"]] == [True]
    (made / "000.png").unlink()
    other = bench(*wanted, "--workload", f"imagefolder:{made}", "-q")
    assert other.exit_code == 2
    assert f"no record on imagefolder:{made}?size=32; there are some on imagefolder:/photos?size=32" in other.stderr


@pytest.mark.slow
def test_trials_on_images_that_lie_elsewhere_are_trained_again(bench, made, target):
    lost = bench("verify", target, "--rerun", 1)
    assert lost.exit_code == 1
    assert "if the images lie elsewhere, name their folder with --images" in lost.stdout
    assert "git worktree" not in lost.stdout, "their own code would not find them either"
    again = bench("verify", target, "--rerun", 1, "--images", made)
    assert again.exit_code == 0, again.stdout
    assert "imagefolder:/photos?size=32, seed 0: has every number to the last bit" in again.stdout
    (made / "000.png").unlink()
    other = bench("verify", target, "--rerun", 1, "--images", made)
    assert other.exit_code == 1
    assert "was not compared" not in other.stdout
    assert "1 were not compared" in other.stdout
