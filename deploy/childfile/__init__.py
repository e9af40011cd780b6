"""A child's whole file, as a guardian or young person takes it along: JSON to keep, and a page to read."""
