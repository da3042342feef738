"""How a plan is found: exactly, fast with a certificate, by the study's swarm, by rules."""
