"""What every daemon of a unit needs and nobody needs twice: sockets between daemons, memory, files, logging."""
