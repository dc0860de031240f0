"""The conformance kit: what every layer must do, as named checks with numbers.

``check_layer`` runs them on a registered name, a class or an unbuilt layer and gives a report;
``parametrize_layer_checks`` makes tests of pytest of them; ``check_isolated`` and
``seqkit plugins check NAME`` run them in a process of their own, which a compiled layer may crash.
Checks find out by trying what kind of layer it is, and those that don't apply say why: a layer
without state has none to carry.
"""

from seqkit.testing.checks import CHECKS
from seqkit.testing.isolated import check_isolated
from seqkit.testing.kinds import NotApplicable
from seqkit.testing.marks import parametrize_layer_checks
from seqkit.testing.report import Report, Result
from seqkit.testing.runner import check_layer

__all__ = ["CHECKS", "NotApplicable", "Report", "Result", "check_isolated", "check_layer", "parametrize_layer_checks"]
