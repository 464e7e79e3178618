"""Defences at test time: filters of the picture and wrappers around a network, each with what an attack that knows it needs."""
