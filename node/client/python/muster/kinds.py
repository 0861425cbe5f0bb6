"""What a value is, whatever it says of itself."""

from typing import TypeGuard, TypeVar

K = TypeVar("K")


def is_a(value: object, *kinds: type[K]) -> TypeGuard[K]:
    """Like isinstance, but by the type alone. isinstance also asks `__class__`, which may raise, or lie as mocks do."""
    return issubclass(type(value), kinds)
