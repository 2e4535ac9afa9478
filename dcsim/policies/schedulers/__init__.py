"""Schedulers: which requests an engine works on in its next step. One file per scheduler."""
