"""Ours and the real sops, side by side. Needs Go, or the program itself."""
