"""Drafting cloudfail.yaml from what stands in a cloud."""
