"""A home that trades: kept models, the curve of a slot, offers by source, and all homes as one."""
