"""Models in memory: shared, counted, freed least recently used first."""

import dataclasses
import gc
import threading
import weakref

import pytest
import torch
from torch import nn

from segviz.models import load
from segviz.models.load import ModelCache, bytes_of
from segviz.models.zoo import MODELS

CPU = torch.device("cpu")
BASE = dataclasses.replace(MODELS["voc7-lraspp"], weights=None, sha256="")


def entry(key, counter=None):
    def build():
        if counter is not None:
            counter.append(key)
        return nn.Conv2d(3, 7, 1)

    return dataclasses.replace(BASE, key=key, build=build)


def get(cache, entry):
    return cache.get(entry, CPU, lambda done, total: None)


def test_least_recently_used_is_freed_beyond_the_budget():
    size = bytes_of(get(ModelCache(0), entry("size")))
    cache = ModelCache(2 * size)
    a, b, c = entry("a"), entry("b"), entry("c")
    first = get(cache, a)
    second = weakref.ref(get(cache, b))
    assert get(cache, a) is first
    get(cache, c)
    assert [loaded.entry.key for loaded in cache.loaded()] == ["a", "c"]
    assert sum(loaded.bytes for loaded in cache.loaded()) == 2 * size
    gc.collect()
    assert second() is None


def test_a_model_larger_than_the_budget_is_still_kept_alone():
    cache = ModelCache(1)
    get(cache, entry("a"))
    large = entry("b")
    assert get(cache, large) is get(cache, large)
    assert [loaded.entry.key for loaded in cache.loaded()] == ["b"]


def test_threads_that_ask_at_once_share_one():
    counter, found = [], []
    cache, wanted = ModelCache(10**6), entry("a", counter)
    threads = [threading.Thread(target=lambda: found.append(get(cache, wanted))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter == ["a"]
    assert len(set(map(id, found))) == 1


@pytest.mark.parametrize(("text", "megabytes"), [("12", 12), ("", 1024), ("much", 1024)])
def test_budget_from_the_environment(monkeypatch, text, megabytes):
    monkeypatch.setenv("SEGVIZ_MODEL_MB", text)
    assert load.budget_from_environment() == megabytes * 10**6


def test_loaded_models_are_visible(model):
    assert "voc7-lraspp" in [loaded.entry.key for loaded in load.loaded()]
