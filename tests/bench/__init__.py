"""Figures as ratios within one run, against two baselines that are kept here. Never a timed test."""
