"""What a home can have: one file per device, read from the field of its name in the house file."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    # Importing a device's file is what makes it known (`ThermalDevice.kinds`).
    importlib.import_module(f"{__name__}.{_module.name}")
