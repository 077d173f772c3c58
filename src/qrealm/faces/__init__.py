"""Faces: how people and programs reach qrealm from outside."""
