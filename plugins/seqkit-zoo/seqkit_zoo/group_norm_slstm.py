"""The scalar LSTM of xLSTM with the normalisation that follows it in its block."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Parameter, group_norm, vector
from seqkit_zoo.slstm import SLSTM


class GroupNormSLSTM(SLSTM):
    r"""``slstm`` whose output is normalised over the units of each head.

    .. math:: y_t = GN(h_t)

    with the equations of ``slstm`` for :math:`h_t`, which is what recurs.

    Parameters
    ----------
    heads : int
        Heads of the recurrent matrices and groups of the normalisation.
    exponential_forget, activation, use_bias
        As in ``slstm``.

    Source: Beck et al., "xLSTM: Extended Long Short-Term Memory", NeurIPS 2024, arXiv:2405.04517,
    figure 10: the group normalisation of the sLSTM block.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(GroupNormSLSTM, 8, heads=2).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 4 * 8 * (3 + 8 // 2 + 1) + 2 * 8
    True
    """

    name = "group_norm_slstm"
    states = ("y", "h", "c", "n", "m")

    def parameters(self) -> dict[str, Parameter]:
        """Gain and shift of the normalisation."""
        return {"gain": vector(initializer="ones"), "shift": vector()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        new = super().step(x, U, s, p)
        return {"y": group_norm(new["h"], self.heads, p.gain, p.shift), **new}
