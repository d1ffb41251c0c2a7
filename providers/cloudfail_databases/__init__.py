"""What every cloud's databases share: what a member's own server is asked, whatever it speaks, and the fence on it."""
