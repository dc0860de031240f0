"""Zoneout: units that keep their old value."""

from __future__ import annotations

from collections.abc import Mapping

from seqkit.equations.sizes import Size
from seqkit.equations.symbols import Node, Recorder

Zoneout = Mapping[str, float | None]


def zone_out(
    recorder: Recorder, results: Mapping[str, Node], zoneout: Zoneout, sizes: Mapping[str, Size]
) -> dict[str, Node]:
    r"""New states of which a part keeps the old value (Krueger et al., 2017).

    .. math:: s_t = d \odot s_{t-1} + (1 - d) \odot \tilde s_t

    where :math:`\tilde s_t` is what the equations give.  They go on computing with it: other states of
    the same step are made of :math:`\tilde s_t`, as in the paper.

    Parameters
    ----------
    recorder : Recorder
        Of the cell's trace.
    results : mapping of str to Node
        :math:`\tilde s_t` of every state.
    zoneout : mapping of str to float or None
        For each state that is zoned out the expected d, as used outside training; or None for a d of
        zeros and ones that is drawn for every unit at every step.
    sizes : mapping of str to Size
        Of the states.
    """
    return {
        state: _mixed(recorder, state, sizes[state], new, zoneout[state]) if state in zoneout else new
        for state, new in results.items()
    }


def _mixed(recorder: Recorder, state: str, size: Size, new: Node, kept: float | None) -> Node:
    old = recorder.node("state", detail=state, size=size)
    if kept is None:
        random = recorder.node("random", detail=state, size=size)
        return recorder.node("where", random, new, old, place=new.place)
    shares = [
        recorder.node("mul", recorder.constant(share), value, place=new.place)
        for share, value in ((kept, old), (1 - kept, new))
    ]
    return recorder.node("add", *shares, place=new.place)
