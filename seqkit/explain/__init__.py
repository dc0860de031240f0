"""Looking inside: gates, cell states, what an output depends on.

`tape` records any named value of any recurrent layer; `summary` says how long units remember and what they follow;
`saliency`, `integrated_gradients` and `gradient_by_lag` say what an output depends on; `figure` draws, and `page`
writes one HTML file to look around in.
"""

from seqkit.explain.attending import attention_weights
from seqkit.explain.attribution import integrated_gradients, saliency
from seqkit.explain.by_lag import Lags, gradient_by_lag
from seqkit.explain.chosen import Attribution
from seqkit.explain.figures import figure, figure_of_half_lives, figure_of_lags
from seqkit.explain.findings import LayerSummary, Summary
from seqkit.explain.memory import Retention, half_life, retention
from seqkit.explain.pages import page
from seqkit.explain.recording import tape
from seqkit.explain.summaries import summary
from seqkit.explain.tapes import Tape

__all__ = [
    "Attribution",
    "Lags",
    "LayerSummary",
    "Retention",
    "Summary",
    "Tape",
    "attention_weights",
    "figure",
    "figure_of_half_lives",
    "figure_of_lags",
    "gradient_by_lag",
    "half_life",
    "integrated_gradients",
    "page",
    "retention",
    "saliency",
    "summary",
    "tape",
]
