"""The levels of books as columns of a file: lists of prices and quantities, out of the database's JSON and back."""

from itertools import chain

import msgspec
import pyarrow as pa

_LEVELS = msgspec.json.Decoder(list[tuple[str, str]])


def levels_of(documents: pa.ChunkedArray, price_type: pa.DataType, quantity_type: pa.DataType) -> pa.ListArray:
    """Return the levels of books whose sides are JSON, as `[["60000.5", "0.25"], …]`.

    Raises `pyarrow.ArrowInvalid` if a number doesn't fit, and `msgspec.MsgspecError` if a document is none.
    """
    books = [_LEVELS.decode(document) for document in documents.to_pylist()]
    ends = [0]
    for book in books:
        ends.append(ends[-1] + len(book))
    flat = list(chain.from_iterable(books))
    prices = pa.array([price for price, _ in flat], pa.string()).cast(price_type)
    quantities = pa.array([quantity for _, quantity in flat], pa.string()).cast(quantity_type)
    levels = pa.StructArray.from_arrays([prices, quantities], names=["price", "quantity"])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), levels)


def documents_of(books: pa.ChunkedArray) -> pa.Array:
    """Return the JSON of books' sides, as `levels_of` takes them."""
    documents = [
        msgspec.json.encode([(str(level["price"]), str(level["quantity"])) for level in book]).decode()
        for book in books.to_pylist()
    ]
    return pa.array(documents, pa.string())


def column_of(books: pa.ChunkedArray, field: str) -> pa.ChunkedArray:
    """Return the prices, or the quantities, of all levels of all books."""
    kind = books.type.value_type.field(field).type
    return pa.chunked_array([chunk.flatten().field(field) for chunk in books.chunks], kind)
