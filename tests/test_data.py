"""Tables and the choice of a reader: what comes out, and what a broken file is told."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from seqkit.data.csv_file import read_csv
from seqkit.data.dataset import Sequences, Series
from seqkit.data.files import Columns, companion, locate, read_sequences, read_series
from seqkit.errors import DataError

TS = "@classLabel true up down\n@data\n"


# CSV: layout


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator(write, separator):
    table = read_csv(write("a.csv", f"a{separator}b\n1.5{separator}x y\n"))
    assert table.columns == ("a", "b")
    assert table.rows == [["1.5", "x y"]]


def test_semicolon_wins_over_commas_in_cells(write):
    table = read_csv(write("a.csv", "a,b;c\n1,2;3\n"))
    assert table.columns == ("a,b", "c")
    assert table.rows == [["1,2", "3"]]


def test_separator_in_quotes_does_not_count(write):
    table = read_csv(write("a.csv", '"a;b",c\n"1;2",3\n'))
    assert table.columns == ("a;b", "c")
    assert table.rows == [["1;2", "3"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_encodings(write, encoding):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    table = read_csv(write("a.csv", mark + "höhe,b\n1,2\n".encode(encoding)))
    assert table.columns == ("höhe", "b")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_line_numbers(write, end):
    text = end.join(["# note", "a,b", '1,"two', 'lines"', "3,4", "", ""])
    table = read_csv(write("a.csv", text))
    assert table.columns == ("a", "b")
    assert [row[0] for row in table.rows] == ["1", "3"]
    assert table.lines == [3, 5]


def test_first_row_without_a_number_is_a_header(write):
    assert read_csv(write("a.csv", "day,height\n1,2\n")).columns == ("day", "height")
    bare = read_csv(write("b.csv", "2024-01-01,2\n2024-01-02,3\n"))
    assert bare.columns == ("column1", "column2")
    assert bare.numbers("column2").tolist() == [2.0, 3.0]


def test_unnamed_column_gets_a_name(write):
    assert read_csv(write("a.csv", ",a\n0,5\n")).columns == ("column1", "a")


# CSV: a series


def test_series_takes_its_names_from_dates(write):
    series = read_series(write("a.csv", "day,note,height\n2024-01-01,,1.5\n2024-01-02,?,-2e3\n"))
    assert series.column == "height"
    assert series.values.tolist() == [1.5, -2000.0]
    assert series.index == ("2024-01-01", "2024-01-02")


def test_series_takes_its_names_from_increasing_numbers(write):
    series = read_series(write("a.csv", "year,a\n1700,5\n1702,3\n1703,4\n"))
    assert (series.column, series.index) == ("a", ("1700", "1702", "1703"))


def test_a_first_column_that_goes_up_and_down_is_no_index(write):
    path = write("a.csv", "a,b\n1,5\n3,6\n2,7\n")
    assert read_series(path, "b").index == ("1", "2", "3")
    with pytest.raises(DataError, match=r"2 columns hold numbers \(a, b\); choose one with --column"):
        read_series(path)


def test_chosen_first_column_is_no_index(write):
    series = read_series(write("a.csv", "a,b\n4,5\n7,6\n"), "a")
    assert (series.values.tolist(), series.index) == ([4.0, 7.0], ("1", "2"))


@pytest.mark.parametrize("times", [("2008", "2007", "2006"), ("2008-03", "2008-02", "2008-01")])
def test_time_that_runs_backwards(write, times):
    rows = "".join(f"{time},{i}\n" for i, time in enumerate(times))
    with pytest.raises(DataError, match=f"'when' runs backwards from {times[0]} to {times[2]}"):
        read_series(write("a.csv", "when,a\n" + rows))


def test_sunspots_are_the_published_figures():
    series = read_series(locate("sunspots"))
    assert series.index[0] == "1700"
    assert series.index[-1] == "2008"
    assert len(series.values) == 309
    assert series.values[:12].tolist() == [5, 11, 16, 23, 36, 58, 29, 20, 10, 8, 3, 0]
    known = {"1778": 154.4, "1816": 45.8, "1957": 190.2, "1980": 154.6, "2008": 2.9}
    assert {year: series.values[series.index.index(year)] for year in known} == known
    assert series.values.argmax() == series.index.index("1957")


def test_describe_says_what_was_understood(write):
    text = read_series(write("a.csv", "day;note;height\n2024-01-01;x;1\n2024-01-02;y;4\n")).describe()
    assert "2 rows, semicolon-separated, with a header; columns day (text), note (text), height (numbers)" in text
    assert "column 'height', 2 values from 2024-01-01 to 2024-01-02, min 1, mean 2.5, max 4" in text


# CSV: sequences


def test_sequences_are_grouped_in_the_order_of_the_file(write):
    text = "who,date,a,b,kind\nx,d1,1,2,up\ny,d1,3,4,down\nx,d2,5,6,up\n"
    data, test = read_sequences(write("a.csv", text), Columns(id="who", label="kind"))
    assert test is None
    assert (data.ids, data.labels, data.features) == (("x", "y"), ("up", "down"), ("a", "b"))
    assert [row.tolist() for row in data.x] == [[[1, 2], [5, 6]], [[3, 4]]]


def test_target_and_ignored_columns_are_no_features(write):
    path = write("a.csv", "id,a,b,y\n1,1,NA,0.5\n1,2,,0.5\n2,3,7,1.5\n")
    data, _ = read_sequences(path, Columns(id="id", target="y", ignore=("b",)))
    assert data.features == ("a",)
    assert data.targets.tolist() == [[0.5], [1.5]]
    assert data.target_names == ("y",)


def test_known_features_are_taken_in_their_order_and_answers_may_be_missing(write):
    columns = Columns(id="id", label="kind", target="size", features=("b", "a"))
    data, _ = read_sequences(write("a.csv", "id,a,new,b\n1,1,9,2\n2,3,9,4\n"), columns)
    assert (data.labels, data.targets) == (None, None)
    assert [row.tolist() for row in data.x] == [[[2, 1]], [[4, 3]]]


def test_one_label_per_sequence(write):
    path = write("a.csv", "id,a,kind\n1,1,up\n2,5,up\n1,2,down\n")
    with pytest.raises(DataError, match=r"line 4, column 'kind': sequence '1' has 'down' here and 'up' in line 2"):
        read_sequences(path, Columns(id="id", label="kind"))


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("", "the file is empty"),
        ("# only\n# comments\n", "only comments"),
        ("\n\n", "the file is empty"),
        ("a,b\n", "a header but no row"),
        ("a,b\n1,2\n3\n", "line 3: the row has 1 cells, expected 2"),
        ("a,b\n1,2\n\n3,4\n", "line 3: the line is empty"),
        ("a,a\n1,2\n", "two columns are called 'a'"),
        ("n,a\n1,2\n2,\n", r"line 3, column 'a': the value is missing \(''\)"),
        ("n,a\n1,2\n2,NaN\n", r"line 3, column 'a': the value is missing \('NaN'\)"),
        ("n,a\n1,2\n2,inf\n", "line 3, column 'a': 'inf' is not a finite number"),
        ("n;a\n1;2.5\n2;3,5\n", r"line 3, column 'a': '3,5' is not a finite number .*\(write decimals with a point\)"),
        ("n,a\n1,2\n2,2e100\n", "line 3, column 'a': '2e100' is not a finite number of at most 1e[+]100"),
        ("n,a\n1,2\n2,1_0\n", "line 3, column 'a': '1_0' is not a finite number"),
        ("n,m\nx,y\n", "there is no column of numbers;"),
        ("n;m\nx;1,5\n", r"there is no column of numbers \(write decimals with a point\); columns are n, m"),
        ('n,a\n1,"2\n2,3\n', "row that begins in line 2"),
        (b"n,a\n1,2\n\xe9,3\n", "line 3: the file is not UTF-8 text"),
        (b"n,a\n1,\x00\n", "binary data"),
    ],
)
def test_broken_tables(write, text, phrase):
    with pytest.raises(DataError, match=phrase):
        read_series(write("a.csv", text))


def test_unknown_column_lists_the_known_ones(write):
    with pytest.raises(DataError, match="column 'c' does not exist; there are a, b"):
        read_series(write("a.csv", "a,b\n1,2\n"), "c")


def test_missing_id_names_its_line(write):
    with pytest.raises(DataError, match="line 3, column 'id': the value is missing"):
        read_sequences(write("a.csv", "id,a,k\n1,1,u\n,2,u\n"), Columns(id="id", label="k"))


# choosing files and parts


def test_locate(tmp_path, write):
    for name, phrase in [
        (str(tmp_path), "is a folder"),
        (str(tmp_path / "no.csv"), "there is no file"),
        (str(write("a.xlsx", "x")), r"files of kind '\.xlsx' are not known"),
    ]:
        with pytest.raises(DataError, match=phrase):
            locate(name)


def test_companion(write):
    path = write("Demo_TRAIN.ts", TS)
    assert companion(path) is None
    beside = write("Demo_TEST.ts", TS)
    assert companion(path) == beside
    assert companion(beside) is None


def test_a_forecast_needs_a_table(write):
    with pytest.raises(DataError, match="a forecast needs a table"):
        read_series(write("a.ts", TS))


def test_ignored_and_expected_features(write):
    path = write("a.ts", TS + "1:2:3:up\n4:5:6:down\n")
    data, _ = read_sequences(path, Columns(ignore=("dim2",)))
    assert (data.features, data.x[1].tolist()) == (("dim1", "dim3"), [[4, 6]])
    with pytest.raises(DataError, match="3 features, expected 2"):
        read_sequences(path, Columns(features=("dim1", "dim3")))
    with pytest.raises(DataError, match="feature 'dim9' does not exist; there are dim1, dim2, dim3"):
        read_sequences(path, Columns(ignore=("dim9",)))
    with pytest.raises(DataError, match="every feature is ignored"):
        read_sequences(path, Columns(ignore=(*data.features, "dim2")))


def test_select_keeps_everything_together(jagged):
    targets = np.arange(8.0).reshape(4, 2)
    data = Sequences("d", jagged, ("a", "b", "c"), tuple("wxyz"), "", tuple("klmn"), targets, ("s", "t"))
    part = data.select([2, 0])
    assert part.x[0] is jagged[2]
    assert (part.ids, part.labels, part.targets.tolist()) == (("y", "w"), ("m", "k"), [[4, 5], [0, 1]])


def test_describe_sequences(jagged):
    text = Sequences("d", jagged, ("a", "b", "c"), tuple("wxyz"), "from d", tuple("kkmk")).describe()
    assert text == "from d\nsequences: 4 of 1 to 6 steps, 3 features: a, b, c\nclasses: 2: k (3), m (1)"


def test_data_print_themselves_in_one_line(jagged):
    sequences = Sequences("walks", jagged, ("a", "b", "c"), tuple("wxyz"), "from walks", targets=np.ones((4, 1)))
    assert repr(sequences) == "Sequences('walks', 4 of 3 features: a, b, c)"
    series = Series("flow", "level", np.ones(3), tuple("abc"), "from flow")
    assert repr(series) == "Series('flow', column 'level', 3 values)"


def test_embedded_file_is_what_the_csv_module_reads():
    with locate("sunspots").open(newline="") as file:
        rows = [row for row in csv.reader(file) if not row[0].startswith("#")]
    series = read_series(locate("sunspots"))
    assert [(year, float(value)) for year, value in rows[1:]] == list(zip(series.index, series.values, strict=True))
