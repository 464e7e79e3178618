"""The engine: a process of its own owns the device and advances everybody's runs in fair turns; pages only hold a handle."""
