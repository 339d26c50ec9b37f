"""Which records of a set are current, and what their data is called.

A result decides and never a lost run: one that timed out under a newer version says nothing that its numbers could be
held against, so it makes no older result outdated. Only where nothing has a result do lost runs decide.

The images of a folder are their content, wherever the folder lies: a moved one is the same data, called by where it was
last read from. Two folders are two workloads, and a folder whose images have changed counts as it was last.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from bench.config.trial import Spec
from bench.config.workload import workload_kind
from bench.store.record import Record
from bench.store.times import age

Data = tuple[str, str]
"""What a trial was trained on: the workload without its folder, and the hash of the images if it has one."""


def weight(record: Record) -> tuple[bool, tuple[datetime, str, str]]:
    """Return what orders records from the one that says least to the one that decides: the newest result."""
    return not record.is_lost, age(record)


def data_of(spec: Spec) -> Data:
    """Return what names the data of a trial; a workload without a folder is its name, whatever its data was."""
    kind = workload_kind(spec.workload)
    return kind, "" if kind == spec.workload else spec.data_hash


def names_of_data(records: Iterable[Record]) -> Mapping[Data, str]:
    """Return what each data of these records is called: the workload with the folder that it was last read from.

    A folder that has other images by now is no name of those that it had, unless they have no other; then both have
    one name, as two versions of the data of one workload.
    """
    of_folders: dict[Data, str] = {}
    by_weight = sorted((record for record in records if data_of(record.spec)[1]), key=weight)
    now = {record.spec.workload: data_of(record.spec) for record in by_weight}
    for record in by_weight:
        name, data = record.spec.workload, data_of(record.spec)
        if now[name] == data or now.get(of_folders.get(data, "")) != data:
            of_folders[data] = name
    return of_folders


def data_name(spec: Spec, names: Mapping[Data, str]) -> str:
    """Return what a trial's workload is called, by the names of `names_of_data`."""
    return names.get(data_of(spec), spec.workload)


def under_current_names(records: Sequence[Record]) -> list[Record]:
    """Return the records with their workloads called by one name each, as the tables call them."""
    names = names_of_data(records)
    return [renamed(record, data_name(record.spec, names)) for record in records]


def renamed(record: Record, name: str) -> Record:
    """Return the record with its workload under another name for the same data."""
    if name == record.spec.workload:
        return record
    return msgspec.structs.replace(record, spec=msgspec.structs.replace(record.spec, workload=name))
