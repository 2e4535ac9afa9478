"""The fabric in time: transfers that share links, links that fail."""
