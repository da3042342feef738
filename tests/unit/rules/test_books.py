from __future__ import annotations

import pytest

from otaniemi.contracts.rules.books import clear_book, read_book
from otaniemi.contracts.rules.errors import BookError

HEADER = "id,side,price,quantity\n"


def test_a_book_file_is_cleared_with_fills_by_id() -> None:
    named = read_book(
        HEADER + "ann,buy,200000,500\nbob,sell,100000,300\ncid,sell,150000,100\ndan,sell,250000,9\n"
    )
    result = clear_book(named)
    assert result.pop("seconds") >= 0  # type: ignore[misc]
    assert result == {
        "price": 200_000,
        "lo": 200_000,
        "hi": 200_000,
        "volume": 400,
        "fills": {"ann": 400, "bob": 300, "cid": 100},
    }


def test_a_premium_asks_for_labels() -> None:
    text = (
        "id,side,price,quantity,source,premium\nsun,sell,50000,400,pv,\ncar,sell,50000,300,chp,\n"
        "ann,buy,200000,300,,20000\nbob,buy,200000,300,,5000\ncid,buy,200000,100,,\n"
    )
    named = read_book(text)
    assert named.book.source.tolist() == [1, 4, 84, 69, 0]
    assert clear_book(named)["labels"] == {
        "premium": 5_000,
        "green": 400,
        "labelled": {"ann": 300, "bob": 100},
    }
    assert "labels" not in clear_book(read_book(HEADER + "a,buy,9,5\nb,sell,1,5\n"))


def test_where_nothing_crosses_there_is_no_price() -> None:
    for rows in ("", "ann,buy,-5,10\n", "ann,buy,90,5\nbob,sell,110,5\n"):
        result = clear_book(read_book(HEADER + rows))
        assert (result["price"], result["lo"], result["hi"]) == (None, None, None)
        assert (result["volume"], result["fills"]) == (0, {})


def test_file_order_is_the_order_of_arrival() -> None:
    first = clear_book(read_book(HEADER + "s,sell,5,10\na,buy,5,8\nb,buy,5,8\n"))
    second = clear_book(read_book(HEADER + "s,sell,5,10\nb,buy,5,8\na,buy,5,8\n"))
    assert first["fills"] == {"s": 10, "a": 8, "b": 2}
    assert second["fills"] == {"s": 10, "b": 8, "a": 2}


def test_columns_stand_in_any_order_and_sources_are_names_or_codes() -> None:
    text = "\ufeffquantity,source,price,side,id\r\n5,pv,-7, sell ,x\r\n\r\n6,,8,buy,y\r\n7,3,9,buy,z\r\n"
    named = read_book(text)
    assert list(named.ids) == ["x", "y", "z"]
    assert named.book.source.tolist() == [1, 0, 3]
    assert named.book.price.tolist() == [-7, 8, 9]
    assert named.book.buy.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the file is empty"),
        ("id,side,price\n", "line 1: there is no column quantity"),
        ("id,side,price,quantity,colour\n", "line 1, column 5: 'colour' is unknown"),
        (HEADER + "a,buy,1\n", "line 2, column quantity: the row has 3 fields, the header 4"),
        (HEADER + "a,buy,1,2,3\n", "line 2, column beyond the header: the row has 5 fields"),
        (HEADER + "a,buy,1,2\n\nb,byu,1,2\n", "line 4, column side: 'byu' is not buy or sell"),
        (HEADER + "a,buy,1,2\nb,buy,0.5,2\n", "line 3, column price: '0.5' is not an integer"),
        (HEADER + "a,buy,1_0,2\n", "line 2, column price: '1_0'"),
        (HEADER + "a,buy,,2\n", "line 2, column price: ''"),
        (HEADER + "a,buy,nan,2\n", "line 2, column price: 'nan'"),
        (
            HEADER + "a,buy,4000001,2\n",
            "line 2, column price: '4000001' is not an integer in -4000000 .. 4000000",
        ),
        (HEADER + "a,buy,1,0\n", "line 2, column quantity: '0'"),
        (HEADER + "a,buy,1,-3\n", "line 2, column quantity: '-3'"),
        (HEADER + "a,buy,1,99999999999999999999\n", "line 2, column quantity"),
        (HEADER + "a,buy,1,2\nb,sell,1,2\na,buy,1,2\n", "line 4, column id: 'a' is already the id of line 2"),
        (HEADER + " ,buy,1,2\n", "line 2, column id: '' is not a name"),
        (HEADER + 'a,"b"uy,1,2\n', "line 2: no valid CSV"),
        ("id,side,price,quantity,premium\na,buy,1,2,500\n", "line 2, column premium: '500' is not empty"),
        ("id,side,price,quantity,premium\na,sell,1,2,1000\n", "line 2, column premium: '1000' is not empty"),
        (
            "id,side,price,quantity,source\na,buy,1,2,wind\n",
            "line 2, column source: 'wind' is not one of grid, pv",
        ),
    ],
)
def test_a_bad_row_is_refused_by_line_and_column(text: str, message: str) -> None:
    with pytest.raises(BookError) as error:
        read_book(text)
    assert str(error.value).startswith(message)


def test_the_band_can_be_chosen() -> None:
    assert len(read_book(HEADER + "a,buy,5000000,2\n", price_max=5_000_000).book) == 1


def test_100_000_rows_are_read() -> None:
    rows = "".join(f"o{i},{'buy' if i % 2 else 'sell'},{i % 977},{1 + i % 89}\n" for i in range(100_000))
    assert len(read_book(HEADER + rows).book) == 100_000
