import losses
from bench.index import encode_index, encode_version, index_path, method_index, version_path


def test_index_file_has_not_drifted() -> None:
    assert index_path().read_bytes() == encode_index(), "run: python -m bench.index"
    assert version_path().read_bytes() == encode_version(), "run: python -m bench.index"


def test_index_has_every_name_of_every_kind() -> None:
    index = method_index()
    kinds = ("method", "objective", "regularizer", "transform", "constraint")
    assert [(each["kind"], each["name"]) for each in index] == [
        (kind, name) for kind in kinds for name in losses.names(kind)
    ]
    for each in index:
        assert each["summary"]
        assert bool(each["expression"]) == (each["kind"] == "method")
