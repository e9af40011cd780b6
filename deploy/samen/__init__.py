"""`samen`: the operator's command line."""
