"""The scenario: pydantic models, the strict loader and the cross-field checks."""
