"""The version of dcsim."""

__version__ = "0.1.0"
