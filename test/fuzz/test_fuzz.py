"""Random models, the same ones each time; run.py draws others for as long as one likes."""

import pytest
from compare import NothingToCompareError, check
from hypothesis import HealthCheck, Phase, given, reject, settings
from models import Case, cases

EXAMPLES = 300
"""About a minute."""


@pytest.mark.timeout(600)
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
@given(cases())
def test_random_models(case: Case) -> None:
    try:
        check(case)
    except NothingToCompareError:
        reject()
