"""Transparency logs: tree, notes, tiles, proofs, witnesses: for the service that keeps a log and all who check it."""
