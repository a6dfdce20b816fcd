"""Random models, the same ones each time; run.py draws others for as long as one likes."""

from typing import cast

import pytest
from case import Case
from compare import NothingToCompareError, check
from hypothesis import HealthCheck, Phase, given, reject, settings
from models import NAMES, cases

EXAMPLES = dict.fromkeys(NAMES, 30) | {"ordinary": 100}
"""About a minute in all."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", EXAMPLES)
def test_random_models(kind: str) -> None:
    @settings(
        max_examples=EXAMPLES[kind],
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=cast("list[HealthCheck]", list(HealthCheck)),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(cases(kind))
    def test(case: Case) -> None:
        try:
            check(case)
        except NothingToCompareError:
            reject()

    test()
