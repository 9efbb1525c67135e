"""Steps: one module a noun. A step turns a phrase into one question to a domain object, and does nothing else."""
