"""Training jobs: the section, its checks, and what they become with every default resolved."""
