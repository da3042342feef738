"""Part of Otaniemi."""
