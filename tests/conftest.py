"""Property tests draw the same examples in every run, however loaded the machine is."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],  # the first draw of text builds a table of all characters
)
settings.load_profile("repeatable")
