"""The form: fields read off the scenario's JSON Schema, and the widgets that show them."""
