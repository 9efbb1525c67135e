"""Report folders that lie, each made from a genuine one, and the reason for which each must be refused."""
