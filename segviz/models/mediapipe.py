"""The selfie networks in Google's own runtime: the file that they ship, read by the PyPI package `mediapipe`."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from segviz.models.zoo import SELFIES, WEIGHTS
from segviz.types import UserError

INSTALL = "Google's runtime is not installed: pip install --no-deps mediapipe; pip install absl-py certifi flatbuffers matplotlib"
"""Without its dependencies, as it asks for an OpenCV with windows, which must not lie beside the one without."""


def shipped_file(key: str) -> Path:
    """The file of a selfie network as Google ships it; raises UserError for any other model."""
    if key not in [name for name, *_ in SELFIES]:
        raise UserError(f"Google's runtime runs the models {' and '.join(name for name, *_ in SELFIES)}, not {key}.")
    return WEIGHTS / f"{key}.tflite"


def runtime() -> tuple[Any, Any]:
    """The packages `mediapipe` and `mediapipe.tasks.python`; raises UserError where they are not installed."""
    try:
        return importlib.import_module("mediapipe"), importlib.import_module("mediapipe.tasks.python")
    except ImportError as error:
        raise UserError(f"{INSTALL} ({error}).") from None


def person_probability(key: str, pixels: np.ndarray) -> np.ndarray:
    """What MediaPipe makes of a picture (H,W,3) uint8: for each pixel the probability (H,W) float32 that it shows a person.

    MediaPipe brings the picture to the network's size and the result back. Raises UserError where it is not installed.
    """
    file = shipped_file(key)
    mediapipe, tasks = runtime()
    options = tasks.vision.ImageSegmenterOptions(
        base_options=tasks.BaseOptions(model_asset_buffer=with_input_range(file.read_bytes())), output_confidence_masks=True
    )
    with tasks.vision.ImageSegmenter.create_from_options(options) as segmenter:
        result = segmenter.segment(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels)))
        # The view dies with the result.
        return result.confidence_masks[0].numpy_view().reshape(pixels.shape[:2]).copy()


def with_input_range(file: bytes) -> bytes:
    """The tflite file with what MediaPipe wants to be told of its input: RGB, grey levels divided by 255."""
    described: Any = importlib.import_module("mediapipe.tasks.metadata.metadata_schema_py_generated")
    stored: Any = importlib.import_module("mediapipe.tasks.metadata.schema_py_generated")

    scaling = described.NormalizationOptionsT()
    scaling.mean, scaling.std = [0.0], [255.0]
    unit = described.ProcessUnitT()
    unit.optionsType, unit.options = described.ProcessUnitOptions.NormalizationOptions, scaling
    colours = described.ImagePropertiesT()
    colours.colorSpace = described.ColorSpaceType.RGB
    content = described.ContentT()
    content.contentPropertiesType, content.contentProperties = described.ContentProperties.ImageProperties, colours
    picture = described.TensorMetadataT()
    picture.processUnits, picture.content = [unit], content
    graph = described.SubGraphMetadataT()
    graph.inputTensorMetadata, graph.outputTensorMetadata = [picture], [described.TensorMetadataT()]
    metadata = described.ModelMetadataT()
    metadata.subgraphMetadata = [graph]

    model = stored.ModelT.InitFromObj(stored.Model.GetRootAsModel(file, 0))
    buffer = stored.BufferT()
    buffer.data = np.frombuffer(packed(metadata, b"M001"), np.uint8)
    entry = stored.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [entry]
    return packed(model, b"TFL3")


def packed(record: Any, identifier: bytes) -> bytes:
    """A record as a flatbuffer of a kind."""
    builder = importlib.import_module("flatbuffers").Builder(0)
    builder.Finish(record.Pack(builder), identifier)
    return bytes(builder.Output())
