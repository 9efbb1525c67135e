"""Sabotages: named, small breakages of the lab's site, each of which must turn its scenario red for its stated reason."""
