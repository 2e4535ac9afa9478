"""Reports: a result as text, as a table for people, or as a trace for a viewer."""
