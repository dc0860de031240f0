"""A training pass over segments of time.

Only the states at the start of every segment are kept of the forward pass; the tape of a segment is made (again) when
the backward pass comes to it, the last segment first.  Segments begin where blocks of the tape begin
(``seqkit._core.calls``), over which weight gradients are summed in the same order: the bits of a pass in segments are
those of a pass with a whole tape, which is a pass of one segment.

A segment of a sequence is some of its steps in the order of reading, so that of the backward direction is counted from
the sequence's end.  A sequence that has ended has no steps in later segments, which pass its state, and its gradient,
through.

Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from seqkit import _core
from seqkit.execution import Backward, Execution, Forward, run_calls
from seqkit.layer import State
from seqkit.masks import Masks
from seqkit.rows import Rows, last_place

Place = tuple[np.ndarray, np.ndarray, int]


@dataclass
class Direction:
    """One direction of a layer over a batch: what the calls on its segments are made of.

    Attributes
    ----------
    bounds : list of int
        First step of every segment, in the order of reading, and the end.
    states : list of tuple of ndarray (B, H), or None for zeros
        Where the segments begin that have been run; at last, the final state.
    learned : tuple of str
        The parameters that the first one begins with, if it does.
    forward : Forward
        The call that was bound last.
    """

    execution: Execution
    x: Rows
    y: Rows | np.ndarray
    weights: _core.Weights
    bounds: list[int]
    states: list[State | None]
    training: bool
    reverse: bool
    reverse_output: bool
    masks: Masks
    learned: tuple[str, ...]
    forward: Forward = field(init=False)

    def __post_init__(self) -> None:
        self.forward = self.bind(0, self.training and self.segments == 1)

    @property
    def segments(self) -> int:
        """Number of segments."""
        return len(self.bounds) - 1

    @property
    def final(self) -> State:
        """The final state, once all segments have been run."""
        state = self.states[-1]
        assert state is not None
        return state

    def bind(self, segment: int, taped: bool, output: bool = True) -> Forward:
        """The forward call on a segment."""
        steps = self.steps(self.x, segment, self.reverse)
        return self._bind(steps, self.place(self.y, segment) if output else None, segment, taped)

    def _bind(self, x: Rows, y: Place | None, segment: int, taped: bool) -> Forward:
        return self.execution.forward(
            x,
            y,
            self.states[segment],
            self.weights,
            masks=self.masks,
            first_step=self.bounds[segment],
            program=self.execution.gradient.forward_program if taped else None,
            reverse=self.reverse,
            reverse_output=self.reverse_output,
            last_only=not isinstance(self.y, Rows),
        )

    def steps(self, rows: Rows, segment: int, reverse: bool) -> Rows:
        """The rows of a segment."""
        return rows.steps(self.bounds[segment], self.bounds[segment + 1], reverse)

    def place(self, y: Rows | np.ndarray, segment: int) -> Place:
        """Where outputs of a segment, or their gradients, lie."""
        return self.steps(y, segment, self.reverse_output).place if isinstance(y, Rows) else last_place(y)

    def state_at(self, step: int) -> State | None:
        """State before a step, in the order of reading, once all segments have been run; None is zeros."""
        segment = bisect_right(self.bounds, step) - 1
        if self.bounds[segment] == step:
            return self.states[segment]
        forward = self._bind(self.x.steps(self.bounds[segment], step, self.reverse), None, segment, taped=False)
        run_calls([forward.call], self.execution)
        self.execution.pool.give_back("forward", forward.work)
        return forward.final

    def ended(self) -> None:
        """Keep the state after a call; its working memory goes back."""
        self.execution.pool.give_back("forward", self.forward.work)
        self.states.append(self.forward.final)


@dataclass
class Cache:
    """What one forward call keeps: the final state, and what a backward pass needs if it was for training."""

    state: State
    direction: Direction | None

    @classmethod
    def of(cls, direction: Direction) -> Cache:
        """The cache of a direction that has been run."""
        return cls(direction.final, direction if direction.training else None)


@dataclass
class Gradients:
    """What a backward pass of one direction gets and gives.

    Attributes
    ----------
    dy : Rows, ndarray (B, H) or None
        Gradient of the output.
    dstate : tuple of ndarray (B, H), or None
        Gradient of the state after the steps that are still to be done; at last, of the initial state.
    grads : dict of str to ndarray
        Of the parameters; added to.
    dx : Rows or None
        Where the gradient of the input goes.
    """

    direction: Direction
    dy: Rows | np.ndarray | None
    dstate: State | None
    grads: dict[str, np.ndarray]
    dx: Rows | None

    def __post_init__(self) -> None:
        self.targets = self.grads  # of the engine; where a part of the weights was used, not theirs
        if self.direction.masks.weight is not None:
            self.targets = self.grads | {"weight_hh": np.zeros_like(self.grads["weight_hh"])}

    def bind(self, forward: Forward, segment: int) -> Backward:
        """The backward call of a segment."""
        return self.direction.execution.gradient.backward(
            forward,
            self._upstream(forward, segment),
            self.dstate,
            reverse_output=self.direction.reverse_output,
            last_only=not isinstance(self.direction.y, Rows),
        )

    def _upstream(self, forward: Forward, segment: int) -> Place | None:
        """Where the output's gradient lies; a last output is that of sequences that end in the segment."""
        if self.dy is None or isinstance(self.dy, Rows):
            return None if self.dy is None else self.direction.place(self.dy, segment)
        ends = self.direction.x.lengths <= self.direction.bounds[segment + 1]
        return last_place(self.dy if ends.all() else np.where(ends[:, None], self.dy, self.dy.dtype.type(0)))

    def finish(self, back: Backward, segment: int, threads: int, arena: _core.Arena) -> None:
        """Write the input's gradient of a segment; its memory goes back."""
        direction = self.direction
        if self.dx is not None:
            steps = direction.steps(self.dx, segment, direction.reverse)
            direction.execution.gradient.write_dx(back, steps, threads, arena)
        direction.execution.pool.give_back("tape", back.forward.tape)
        direction.execution.pool.give_back("backward", back.work)
        self.dstate = back.initial

    def end(self) -> None:
        """Add the gradients that are not the engine's: those of masked weights and of learned states."""
        if self.direction.masks.weight is not None:
            self.grads["weight_hh"] += self.targets["weight_hh"] * self.direction.masks.weight
        for name, gradient in zip(self.direction.learned, self.dstate or (), strict=False):
            self.grads[name] += gradient.sum(axis=0)


def run_forward(directions: Sequence[Direction]) -> None:
    """Run all segments of the directions of a layer, which have the same bounds; the last one is taped."""
    count = directions[0].segments
    for segment in range(count):
        if segment:
            for one in directions:
                one.forward = one.bind(segment, one.training and segment == count - 1)
        _run([one.forward for one in directions], directions[0])
        for one in directions:
            one.ended()


def run_backward(parts: Sequence[Gradients]) -> State:
    """Gradients of parameters and inputs of the directions of a layer; gives those of their initial states."""
    first, threads = parts[0].direction, _core.num_threads()
    pool = first.execution.pool
    arena, sums = pool.take("gradients"), pool.take("sums")
    for segment in range(first.segments - 1, -1, -1):
        backs = [part.bind(forward, segment) for part, forward in zip(parts, _taped(parts, segment), strict=True)]
        run_calls([back.call for back in backs], first.execution)
        runs = []
        for part, back in zip(parts, backs, strict=True):
            runs += part.direction.execution.gradient.weight_runs(back, part.targets)
        _core.add_weight_gradients(runs, threads, arena, sums, segment == first.segments - 1, segment == 0)
        for part, back in zip(parts, backs, strict=True):
            part.finish(back, segment, threads, arena)
    pool.give_back("gradients", arena)
    pool.give_back("sums", sums)
    for part in parts:
        part.end()
    return tuple(gradient for part in parts for gradient in part.dstate or ())


def _taped(parts: Sequence[Gradients], segment: int) -> list[Forward]:
    """The calls with the tapes of a segment: those that the forward pass ended with, or new ones."""
    directions = [part.direction for part in parts]
    if segment == directions[0].segments - 1:
        return [one.forward for one in directions]
    forwards = [one.bind(segment, taped=True, output=False) for one in directions]
    _run(forwards, directions[0])
    for one, forward in zip(directions, forwards, strict=True):
        one.execution.pool.give_back("forward", forward.work)
    return forwards


def _run(forwards: Sequence[Forward], direction: Direction) -> None:
    run_calls([forward.call for forward in forwards], direction.execution)
