"""Tests, the bench and runs of faults."""

import os

# What is told must not wait for the morning only because these run at night; processes inherit it.
os.environ["SAMEN_NOTICES_QUIET"] = "none"
