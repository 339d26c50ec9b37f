"""`check`: a file of somebody's own losses in, findings and an exit code out."""

import json
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest

import losses.types
from losses import registry

TUTORIAL = Path(__file__).parents[3] / "docs" / "tutorials" / "your-own-loss.md"


@pytest.fixture(autouse=True)
def scratch_registry(monkeypatch):
    registry.parts()
    monkeypatch.setattr(registry, "_parts", dict(registry._parts))


@pytest.fixture
def cubic():
    """The tutorial's loss of one's own."""
    blocks = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [each for each in blocks if '@losses.register("cubic")' in each]
    return block


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "my_losses.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_whole_loss_is_ready(bench, written, cubic):
    result = bench("check", written(cubic))
    assert result.exit_code == 0
    assert result.stdout.startswith("cubic (objective)\n")
    assert re.search(r"^ signs +passed ", result.stdout, re.MULTILINE)
    assert re.fullmatch(r"cubic: ready \(\d+ checks passed\)", result.stdout.splitlines()[-1])


def test_the_tutorial_prints_what_the_command_does(bench, written, cubic, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    verdict = bench("check", written(cubic)).stdout.splitlines()[-1]
    assert f"\n{verdict}\n" in TUTORIAL.read_text(encoding="utf-8")


def test_a_broken_loss_is_told_what_to_mend_and_costs_the_exit_code(bench, written, cubic):
    result = bench("check", written(cubic.replace("return -fake_logits.mean()", "return fake_logits.sum()")))
    assert result.exit_code == 1
    assert result.stderr == ""
    assert "dL_G/db has the wrong sign at a=0, b=0" in result.stdout
    assert "take means over the samples, not sums" in " ".join(result.stdout.split())
    assert result.stdout.splitlines()[-1] == "cubic: 2 checks failed"


def test_every_part_of_the_file_is_examined(bench, written, cubic):
    second = "\n\n" + cubic[cubic.index("@final") :].replace("cubic", "sharp").replace("class Cubic", "class Sharp")
    result = bench("check", written(cubic + second))
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stdout.splitlines()[-2:]] == ["cubic", "sharp"]


def test_json_has_the_same_findings(bench, written, cubic):
    waiving = cubic.replace("    margin: float", '    waived = {"signs": "a jest"}\n    margin: float')
    result = bench("check", "--json", written(waiving))
    (part,) = json.loads(result.stdout)["parts"]
    assert result.exit_code == 1
    assert (part["name"], part["kind"], part["ready"]) == ("cubic", "objective", False)
    assert part["verdict"] == "cubic: 1 check failed"
    states = {each["check"]: each["state"] for each in part["findings"]}
    assert states.pop("signs") == "stale"
    assert set(states.values()) == {"passed"}


def test_a_file_may_import_its_neighbors(bench, written, cubic, tmp_path):
    (tmp_path / "neighbor_of_my_losses.py").write_text("POWER = 3\n")
    result = bench("check", written("from neighbor_of_my_losses import POWER\n" + cubic.replace("**3", "**POWER")))
    assert result.exit_code == 0


def test_a_file_of_the_library_can_be_checked_too(bench):
    from losses.objectives import hinge

    result = bench("check", hinge.__file__)
    assert result.exit_code == 0
    assert "\nhinge: ready (" in result.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n\ny = z\n", "my_losses.py, line 3: NameError: name 'z' is not defined"),
        ("def f(:\n", "my_losses.py, line 1: SyntaxError"),
        (
            "import losses\n\nlosses.get('hing')\n",
            "my_losses.py, line 3: ValueError: unknown loss 'hing' (did you mean",
        ),
        ("import losses\n", "my_losses.py registers no loss: write it as a class derived from losses.Objective"),
        ("from . import other\n", "line 1: ImportError: attempted relative import with no known parent package: the"),
        ("import sys\nsys.exit(3)\n", "my_losses.py, line 2: SystemExit: 3"),
        ("import no_such_module_at_all\n", "my_losses.py, line 1: ModuleNotFoundError"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_with_the_place(bench, written, text, words):
    result = bench("check", written(text))
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('@losses.register("cubic")\n', "", 'registers no loss: put @losses.register("its_name") above Cubic'),
        (
            '@losses.register("cubic")',
            "@losses.register",
            "TypeError: a loss is registered under a name: write @losses.",
        ),
        ("@dataclass(frozen=True)", "@dataclass", "from a frozen one: write @dataclass(frozen=True)"),
    ],
)
def test_a_class_that_is_not_decorated_as_it_should_be_is_told_what_to_write(bench, written, cubic, old, new, words):
    assert old in cubic
    result = bench("check", written(cubic.replace(old, new)))
    assert result.exit_code == 2
    assert words in result.stderr


GENERATOR = "return -fake_logits.mean()"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("def generator(", "def generate(", "generator(self, fake_logits, real_logits=None)` (there is `generate`)"),
        (GENERATOR, "return float(-fake_logits.mean())", "float(), .item() and numpy cut off the gradient"),
        (GENERATOR, "return fake_logits.detach().mean().numpy()", "float(), .item() and numpy cut off the gradient"),
        (GENERATOR, "return fake_logits.numpy().mean()", "numpy cuts off the gradient, and so does detach()"),
        (GENERATOR, "return -(fake_logits - 9).log().mean()", "the generator's loss is nan on an ordinary batch"),
        (GENERATOR, "return 1 / (0 * fake_logits).mean()", "the generator's loss is inf on an ordinary batch"),
    ],
)
@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
def test_an_objective_with_one_mistake_gets_one_error_that_says_what_to_write(bench, written, cubic, old, new, words):
    assert old in cubic
    (part,) = json.loads(bench("check", "--json", written(cubic.replace(old, new))).stdout)["parts"]
    (failed,) = [each for each in part["findings"] if each["state"] == "failed"]
    assert words in failed["message"]


def test_a_file_that_is_ready_is_told_the_next_command(bench, written, cubic, slope_cap):
    path = written(cubic + slope_cap)
    said = bench("check", path).stderr
    wanted = "--method nsgan --method cubic --method 'nsgan + slope_cap' --workload digits"
    assert said == f"next: python -m bench run --losses {path} {wanted}\n"
    plan = bench(*shlex.split(said.removeprefix("next: python -m bench ")), "--dry-run")
    assert "6 trials" in plan.stdout
    assert bench("check", "-q", path).stderr == ""


def test_failures_are_printed_last_where_one_reads_first(bench, written, cubic):
    lines = bench("check", written(cubic.replace("return -fake", "return fake"))).stdout.splitlines()
    states = [line.split()[1] for line in lines if re.search(r" (passed|failed)  ", line)]
    assert "failed" in states
    assert states == sorted(states, key=lambda state: state == "failed")


def test_a_name_that_is_taken_is_told_with_its_line(bench, written, cubic):
    result = bench("check", written(cubic.replace('register("cubic")', 'register("hinge")')))
    assert result.exit_code == 2
    assert re.search(
        r"my_losses\.py, line \d+: ValueError: the name 'hinge' is taken by losses\.objectives", result.stderr
    )


def test_a_file_that_is_not_there_and_one_that_is_no_python(bench, tmp_path):
    assert "there is no file" in bench("check", tmp_path / "none.py").stderr
    other = tmp_path / "losses.txt"
    other.touch()
    assert "is no Python file" in bench("check", other).stderr
    assert bench("check").exit_code == 2


@pytest.fixture
def slope_cap():
    """The tutorial's penalty of one's own."""
    blocks = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [each for each in blocks if '@losses.register("slope_cap")' in each]
    return block


TERM = "(slopes - self.cap).relu().square().mean()"
READ = "context.real_gradient.flatten(1).norm(dim=1)"
NEEDS = 'frozenset({"real_gradient"})'


def test_the_tutorials_penalty_is_ready_as_it_says(bench, written, slope_cap, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = bench("check", written(slope_cap))
    assert result.exit_code == 0, result.stdout
    assert f"\n{result.stdout.splitlines()[-1]}\n" in TUTORIAL.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (NEEDS, "frozenset()", "a discriminator-phase part declares it in `needs`"),
        (NEEDS, 'frozenset({"gradient"})', "a discriminator-phase part declares it in `needs`"),
        ("context.real_gradient.", "context.real_gradients.", 'did you mean "real_gradient"?'),
        (TERM, "(slopes - self.cap).relu().square()", "the term has shape (6,): reduce it by the batch mean"),
        (TERM, f"{TERM}.item()", "the term is of type float: __call__ of SlopeCap must return a tensor"),
        (f"return {TERM}", TERM, "the term is None: __call__ of SlopeCap must return a tensor"),
        (READ, f"{READ}.detach()", "no gradient comes out of the term"),
        ("self.cap)", "self.cup)", "has no attribute 'cup' (did you mean \"cap\"?)"),
        ("losses.parameter(1.0, ge=0)", "losses.parameter(-1.0, ge=0)", "cannot be made with its defaults"),
        ("norm(dim=1)", "norm(dim=7)", "IndexError"),
        ("    every: int = losses.parameter(1, ge=1)\n", "", "`every: int = losses.parameter(1, ge=1)`"),
        ('phase: ClassVar = "discriminator"', "phase: ClassVar = 'critic'", '`phase: ClassVar = "generator"`, or'),
    ],
)
def test_a_wrong_penalty_gets_one_error(bench, written, slope_cap, old, new, words):
    path = written(slope_cap.replace(old, new, 1))
    found = bench("check", "--json", path)
    assert found.exit_code == 1
    (part,) = json.loads(found.stdout)["parts"]
    (failed,) = [each for each in part["findings"] if each["state"] == "failed"]
    assert failed["check"] == "trial run"
    assert words in failed["message"]
    assert re.fullmatch(r"slope_cap: 1 check failed, \d+ not tried", part["verdict"])
    if "Error" in failed["message"] and "defaults" not in failed["message"]:
        (line,) = re.findall(r"\(my_losses\.py, line (\d+)\)$", failed["message"])
        assert "self.cup" in new or READ.split(".")[0] in path.read_text().splitlines()[int(line) - 1]


def test_people_see_the_one_error_and_no_row_of_what_was_not_tried(bench, written, slope_cap):
    result = bench("check", written(slope_cap.replace(NEEDS, "frozenset()")))
    assert result.stdout.count("failed") == 2  # its row, and the verdict
    assert "untried" not in result.stdout


def test_the_tutorial_has_every_need_that_a_part_may_declare():
    told = TUTORIAL.read_text(encoding="utf-8").partition("| in `needs` |")[2].partition("\n\n")[0]
    first = [
        name for row in told.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    ]
    assert sorted(first) == sorted(get_args(losses.types.Need))


def test_the_tutorial_prints_the_one_error_of_a_penalty_without_needs(bench, written, slope_cap):
    text = slope_cap.replace('    needs: ClassVar = frozenset({"real_gradient"})\n', "")
    (part,) = json.loads(bench("check", "--json", written(text)).stdout)["parts"]
    (failed,) = [each for each in part["findings"] if each["state"] == "failed"]
    assert failed["message"].replace("my_losses.py", "my_penalty.py") in TUTORIAL.read_text(encoding="utf-8")


@pytest.mark.parametrize("how", ["return real_logits.nothing", "return (real**3)", "return None"])
def test_an_objective_that_cannot_be_computed_gets_one_error_too(bench, written, cubic, how):
    text = cubic.replace("return (real**3).mean() + (fake**3).mean()", how)
    result = bench("check", written(text))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "cubic: 1 check failed, 14 not tried"
    assert "\ncubic: 1 check failed, 14 not tried\n" in TUTORIAL.read_text(encoding="utf-8")


@pytest.fixture
def talking(written, cubic, monkeypatch):
    """A file whose loss prints, on import and whenever it is computed."""
    monkeypatch.setenv("GAN_LOSS_BENCH_LOSSES", "")
    spoken = cubic.replace("        real, fake =", "        print('in D')\n        real, fake =")
    assert spoken != cubic
    return written(f"print('in the file')\n{spoken}")


def test_what_a_loss_prints_stays_out_of_what_programs_read(bench, talking):
    checked = bench("check", talking, "--json")
    assert [part["name"] for part in json.loads(checked.stdout)["parts"]] == ["cubic"]
    assert {"in the file", "in D"} <= set(checked.stderr.splitlines())


@pytest.mark.slow
def test_what_a_loss_prints_stays_out_of_the_plan_and_the_tables_of_a_run(bench, talking, tmp_path):
    of_two_steps = ("--workload", "ring8", "--steps", 2, "--seeds", 1, "--set", "samples=20")
    asked = ("run", "--losses", talking, "--method", "cubic", *of_two_steps, "--results", tmp_path, "--json")
    planned = bench(*asked, "--dry-run")
    assert json.loads(planned.stdout)["to_run"] == 1
    assert "in D\n" in planned.stderr
    trained = bench(*asked, "--executor", "inline")
    assert len(json.loads(trained.stdout)["trials"]) == 1
    assert "in D\n" in trained.stderr
