"""How well predictions agree with people (sections 5.1 and 5.2), and with benchmarks of known order."""
