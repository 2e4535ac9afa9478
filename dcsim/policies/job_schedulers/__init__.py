"""Job schedulers: which waiting jobs start, and which running ones make way. One file per scheduler."""
