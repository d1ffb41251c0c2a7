"""State machines of Azure's services, which the front serves."""
