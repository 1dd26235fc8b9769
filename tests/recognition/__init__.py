"""What pixels turn into, and what is left of them."""
