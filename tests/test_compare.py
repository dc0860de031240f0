"""benchmarks/compare.py: the statistics, the verdicts and the exit codes.

Versions that are made up tell times that are drawn; the one real comparison, at the end, is of a
package with itself and with a copy that waits, a hundred times slower: no speed is judged.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, product, repeat
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import compare as script
import seqkit
from comparing.builds import BuildFailed, Commit, build, find
from comparing.comparison import LAUNCHES, Effort, Outcome, compare
from comparing.looks import FEWEST_ROUNDS, Look, disagreement, rank, take_look
from comparing.workers import CaseFailed, WorkerLost, start

EFFORT = Effort(rounds=12, seconds=0.1, limit=1.1)
CASES = ("lstm infer B1 T100 H128", "gru step B1 T1 H128")


@dataclass(eq=False)
class Version:
    """Takes `speed` seconds a call, times noise and times the luck that its process has."""

    rng: np.random.Generator
    speed: float = 1.0
    noise: float = 0.02
    luck: float = 1.0
    results: dict[str, np.ndarray] = field(default_factory=lambda: {"y": np.arange(1.0, 4.0)})
    lacks: tuple[str, ...] = ()
    log: list[object] = field(default_factory=list)

    def prepare(self, case: str) -> dict[str, np.ndarray]:
        if case in self.lacks:
            raise CaseFailed(f"UnknownLayerError: no {case}")
        return self.results

    def turn(self, seconds: float) -> list[float]:
        self.log.append(self)
        noise = np.exp(self.noise * self.rng.standard_exponential(5) * self.rng.standard_exponential())
        return list(self.speed * self.luck * noise)


def run(*pairs: tuple[Version, Version], cases: tuple[str, ...] = CASES, effort: Effort = EFFORT) -> list[Outcome]:
    """Outcomes when every start of processes gives the next pair, and then the last one for ever."""
    waiting = chain(pairs, repeat(pairs[-1]))

    @contextmanager
    def starting() -> Iterator[tuple[Version, Version]]:
        yield next(waiting)

    return list(compare(starting, cases, effort))


# how sure a ratio is


@pytest.mark.parametrize("rounds", range(FEWEST_ROUNDS, 14))
def test_rank_by_counting_all_ways_to_fall(rounds: int) -> None:
    """Of all ways to lie below or above the median, at most 5 % leave it outside; one rank further, more do."""
    below = [sum(ways) for ways in product((0, 1), repeat=rounds)]

    def outside(k: int) -> float:
        return sum(count < k or rounds - count < k for count in below) / len(below)

    k = rank(rounds)
    assert outside(k) <= 0.05 < outside(k + 1)
    assert rank(FEWEST_ROUNDS - 1) == 0


def test_the_interval_holds_the_true_ratio() -> None:
    """Noise that is skewed and common to a round: 95 % of intervals hold the ratio."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(500):
        common = rng.exponential(size=12) + 0.5
        old, new = common * np.exp(rng.exponential(size=(2, 12)))
        low, high = Look(tuple(old), tuple(1.3 * new)).interval
        held += low <= 1.3 <= high
    assert held / 500 > 0.94


def test_a_ratio_is_of_the_same_round() -> None:
    look = Look(old=(1.0, 10.0, 3.0, 1.0, 2.0, 4.0, 1.0), new=(2.0, 21.0, 3.0, 2.5, 3.8, 8.8, 1.7))
    assert look.ratio == 2.0
    assert look.interval == (1.0, 2.5)


def test_versions_take_turns_and_who_begins_alternates() -> None:
    rng, log = np.random.default_rng(0), []
    old, new = Version(rng, noise=0.0, log=log), Version(rng, noise=0.0, speed=3.0, log=log)
    look = take_look(old, new, rounds=6, seconds=0.1)
    assert log == [old, new, new, old] * 3
    assert (look.old, look.new) == ((1.0,) * 6, (3.0,) * 6)


# what is slower


@pytest.mark.parametrize("seed", range(20))
def test_a_slowdown_of_1_3_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pair = Version(rng), Version(rng, speed=1.3)
    outcomes = run(pair)
    assert [outcome.status for outcome in outcomes] == ["slower", "slower"]
    for outcome in outcomes:
        assert outcome.second is not None
        assert len(outcome.second.old) == LAUNCHES
        assert outcome.second.interval[0] > 1.1
    assert script.exit_code(outcomes) == 3


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_the_same_speed_is_never_slower(noise: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        assert script.exit_code(run((Version(rng, noise=noise), Version(rng, noise=noise)))) == 0


def test_processes_with_bad_luck_are_not_confirmed() -> None:
    """Every third process has its memory in a bad place; each look at one pair alone would be sure."""
    rng = np.random.default_rng(2)
    lucks = [(1.0, 1.3)] * 2 + list(rng.choice([1.0, 1.3], p=[2 / 3, 1 / 3], size=(LAUNCHES - 1, 2)))
    outcomes = run(*((Version(rng, luck=old), Version(rng, luck=new)) for old, new in lucks))
    assert [outcome.status for outcome in outcomes] == ["not confirmed"] * 2
    assert script.exit_code(outcomes) == 0


@pytest.mark.parametrize(
    ("speed", "noise", "status"),
    [(1.0, 0.01, "same"), (0.7, 0.01, "faster"), (1.06, 0.01, "same"), (1.08, 0.2, "unclear")],
)
def test_what_is_not_slower(speed: float, noise: float, status: str) -> None:
    rng = np.random.default_rng(4)
    outcomes = run((Version(rng, noise=noise), Version(rng, speed=speed, noise=noise)))
    assert [outcome.status for outcome in outcomes] == [status, status]
    assert script.exit_code(outcomes) == 0


def test_the_limit_is_the_one_that_is_given() -> None:
    rng = np.random.default_rng(4)
    pair = Version(rng), Version(rng, speed=1.3)
    (outcome,) = run(pair, cases=CASES[:1], effort=Effort(12, 0.1, limit=1.5))
    assert outcome.status == "same"


# what cannot be compared


RESULTS = {"y": np.array([1.0, -4.0]), "forward.bias": np.array([0.5])}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, None),
        ({"y": np.array([1.0, -4.0003])}, None),
        ({"y": np.array([1.0, -4.0005])}, "y: the results differ by 1.2e-04"),
        ({"y": np.array([1.0, np.nan])}, "y: not every number is finite"),
        ({"y": np.array([1.0, np.inf])}, "y: not every number is finite"),
        ({"y": np.array([[1.0, -4.0]])}, "y: old has shape (2,) and new has (1, 2)"),
        ({"forward.bias_hn": np.zeros(1)}, "old gives forward.bias, y and new gives forward.bias, forward.bias_hn, y"),
        ({"forward.bias": np.zeros(1)}, "forward.bias: the results differ by 1.0e"),
    ],
)
def test_results_must_agree(changed: dict[str, np.ndarray], reason: str | None) -> None:
    found = disagreement(RESULTS, RESULTS | changed)
    assert found is None if reason is None else found is not None and found.startswith(reason)


def test_not_finite_is_refused_on_both_sides() -> None:
    spoilt = RESULTS | {"y": np.array([np.nan, np.nan])}
    assert disagreement(spoilt, spoilt) == "y: not every number is finite"


def test_wrong_results_are_not_timed_and_are_an_error() -> None:
    rng = np.random.default_rng(5)
    outcomes = run((Version(rng), Version(rng, results={"y": np.arange(1.0, 4.0) * 1.01})))
    assert {(outcome.status, outcome.first) for outcome in outcomes} == {("failed", None)}
    with pytest.raises(script.click.ClickException, match=r"2 cases failed.*B1 T100 H128: y: the results differ by"):
        script.exit_code(outcomes)


def test_what_the_old_version_lacks_is_left_out() -> None:
    rng = np.random.default_rng(6)
    outcomes = run((Version(rng, lacks=CASES[:1]), Version(rng)))
    assert [outcome.status for outcome in outcomes] == ["absent", "same"]
    assert script.exit_code(outcomes) == 0


def test_what_the_new_version_lacks_is_an_error() -> None:
    rng = np.random.default_rng(7)
    for old in (Version(rng), Version(rng, lacks=CASES[:1])):
        outcomes = run((old, Version(rng, lacks=CASES[:1])))
        assert [outcome.status for outcome in outcomes] == ["failed", "same"]
        with pytest.raises(script.click.ClickException, match=r"1 case failed.*no lstm infer"):
            script.exit_code(outcomes)


def test_nothing_measured_is_an_error() -> None:
    rng = np.random.default_rng(8)
    for outcomes in ([], run((Version(rng, lacks=CASES), Version(rng)))):
        with pytest.raises(script.click.ClickException, match="nothing was measured"):
            script.exit_code(outcomes)


def test_a_regression_counts_more_than_a_failure() -> None:
    rng = np.random.default_rng(9)
    pair = Version(rng), Version(rng, speed=2.0, lacks=CASES[:1])
    assert script.exit_code(run(pair)) == 3


# commits, builds, processes


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a commit that holds no package."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "README.md").write_text("Nothing yet")
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-q", "-m", "Nothing yet")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def test_commits_are_found_by_name(repository: Path) -> None:
    commit = find(repository, "HEAD")
    assert commit is not None
    assert (commit.name, len(commit.sha), commit.subject) == ("HEAD", 40, "Nothing yet")
    assert all(find(repository, name) is None for name in ("HEAD^", "nowhere", "--all", ""))


@pytest.mark.slow
def test_a_commit_that_cannot_be_built_says_why(repository: Path, tmp_path: Path) -> None:
    commit = find(repository, "HEAD")
    assert commit is not None
    said: list[str] = []
    for _ in range(2):  # what was left of the first attempt is no environment
        with pytest.raises(BuildFailed, match=r"(?s)HEAD \(\w{10} Nothing yet\) cannot be built.*pyproject.toml"):
            build(repository, commit, tmp_path / "cache", said.append)
    assert said == [f"building {commit.sha[:10]}"] * 2


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with a copy of the package under test, and the NumPy of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    shutil.copytree(Path(seqkit.__file__).parent, packages / "seqkit", ignore=shutil.ignore_patterns("*.c", "*.pyx"))
    (packages / "numpy.pth").write_text(str(Path(np.__file__).parents[1]))
    return folder


@pytest.fixture
def planted(environment: Path, tmp_path: Path) -> Path:
    """The same, but every forward call waits 10 ms."""
    folder = tmp_path / "planted"
    shutil.copytree(environment, folder, symlinks=True)
    (file,) = folder.glob("lib/python*/site-packages/seqkit/recurrent.py")
    call = "run_forward([direction])"
    assert file.read_text().count(call) == 1
    file.write_text(file.read_text().replace(call, f"{call}; __import__('time').sleep(0.01)"))
    return folder


def run_script(monkeypatch: pytest.MonkeyPatch, old: Path, new: Path, *options: str) -> Result:
    """Run the command with environments in place of commits: two rows of one cell."""
    environments = {"old": old, "new": new}
    monkeypatch.setattr(script, "find", lambda _, name: Commit(name, name.ljust(40, "0"), "Work"))
    monkeypatch.setattr(script, "build", lambda repository, commit, cache, say: environments[commit.name])
    monkeypatch.setattr(script, "SHAPES", {"infer": ["B1 T5 H8", "B2 T5 H8"]})
    return CliRunner().invoke(
        script.main,
        ["old", "new", "--cell", "gru", "--rounds", "6", "--seconds", "0.005", "--fail-above", "3", *options],
    )


@pytest.mark.slow
def test_a_planted_slowdown_ends_with_3_and_none_with_0(
    monkeypatch: pytest.MonkeyPatch, environment: Path, planted: Path
) -> None:
    result = run_script(monkeypatch, environment, planted)
    assert result.exit_code == 3, result.output
    assert "2 cases: 2 slower" in result.output
    assert run_script(monkeypatch, planted, environment).exit_code == 0
    result = run_script(monkeypatch, environment, environment, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["schema"] == "seqkit.compare/1"
    assert [row["case"] for row in document["results"]] == ["gru infer B1 T5 H8", "gru infer B2 T5 H8"]
    assert all(len(row["first_look"][key]) == 6 for row in document["results"] for key in ("old_ms", "new_ms"))


def test_a_process_must_have_the_package_of_its_environment(environment: Path, tmp_path: Path) -> None:
    """An environment that finds seqkit elsewhere measures the wrong one; one without it measures nothing."""
    bare = tmp_path / "bare"
    venv.create(bare, symlinks=True)
    with pytest.raises(WorkerLost, match="ended with exit code 1"), start((environment, bare), threads=1):
        pass
    (packages,) = bare.glob("lib/python*/site-packages")
    (found,) = environment.glob("lib/python*/site-packages")
    (packages / "elsewhere.pth").write_text(f"{found}\n{Path(np.__file__).parents[1]}")
    with pytest.raises(WorkerLost, match="imports it from"), start((bare, environment), threads=1):
        pass


def test_processes_answer_and_can_be_lost(environment: Path) -> None:
    with start((environment, environment), threads=1) as (old, new):
        results = [version.prepare("gru train B2 T3 H4") for version in (old, new)]
        assert disagreement(*results) is None
        assert len(results[0]) == 1 + len(seqkit.GRU(1).build(1).params)
        assert all(second > 0 for second in old.turn(0.001))
        with pytest.raises(CaseFailed, match=r"UnknownLayerError: no layer named 'nothing'"):
            new.prepare("nothing infer B1 T1 H1")
        old._process.kill()
        with pytest.raises(WorkerLost, match="ended with exit code -9"):
            old.turn(0.001)
        assert new.turn(0.001)


def test_errors_of_the_command(monkeypatch: pytest.MonkeyPatch, environment: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(script.main, ["nowhere", "HEAD"])
    assert (result.exit_code, "'nowhere' is no commit" in result.output) == (2, True)
    venv.create(tmp_path / "bare", symlinks=True)
    result = run_script(monkeypatch, environment, tmp_path / "bare")
    assert (result.exit_code, "ended with exit code 1" in result.output) == (1, True)
    monkeypatch.setattr(script, "CELLS", ["nothing"])
    result = run_script(monkeypatch, environment, environment, "--rounds", "5")
    assert (result.exit_code, "5 is not in the range x>=6" in result.output) == (2, True)


def test_it_runs_without_seqkit() -> None:
    """The script itself needs NumPy and click alone."""
    code = "import sys; sys.modules['seqkit'] = None; import compare; compare.main(['--help'])"
    folder = Path(script.__file__).parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert (done.returncode, "--fail-above" in done.stdout) == (0, True), done.stderr
