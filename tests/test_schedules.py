"""Learning rates: schedules against their formulas and PyTorch's, in an optimizer, and the search for one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, NonFiniteError
from seqkit.layers.dense import Dense
from seqkit.layers.dropout import Dropout
from seqkit.parameters import Parameters
from seqkit.training import schedules
from seqkit.training.learning_rate import find_learning_rate
from seqkit.training.optimizers import OPTIMIZERS, SGD, Adam, AdamW
from seqkit.training.schedules import CosineDecay, ExponentialDecay, OneCycle, Schedule, StepDecay, Warmup


def values(schedule: Callable[[int], float], count: int) -> list[float]:
    return [schedule(t) for t in range(count)]


class TestFormulas:
    def test_decays(self) -> None:
        assert values(StepDecay(0.8, 0.5, 2), 5) == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2])
        assert values(ExponentialDecay(0.8, 0.25, 2), 5) == pytest.approx([0.8, 0.4, 0.2, 0.1, 0.05])
        cosine = [0.1 + 0.3 * (1 + math.cos(math.pi * t / 4)) / 2 for t in range(4)]
        assert values(CosineDecay(0.4, 4, final=0.1), 6) == pytest.approx([*cosine, 0.1, 0.1])

    def test_warmup(self) -> None:
        assert values(Warmup(0.4, 3), 5) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
        after = CosineDecay(0.4, 2)
        assert values(Warmup(after, 3), 7) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.2, 0.0, 0.0])

    @pytest.mark.peers
    @pytest.mark.parametrize(("steps", "share"), [(20, 0.3), (7, 0.5), (10, 0.2)])
    def test_as_in_pytorch(self, steps: int, share: float) -> None:
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        rates = torch.optim.lr_scheduler
        sgd = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        pairs = [
            (OneCycle(0.5, steps, share), rates.OneCycleLR(sgd, 0.5, total_steps=steps, pct_start=share)),
            (StepDecay(0.5, 0.3, 4), rates.StepLR(torch.optim.SGD([torch.zeros(1)], lr=0.5), 4, 0.3)),
            (CosineDecay(0.5, steps), rates.CosineAnnealingLR(torch.optim.SGD([torch.zeros(1)], lr=0.5), steps)),
        ]
        for own, theirs in pairs:
            expected = []
            for _ in range(steps):
                expected.append(theirs.get_last_lr()[0])
                theirs.optimizer.step()
                if len(expected) < steps:
                    theirs.step()
            assert values(own, steps) == pytest.approx(expected, rel=1e-9, abs=1e-12)

    def test_one_cycle(self) -> None:
        rates = values(OneCycle(1.0, 10, warm_share=0.5), 10)
        assert rates[0] == pytest.approx(0.04)
        assert (int(np.argmax(rates)), max(rates)) == (4, pytest.approx(1.0))
        assert rates[9] == pytest.approx(4e-6)

    def test_wrong_arguments(self) -> None:
        with pytest.raises(ConfigError, match="cosine_decay: steps must be a positive integer, got 0"):
            CosineDecay(0.1, 0)
        with pytest.raises(ConfigError, match="adam: learning_rate must be a positive number or 0, got 'fast'"):
            Adam("fast")  # type: ignore[arg-type]


class TestInAnOptimizer:
    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_every_step_has_its_rate(self, name: str) -> None:
        """As if the rate had been set before every step."""
        schedule = CosineDecay(0.3, 4)
        planned, by_hand = OPTIMIZERS[name](schedule), OPTIMIZERS[name](1.0)
        one, two = (Parameters({"w": np.array([1.0, -2.0])}, "demo") for _ in range(2))
        rng = np.random.default_rng(0)
        for t in range(5):
            grads = {"w": rng.normal(size=2)}
            by_hand.learning_rate = schedule(t)
            planned.step(one, grads)
            by_hand.step(two, grads)
            assert planned.learning_rate == schedule(t)
            np.testing.assert_array_equal(one["w"], two["w"])

    @pytest.mark.parametrize("schedule", [OneCycle(0.1, 9), Warmup(StepDecay(0.2, 0.5, 3), 4), ExponentialDecay(0.3)])
    def test_saved_with_the_model(self, schedule: Schedule, tmp_path: Path) -> None:
        model = seqkit.Sequential([Dense(1)], seed=0).build(2)
        model.compile(AdamW(schedule), "mse")
        model.save(tmp_path / "m.safetensors")
        again = seqkit.load(tmp_path / "m.safetensors").optimizer
        assert repr(again.schedule) == repr(schedule)
        assert values(again.schedule, 12) == values(schedule, 12)  # type: ignore[arg-type]
        assert repr(schedules.from_spec(schedule.spec())) == repr(schedule)

    def test_one_of_your_own_is_left_out_of_a_file(self, tmp_path: Path) -> None:
        class Own(CosineDecay):
            pass

        for schedule in (Own(0.1, 5), Warmup(Own(0.1, 5), 3)):
            model = seqkit.Sequential([Dense(1)], seed=0).build(2)
            model.compile(Adam(schedule), "mse")
            model.save(tmp_path / "m.safetensors")
            with pytest.raises(ConfigError, match="not compiled"):
                _ = seqkit.load(tmp_path / "m.safetensors").optimizer

    def test_resumed(self, tmp_path: Path) -> None:
        x = np.random.default_rng(1).normal(size=(8, 2))

        def train(epochs: int, folder: str, **options: Any) -> float:
            model = seqkit.Sequential([Dense(1)], seed=0)
            model.compile(SGD(Warmup(CosineDecay(0.2, 10), 3)), "mse")
            callbacks = [seqkit.Checkpoint(tmp_path / folder)]
            model.fit(x, x[:, 0], batch_size=2, epochs=epochs, callbacks=callbacks, **options)
            return float(model.params["0.weight"][0, 0])

        whole = train(3, "a")
        train(1, "b")
        assert train(3, "b", resume=tmp_path / "b") == whole


class TestSearch:
    x = np.random.default_rng(2).normal(size=(64, 3))
    y = x.sum(axis=1)

    def model(self, optimizer: Any = "sgd") -> seqkit.Sequential:
        model = seqkit.Sequential([Dropout(0.1), Dense(1)], seed=0, dtype="float64").build(3)
        model.compile(optimizer, "mse")
        model.fit(self.x, self.y, batch_size=16)
        return model

    def test_nothing_is_left_behind(self) -> None:
        model, other = self.model("adam"), self.model("adam")
        history = model.history
        find_learning_rate(model, self.x, self.y, steps=30, batch_size=16)
        assert model.history is history
        for m in (model, other):
            m.fit(self.x, self.y, batch_size=16)
        np.testing.assert_array_equal(model.params["1.weight"], other.params["1.weight"])
        assert model.optimizer.learning_rate == other.optimizer.learning_rate
        assert model.random_state() == other.random_state()

    def test_a_schedule_comes_back(self) -> None:
        model = self.model(SGD(CosineDecay(0.01, 9)))
        find_learning_rate(model, self.x, self.y, steps=5)
        assert isinstance(model.optimizer.schedule, CosineDecay)

    def test_rates_and_losses(self) -> None:
        model = self.model()
        weight, bias = model.params["1.weight"].copy(), model.params["1.bias"].copy()
        found = find_learning_rate(model, self.x, self.y, 1e-4, 1e-2, steps=3, shuffle=False, batch_size=64)
        np.testing.assert_allclose(found.rates, [1e-4, 1e-3, 1e-2], rtol=1e-12)
        assert len(found.losses) == 3
        np.testing.assert_array_equal(model.params["1.weight"], weight)
        np.testing.assert_array_equal(model.params["1.bias"], bias)

    def test_it_finds_where_the_loss_falls_and_stops_where_it_rises(self) -> None:
        """For a square of curvature c the loss falls for rates below 2/c, fastest at 1/c."""
        x = np.ones((8, 1))
        model = seqkit.Sequential([Dense(1, use_bias=False)], seed=0, dtype="float64").build(1)
        model.compile("sgd", "mse")
        found = find_learning_rate(model, x, 5 * x, 1e-4, 1e3, steps=200, batch_size=8)
        assert found.rates[-1] < 1e3
        assert found.losses[-1] > 4 * found.losses.min()
        assert 0.02 < found.suggestion < 1.0

    def test_a_loss_that_is_not_finite_ends_it(self) -> None:
        model = seqkit.Sequential([Dense(1)], seed=0).build(1)
        model.compile("sgd", "mse")
        x = np.ones((8, 1), np.float32)
        assert find_learning_rate(model, x, x, 1e-3, 1e30, steps=60).suggestion < 1e6
        with pytest.raises(NonFiniteError):
            find_learning_rate(model, x * np.nan, x)

    def test_wrong_arguments(self) -> None:
        with pytest.raises(ConfigError, match=r"low must be below high, got 1\.0 and 0\.1"):
            find_learning_rate(self.model(), self.x, self.y, 1.0, 0.1)
