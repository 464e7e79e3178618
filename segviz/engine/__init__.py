"""The engine: one worker owns the device and advances everybody's runs in turn."""
