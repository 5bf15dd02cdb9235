"""Makes the small archives of NumPy and PyTorch in Fixtures/checkpoints that the zip and npz tests read.

    .build/python-peers/bin/python tools/make_fixtures_zip.py

Deterministic: a second run gives the same bytes. `tools/fixture_table.py` then brings the table in Fixtures/README.md up
to date.
"""
import pathlib

import ml_dtypes
import numpy as np
import torch

CHECKPOINTS = pathlib.Path(__file__).resolve().parent.parent / "Fixtures" / "checkpoints"


def arrays():
    """0, 1, … 5 in every type and order of bytes and dimensions; the names say which."""
    made = {}
    for code in "u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8 c8".split():
        values = np.arange(6).reshape(2, 3)
        made[f"little/{code}"] = values.astype("<" + code)
        made[f"big/{code}"] = values.astype(">" + code)
        made[f"fortran/{code}"] = np.asfortranarray(values.astype("<" + code))
    made["big/fortran"] = np.asfortranarray(np.arange(24).reshape(2, 3, 4).astype(">i4"))
    made["little/b1"] = np.arange(6).reshape(2, 3) % 2 == 1
    made["little/bf16"] = np.arange(6).reshape(2, 3).astype(ml_dtypes.bfloat16)
    made["shape/scalar"] = np.float32(7)
    made["shape/one"] = np.arange(3, dtype="<f4")
    made["shape/empty"] = np.zeros((0, 5), "<f4")
    made["shape/fortran-empty"] = np.zeros((4, 0, 5), "<f4", order="F")
    return made


def main():
    np.savez(CHECKPOINTS / "numpy-types.npz", **arrays())
    np.savez_compressed(CHECKPOINTS / "numpy-types-deflated.npz", **arrays())
    for major in (1, 2, 3):
        with open(CHECKPOINTS / f"numpy-version-{major}.npy", "wb") as file:
            np.lib.format.write_array(file, np.arange(6, dtype="<f4").reshape(2, 3), version=(major, 0))
    torch.serialization.set_crc32_options(False)
    torch.save({"weight": torch.arange(6.0).reshape(2, 3)}, CHECKPOINTS / "torch-without-checksums.pt")


if __name__ == "__main__":
    main()
