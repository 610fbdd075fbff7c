"""Fields of a frozen record of choices and numbers: what each may be, and how it stands in a URL."""
from collections.abc import Mapping
from numbers import Integral, Real
from typing import NamedTuple

Value = str | int | float | bool


class Rules(NamedTuple):
    """What the fields of a record allow; every message is "field=value: must be ..."."""

    types: Mapping[str, type]
    choices: Mapping[str, tuple[str, ...]]
    bounds: Mapping[str, tuple[float, float]]  # smallest and largest value, both included

    def parsed(self, name: str, text: str) -> Value:
        """The value of field `name` written as `text` in a URL; ValueError where it is not one."""
        kind = self.types[name]
        if kind is str:
            return self.checked(name, text)
        if kind is bool:
            if text not in ("true", "false"):
                raise ValueError(f"{name}={text}: must be true or false")
            return text == "true"
        try:
            value = kind(text)
        except ValueError:
            raise ValueError(f"{name}={text}: must be {self._range_words(name)}") from None
        return self.checked(name, value)

    def checked(self, name: str, value: object) -> Value:
        """`value` in its plain type, or ValueError: NumPy scalars become Python's, so that equal specs hash equal."""
        kind = self.types[name]
        if kind is bool:
            if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
                raise ValueError(f"{name}={value!r}: must be true or false")
            return bool(value)
        if kind is str:
            if not isinstance(value, str) or value not in self.choices[name]:
                raise ValueError(f"{name}={value}: must be one of {', '.join(self.choices[name])}")
            return str(value)
        low, high = self.bounds[name]
        number = Integral if kind is int else Real
        # plain values first, since to be an Integral takes long to find out; written so that NaN fails as well
        right = type(value) is kind or (isinstance(value, number) and not isinstance(value, bool))
        if not right or not low <= value <= high:
            raise ValueError(f"{name}={value}: must be {self._range_words(name)}")
        return kind(value)

    def _range_words(self, name: str) -> str:
        low, high = self.bounds[name]
        return f"a {'whole ' if self.types[name] is int else ''}number in [{low:g}, {high:.10g}]"


def written(value: Value) -> str:
    """A value as a URL holds it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
