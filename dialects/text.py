"""Text attributes in the IR.

xDSL prints non-ASCII text with escapes and parses those as bytes, not as a string. Names in a
model may be in any script, so both forms are read here.
"""

from __future__ import annotations

from xdsl.dialects.builtin import BytesAttr, StringAttr
from xdsl.ir import Attribute
from xdsl.parser import AttrParser


def text_of(attribute: Attribute | None) -> str | None:
    """The text of a string or UTF-8 bytes attribute; None for any other attribute."""
    match attribute:
        case StringAttr():
            return attribute.data
        case BytesAttr():
            try:
                return attribute.data.decode()
            except UnicodeDecodeError:
                return None
        case _:
            return None


def parse_optional_text(parser: AttrParser) -> str | None:
    """Parses a string literal, if there is one."""
    text = parser.parse_optional_str_literal()
    if text is not None:
        return text
    data = parser.parse_optional_bytes_literal()
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        parser.raise_error("text must be UTF-8")


def parse_text(parser: AttrParser) -> str:
    """Parses a string literal."""
    return parser.expect(lambda: parse_optional_text(parser), "string literal expected")
