from pathlib import Path

import pytest

import losses
from bench.common.names import did_you_mean
from bench.config.suite import Suite, load_suite, shipped_suites, suite_names, typed_override
from bench.methods import resolve


def test_shipped_suites_load_and_say_what_they_are() -> None:
    topics = ["topic-balance", "topic-correlation", "topic-diversity", "topic-gradients"]
    others = ["classics", "digits", "library", "mnist", "mnist-mini", "norms", "photographs", "quick"]
    others += ["r3gan-ablation", "smoke"]
    assert suite_names() == [*others, *topics]
    for suite in shipped_suites():
        assert suite.summary
        assert suite.track == "controlled"
        assert suite.d_norm == "none"


def test_digits_suite_is_the_full_comparison() -> None:
    suite = load_suite("digits")
    assert len(suite.methods) == 10
    assert suite.seeds == 10
    assert suite.steps is None, "the workload's own budget, 3,000 steps"


def test_the_library_is_every_named_method_on_the_cell_of_the_topics() -> None:
    suite, topic = load_suite("library"), load_suite("topic-gradients")
    named = losses.names("method")
    aliases = {name for name in named if losses.describe(name, "method").alias}
    assert suite.methods == sorted(set(named) - aliases)
    for setting in ("workloads", "steps", "evaluate_every", "d_norm", "precision", "batch_size"):
        assert getattr(suite, setting) == getattr(topic, setting)


def test_norms_trains_each_loss_plain_and_with_the_same_penalty_at_the_workloads_own_budget() -> None:
    suite = load_suite("norms")
    methods = [str(method) for method in resolve(suite.methods)]
    assert methods[1::2] == [f"{plain} + r1(gamma=10, every=1)" for plain in methods[::2]]
    assert (suite.workloads, suite.steps) == (["digits"], None)


def test_the_ablation_of_r3gan_has_both_losses_with_all_its_penalties() -> None:
    suite, topic = load_suite("r3gan-ablation"), load_suite("topic-diversity")
    penalties = ("", " + r1(gamma=1, every=1)", " + r1(gamma=1, every=1) + r2(gamma=1, every=1)")
    expected = [f"{loss}{penalty}" for loss in ("bce_ns", "rp_bce") for penalty in penalties]
    assert [str(method) for method in resolve(suite.methods)] == expected
    for setting in ("workloads", "steps", "evaluate_every", "seeds"):
        assert getattr(suite, setting) == getattr(topic, setting)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("seeds", "3", 3),
        ("seeds", " 3 ", 3),
        ("steps", "none", None),
        ("steps", "10", 10),
        ("timeout_minutes", "1.5", 1.5),
        ("timeout_minutes", "2", 2.0),
        ("allow_invalid", "true", True),
        ("d_norm", "none", "none"),
        ("name", "3", "3"),
        ("methods", "nsgan", ["nsgan"]),
        ("methods", "nsgan, hinge + r1(gamma=1, every=16),wgan", ["nsgan", "hinge + r1(gamma=1, every=16)", "wgan"]),
        ("workloads", "ring8,,digits,", ["ring8", "digits"]),
    ],
)
def test_typed_override(key: str, text: str, value: object) -> None:
    typed = typed_override(key, text)
    assert typed == value
    assert type(typed) is type(value)
    assert getattr(load_suite("smoke", {key: text}), key) == value


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("sedes", "3", r"unknown key 'sedes' \(did you mean 'seeds'\?\)"),
        ("seeds", "three", "seeds='three' is not a whole number"),
        ("seeds", "2.5", "seeds='2.5' is not a whole number"),
        ("steps", "few", "steps='few' is not a whole number or none"),
        ("timeout_minutes", "soon", "timeout_minutes='soon' is not a number"),
        ("allow_invalid", "perhaps", "allow_invalid='perhaps' is not true or false"),
        ("d_norm", "l", r"d_norm='l' is not one of ln, none, sn, bn \(did you mean 'ln'\?\)"),
        ("precision", "fp16", "precision='fp16' is not one of fp32, tf32, bf16"),
        ("track", "controled", "did you mean 'controlled'"),
    ],
)
def test_overrides_of_the_wrong_kind(key: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_suite("smoke", {key: text})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seeds", 0, "seeds must be at least 1"),
        ("steps", 0, "steps must be at least 1"),
        ("evaluate_every", 0, "evaluate_every must be at least 1"),
        ("samples", 1, "samples must be at least 10"),
        ("batch_size", 1, "batch_size must be at least 2"),
        ("seeds", 10**9, "seeds must be at most 100,000, not 1,000,000,000"),
        ("steps", 10**20, "steps must be at most 2,147,483,647"),
        ("batch_size", 2**31, "batch_size must be at most 2,147,483,647"),
        ("losses", [""], "the path of a file of losses is empty"),
        ("losses", ["~nobody-of-that-name/x.py"], "there is no user of that name"),
        ("timeout_minutes", float("nan"), "timeout_minutes must be a positive number"),
        ("timeout_minutes", 0.0, "timeout_minutes must be a positive number"),
        ("methods", [], "methods must name at least one"),
        ("workloads", "", "workloads must name at least one"),
        ("seeds", True, "seeds=True is not a whole number"),
    ],
)
def test_values_out_of_range(key: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_suite("smoke", {key: value})


def test_own_suite_is_named_after_its_file_and_takes_overrides(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('methods = ["nsgan"]\nworkloads = ["ring8"]\nseeds = 2\n')
    assert load_suite(file) == Suite(name="mine", methods=["nsgan"], workloads=["ring8"], seeds=2)
    assert load_suite(str(file), {"seeds": 5}).seeds == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("methods = [", "is not valid TOML"),
        ('methods = ["nsgan"]', "lacks workloads, seeds"),
        ('method = ["nsgan"]', r"unknown key 'method' in suite file .* \(did you mean 'methods'\?\)"),
        ('methods = "nsgan"', "methods='nsgan' in suite file .* is not a list of texts"),
        ('methods = ["nsgan"]\nworkloads = ["ring8"]\nseeds = "2"', "seeds='2' in suite file .* is not a whole number"),
        ("\udcff", "is not UTF-8 text"),
    ],
)
def test_broken_suite_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=message) as caught:
        load_suite(file)
    assert "broken.toml" in str(caught.value)


def test_a_mark_before_the_text_is_none_of_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(b'\xef\xbb\xbfmethods = ["nsgan"]\r\nworkloads = ["digits"]\r\nseeds = 1\r\n')
    assert load_suite(file).methods == ["nsgan"]


def test_files_of_losses_are_named_as_they_lie_from_the_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "suites" / "mine.toml"
    file.parent.mkdir()
    text = 'methods = ["nsgan"]\nworkloads = ["ring8"]\nseeds = 2\nlosses = ["a.py", "../lib/b.py", "/abs/c.py"]'
    file.write_text(text)
    folder = tmp_path / "suites"
    assert load_suite(file).losses == [str(folder / "a.py"), str(folder / "../lib/b.py"), "/abs/c.py"]
    assert load_suite(file, {"losses": "x.py,y.py"}).losses == ["x.py", "y.py"]
    monkeypatch.setenv("HOME", "/home/own")
    file.write_text(text.replace("a.py", "~/a.py"))
    assert load_suite(file).losses[0] == "/home/own/a.py"
    assert load_suite(file, {"losses": "~/x.py"}).losses == ["/home/own/x.py"]
    file.write_text(text.replace('["a.py", "../lib/b.py", "/abs/c.py"]', '"a.py"'))
    with pytest.raises(ValueError, match=r"losses='a\.py' in suite file .* is not a list of texts"):
        load_suite(file)


def test_unknown_suites(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown suite 'quik' \(did you mean 'quick'\?\); there are classics, "):
        load_suite("quik")
    with pytest.raises(ValueError, match=r"the suite file .*none\.toml cannot be read: No such file"):
        load_suite(tmp_path / "none.toml")


def test_a_suggestion_says_nothing_when_nothing_is_near() -> None:
    assert did_you_mean("zzz", ["quick", "smoke"]) == ""
