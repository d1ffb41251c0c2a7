"""State machines of Google's APIs, one per API, for the front (front.py) to ask."""
