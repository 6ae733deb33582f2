"""nbdkit plugin: a disk with a volatile cache.

What is written stays in memory until a flush; of each write, some sectors reach the image at once, in no order, as a disk's
own cache may do. Killing nbdkit is the power cut: whatever was not flushed is there in part.
"""

import io
import random

import nbdkit

API_VERSION = 2
SECTOR = 512

image = None
cache = {}
dice = random.Random()


def config(key, value):
    global image
    if key == "image":
        image = io.FileIO(value, "r+")
    elif key == "seed":
        dice.seed(value)
    else:
        raise RuntimeError(f"unknown parameter {key}")


def thread_model():
    return nbdkit.THREAD_MODEL_SERIALIZE_ALL_REQUESTS


def open(readonly):
    return 1


def get_size(handle):
    return image.seek(0, 2)


def can_flush(handle):
    return True


def can_fua(handle):
    return nbdkit.FUA_EMULATE


def block_size(handle):
    return (SECTOR, 4096, 0xFFFFFFFF)


def put(sector, content):
    image.seek(sector * SECTOR)
    image.write(content)


def pread(handle, buffer, offset, flags):
    image.seek(offset)
    buffer[:] = image.read(len(buffer))
    first = offset // SECTOR
    for n in range(len(buffer) // SECTOR):
        content = cache.get(first + n)
        if content is not None:
            buffer[n * SECTOR:(n + 1) * SECTOR] = content


def pwrite(handle, buffer, offset, flags):
    share = dice.choice([0, 0, 0.3, 0.9])
    for n in range(len(buffer) // SECTOR):
        sector, content = offset // SECTOR + n, bytes(buffer[n * SECTOR:(n + 1) * SECTOR])
        cache[sector] = content
        if dice.random() < share:
            put(sector, content)


def flush(handle, flags):
    for sector, content in cache.items():
        put(sector, content)
    cache.clear()
