"""Routers: which replica a request goes to. One file per router."""
