"""Failures on the clock: when nodes fail, whom it concerns, repair and spares."""
