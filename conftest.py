"""The list of plugins, and nothing else."""

pytest_plugins = [
    "fixtures.collection",
    "fixtures.options",
    "fixtures.signals",
    "fixtures.order",
    "fixtures.recording",
    "fixtures.world",
    "fixtures.rooms",
    "fixtures.searches",
    "fixtures.trials",
    "fixtures.evidence",
    "fixtures.documents",
    "steps.machine",
    "steps.installation",
    "steps.services",
    "steps.secrets",
    "steps.repositories",
    "steps.certificate",
    "steps.resources",
    "steps.evidence",
    "steps.documents",
]
