#!/usr/bin/env python3
"""Makes a recording in the layout of RAISE-LPBF from NumPy arrays: convert.py FOLDER FILE.hdf5. Needs numpy and h5py."""
import pathlib
import sys

import h5py
import numpy

folder, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
target.parent.mkdir(parents=True, exist_ok=True)
with h5py.File(target, "w") as file:
    for number, frames_of in enumerate(sorted(folder.glob("*-frames.npy"))):
        name = frames_of.name[:-len("-frames.npy")]
        frames = numpy.load(frames_of)                         # (frames, height, width), any range
        lines = numpy.load(folder / f"{name}-lines.npy")       # (frames): which line each belongs to
        labels = numpy.load(folder / f"{name}-labels.npy")     # (lines, 2)
        if frames.dtype != numpy.uint8:
            low, high = frames.min(), frames.max()
            frames = numpy.round(255 * (frames - low) / max(high - low, 1e-9)).astype(numpy.uint8)
        layer = file.create_group(f"layer{number:04d}")
        layer["frame"] = frames
        layer["scan_line_index"] = lines.astype(numpy.int64)
        layer["laser_params"] = labels.astype(numpy.float64)
        print(f"{name}: {len(frames)} frames, {len(labels)} lines")
