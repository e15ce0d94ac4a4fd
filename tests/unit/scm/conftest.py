"""What the tests of checkouts share."""

import pytest

from koji_adjutant.scm.bounded import CheckoutLimits


@pytest.fixture
def limits():
    return CheckoutLimits(seconds=60.0, max_bytes=1 << 20, max_files=20)
