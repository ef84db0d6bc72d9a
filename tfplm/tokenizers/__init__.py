"""Vocabulary training and encoding."""
