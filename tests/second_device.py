"""A second device without its hardware: tensors that say they are elsewhere, hold their values all the same, and mix with none on the CPU.

They stand on PyTorch's device "meta", which has no memory; under `SecondDevice` every operation on them is done on values that are kept
aside. What a GPU would refuse, tensors of two devices in one operation, is refused here as well, and what makes the CPU wait for a GPU is
counted: reading a value, copying from one to the other unless non_blocking, results whose size depends on values.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only

SECOND = torch.device("meta")
REPOSITORY = Path(__file__).parents[1]
aten = torch.ops.aten
SIZE_FROM_VALUES = {
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.unique_consecutive.default,
    aten.bincount.default,
    aten.repeat_interleave.Tensor,
}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
READS_VALUE = {aten._local_scalar_dense.default, aten.equal.default, aten.is_nonzero.default}


class There(Tensor):
    """A tensor on the second device; `values` are on the CPU."""

    values: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> "There":
        made = Tensor._make_wrapper_subclass(
            cls, values.shape, values.stride(), values.storage_offset(), dtype=values.dtype, device=SECOND, requires_grad=False
        )
        made.values = values
        return made

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"There({self.values})"

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func} on the second device outside of SecondDevice")


class SecondDevice(TorchDispatchMode):
    """While it is entered, `SECOND` computes. `waits` are the places at which the CPU waited within `step`."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []
        self.watching = False
        self.constants = Constants()

    @contextmanager
    def step(self) -> Iterator[None]:
        """What happens here is to happen without the CPU waiting."""
        self.watching = True
        try:
            yield
        finally:
            self.watching = False

    def __enter__(self) -> Self:
        self.constants.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.constants.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
        there = any(isinstance(value, There) for value in tensors)
        asked = kwargs.get("device")
        target = SECOND if (there if asked is None else asked == SECOND) else None
        if target is None and not there:
            return func(*args, **kwargs)
        if func is not aten._to_copy.default and func is not aten.copy_.default:
            strangers = [value for value in tensors if not isinstance(value, There) and value.ndim > 0]
            if strangers and there:
                raise RuntimeError(f"{func}: a tensor of shape {tuple(strangers[0].shape)} stayed behind on the CPU")
        if self.watching and waits(func, args, kwargs, target):
            self.waits.append(f"{func} {place()}")
        if asked is not None:
            kwargs = kwargs | {"device": torch.device("cpu")}
        plain = tree_map_only(There, lambda tensor: tensor.values, (args, kwargs))
        result = func(*plain[0], **plain[1])
        if func in READS_VALUE:
            return result
        if func is aten.copy_.default and not isinstance(args[0], There):
            return args[0]
        if target is None:
            return result.clone() if func is aten._to_copy.default and result is plain[0][0] else result
        made = tree_map_only(Tensor, There, result)
        return return_and_correct_aliasing(func, args, kwargs, made) if there and asked is None else made


class Constants(TorchFunctionMode):
    """Tensors made of Python's numbers on the second device, which are copied there."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.new_tensor and isinstance(args[0], There):
            return torch.tensor(args[1], **({"dtype": args[0].dtype} | kwargs)).to(SECOND)
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") == SECOND:
            del kwargs["device"]
            return func(*args, **kwargs).to(SECOND)
        return func(*args, **kwargs)


def waits(func: Any, args: Any, kwargs: Any, target: torch.device | None) -> bool:
    """Whether the CPU would wait for a GPU here."""
    if func in READS_VALUE or func in SIZE_FROM_VALUES:
        return True
    if func in INDEXING:
        return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])
    if func is aten.copy_.default:
        non_blocking = args[2] if len(args) > 2 else kwargs.get("non_blocking", False)
        return isinstance(args[1], There) != isinstance(args[0], There) and not non_blocking
    moved = func is aten._to_copy.default and isinstance(args[0], There) != (target is not None)
    return moved and not (target is not None and kwargs.get("non_blocking", False))


def place() -> str:
    """The innermost line of the package that led here."""
    frames = [frame for frame in traceback.extract_stack() if frame.filename.startswith(str(REPOSITORY / "segviz"))]
    return f"{Path(frames[-1].filename).relative_to(REPOSITORY)}:{frames[-1].lineno}" if frames else ""
