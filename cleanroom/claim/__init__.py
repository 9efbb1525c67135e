"""C5: what the site's owner claims, judged against the signed record of a run.

Knows: how a claim, a record and a limitation are written, and what each must agree with.
Refuses: a record that nobody trusted has signed, and a claim that says more than its record.
"""
