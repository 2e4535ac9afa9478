"""Networks: hosts, switches, the links between them, and the ways through them. No clock."""
