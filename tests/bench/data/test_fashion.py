from idx_files import write_tiny_files

from bench import data


def test_the_files_are_read_from_torchvisions_folder(tmp_path):
    write_tiny_files(tmp_path / "FashionMNIST" / "raw")
    arrays = data.load("fashion-mnist", tmp_path)
    assert arrays.train.shape == arrays.test.shape == (6, 1, 32, 32)
    resolved = data.resolve("fashion-mnist", tmp_path, fetch=False)
    assert resolved.content_hash == arrays.content_hash
    assert data.workload("fashion-mnist").content_hash == ""
