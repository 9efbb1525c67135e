"""Measurements: each against something that a user would run instead, side by side in one run, as ratios."""
