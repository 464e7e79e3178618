"""Photos, label maps, label sets and data-set folders."""
