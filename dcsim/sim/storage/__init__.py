"""Storage: stores that their users share, with caches in front and capacity behind."""
