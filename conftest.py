"""The list of plugins, and nothing else."""

pytest_plugins = [
    "fixtures.collection",
    "fixtures.options",
    "fixtures.recording",
    "fixtures.world",
    "fixtures.rooms",
    "steps.machine",
    "steps.installation",
    "steps.services",
]
