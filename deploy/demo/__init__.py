"""A made-up foundation, and a half-year of partnership played on the running platform."""
