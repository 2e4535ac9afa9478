"""Autoscalers: how many replicas of a served model are on. One file each, named like the policy."""
