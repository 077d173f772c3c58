"""Real container engines for tests: started in a folder of their own, ended with all that they began."""

import pytest

pytest.register_assert_rewrite("engines.promises")
