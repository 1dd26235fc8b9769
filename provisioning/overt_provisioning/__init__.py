"""What the force office and the technician work with: keys, certificates, orders, watchlists, and their sending."""
