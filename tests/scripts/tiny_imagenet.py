"""Files of the form of ILSVRC2012's, for tests: the two tars and the devkit, with few images."""

import io
import struct
import tarfile
import zlib
from pathlib import Path

INT8, INT32, UINT32, DOUBLE, UINT16, MATRIX, COMPRESSED = 1, 5, 6, 9, 4, 14, 15
STRUCT_CLASS, CHAR_CLASS, DOUBLE_CLASS = 2, 4, 6


def element(kind: int, data: bytes) -> bytes:
    if 0 < len(data) <= 4:
        return struct.pack("<HH", kind, len(data)) + data.ljust(4, b"\0")
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(kind: int, shape: tuple, name: str, rest: bytes) -> bytes:
    flags = element(UINT32, struct.pack("<II", kind, 0))
    dimensions = element(INT32, struct.pack(f"<{len(shape)}i", *shape))
    return element(MATRIX, flags + dimensions + element(INT8, name.encode()) + rest)


def text(value: str) -> bytes:
    return matrix(CHAR_CLASS, (1, len(value)), "", element(UINT16, value.encode("utf-16-le")))


def number(value: float) -> bytes:
    return matrix(DOUBLE_CLASS, (1, 1), "", element(DOUBLE, struct.pack("<d", value)))


def meta_mat(synsets: list[tuple], *, compressed: bool = True, name: str = "synsets") -> bytes:
    """A devkit's meta.mat: `synsets` as (id, wnid), and other fields and arrays around them."""
    fields = ["ILSVRC2012_ID", "WNID", "words", "num_children", "children"]
    rest = element(INT32, struct.pack("<i", 32))
    rest += element(INT8, b"".join(field.encode().ljust(32, b"\0") for field in fields))
    for identity, wnid in synsets:
        children = matrix(DOUBLE_CLASS, (0, 0), "", element(DOUBLE, b""))
        rest += number(identity) + text(wnid) + text("words, and more") + number(0) + children
    arrays = [matrix(DOUBLE_CLASS, (1, 1), "other", element(DOUBLE, struct.pack("<d", 1)))]
    arrays.append(matrix(STRUCT_CLASS, (len(synsets), 1), name, rest))
    if compressed:
        packed = [zlib.compress(array) for array in arrays]
        arrays = [struct.pack("<II", COMPRESSED, len(data)) + data for data in packed]
    header = b"MATLAB 5.0 MAT-file, Platform: test".ljust(124, b" ") + struct.pack("<H", 0x100)
    return header + b"IM" + b"".join(arrays)


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            add(tar, name, data)
    return buffer.getvalue()


def write_devkit(folder: Path, meta: bytes, ground_truth: str) -> None:
    with tarfile.open(folder / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as tar:
        root = "ILSVRC2012_devkit_t12/"
        add(tar, root + "readme.txt", b"")
        add(tar, root + "data/meta.mat", meta)
        add(tar, root + "data/ILSVRC2012_validation_ground_truth.txt", ground_truth.encode())


def write_tars(
    folder: Path, train: dict[str, list[bytes]], val: list[tuple[str, bytes]]
) -> dict[str, bytes]:
    """Writes the three files of the images `train` by wnid and `val` with wnids; the ids count the
    wnids backwards. Returns what DEST should hold: contents by path.
    """
    ids = {wnid: i for i, wnid in enumerate(sorted(train, reverse=True), 1)}
    class_tars, expected = {}, {}
    for wnid, images in train.items():
        files = {f"{wnid}_{i}.JPEG": image for i, image in enumerate(images)}
        class_tars[f"{wnid}.tar"] = tar_of(files)
        expected |= {f"train/{wnid}/{name}": data for name, data in files.items()}
    names = [f"ILSVRC2012_val_{i:08d}.JPEG" for i in range(1, len(val) + 1)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ILSVRC2012_img_train.tar").write_bytes(tar_of(class_tars))
    files = {name: image for name, (_, image) in zip(names, val)}
    (folder / "ILSVRC2012_img_val.tar").write_bytes(tar_of(files))
    synsets = [(identity, wnid) for wnid, identity in ids.items()]
    inner_nodes = [(len(ids) + 1, "n00001740"), (len(ids) + 2, "n00001930")]
    ground_truth = "".join(f"{ids[wnid]}\n" for wnid, _ in val)
    write_devkit(folder, meta_mat(synsets + inner_nodes), ground_truth)
    return expected | {f"val/{wnid}/{name}": data for name, (wnid, data) in zip(names, val)}
