"""Hosts: nodes, and drivers for what runs on them."""
