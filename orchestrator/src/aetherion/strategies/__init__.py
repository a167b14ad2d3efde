"""Example strategies. They show the interface and are honest about costs; they are no advice."""
