# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The result file bench.json: reading it, and refusing what is none with the reason."""

import json

SCHEMA = 2
# The first has latencies only.
UNDERSTOOD = (1, 2)
BANDWIDTH = "MiB/s"
QUANTILES = ("min", "p50", "p99", "p999", "max")


class BenchFileError(Exception):
    """Its text names the file, the place in it, and what is wrong there."""


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def check_histogram(histogram, samples, fail):
    if not isinstance(histogram, list):
        fail("histogram is no list")
    total, previous = 0, None
    for bucket in histogram:
        if not (isinstance(bucket, list) and len(bucket) == 2 and all(map(is_whole, bucket))):
            fail(f"histogram has {bucket!r} where [upper, count] belongs")
        if previous is not None and bucket[0] <= previous:
            fail("the histogram's upper bounds do not grow")
        previous = bucket[0]
        total += bucket[1]
    if histogram and total != samples:
        fail(f"the histogram counts {total} samples, the figure {samples}")


def check_quantiles(figure, fail):
    for key in QUANTILES:
        if not is_number(figure.get(key)):
            fail(f"{key} is {figure.get(key)!r}, not a number")
    values = [figure[key] for key in QUANTILES]
    if values != sorted(values):
        fail("min, p50, p99, p999 and max do not ascend")
    check_histogram(figure.get("histogram", []), figure["samples"], fail)


def check_bandwidth(figure, fail):
    for key in ("average", "peak"):
        if not is_number(figure.get(key)) or figure[key] <= 0:
            fail(f"{key} is {figure.get(key)!r}, not a number above 0")


def check_figure(figure, schema, fail):
    if not isinstance(figure, dict):
        fail("it is no object")
    if not isinstance(figure.get("name"), str) or not figure["name"]:
        fail("it has no name")
    name = figure["name"]
    params = figure.get("params")
    if not isinstance(params, dict):
        fail(f"{name} has no params")
    for key, value in params.items():
        if not isinstance(value, (str, int, float, bool)):
            fail(f"{name}: param {key} is neither text nor number")
    units = {"ns": check_quantiles}
    if schema > 1:
        units[BANDWIDTH] = check_bandwidth
    if figure.get("unit") not in units:
        fail(f"{name}: unit is {figure.get('unit')!r}, not {' or '.join(units)}")
    if not is_whole(figure.get("samples")) or figure["samples"] < 1:
        fail(f"{name}: samples is {figure.get('samples')!r}, not a whole number above 0")
    units[figure["unit"]](figure, lambda why: fail(f"{name}: {why}"))


def check_counters(counters, fail):
    for event, entries in counters.items():
        if is_number(entries):
            continue
        if not isinstance(entries, list):
            fail(f"counters.{event} is neither a number nor a list")
        for entry in entries:
            if not (isinstance(entry, dict) and isinstance(entry.get("params"), dict)
                    and isinstance(entry.get("counts"), dict)
                    and all(map(is_number, entry["counts"].values()))):
                fail(f"counters.{event} has an entry without params and counts of numbers")


def check_devices(devices, fail):
    """What dmabuf_levels --json said."""
    if not isinstance(devices, list):
        fail("environment.devices is no list")
    for device in devices:
        if not (isinstance(device, dict)
                and all(isinstance(device.get(key), str)
                        for key in ("device", "driver", "vfio_memory"))
                and isinstance(device.get("level"), (str, type(None)))
                and isinstance(device.get("odp"), bool)):
            fail("environment.devices has an entry that is not dmabuf_levels'")


def check(data, path):
    def fail(why):
        raise BenchFileError(f"{path} is no result file: {why}")

    if not isinstance(data, dict):
        fail("it holds no object")
    if data.get("schema") not in UNDERSTOOD:
        fail(f"schema is {data.get('schema')!r}, and only {UNDERSTOOD} are understood")
    environment = data.get("environment")
    if not isinstance(environment, dict):
        fail("it has no environment")
    if not isinstance(environment.get("lab"), bool):
        fail("environment.lab is neither true nor false")
    check_devices(environment.get("devices", []), fail)
    if not isinstance(data.get("figures"), list):
        fail("it has no list of figures")
    for index, figure in enumerate(data["figures"]):
        check_figure(figure, data["schema"], lambda why, index=index: fail(f"figures[{index}]: {why}"))
    if not isinstance(data.get("counters"), dict):
        fail("it has no counters")
    check_counters(data["counters"], fail)


def refuse_constant(name):
    raise ValueError(f"{name} is no number of JSON")


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file, parse_constant=refuse_constant)
    except OSError as error:
        raise BenchFileError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BenchFileError(f"{path} is no JSON: {error}") from error
    check(data, path)
    return data


def merge(parts):
    """One result file out of those of several programs run on the same machine.

    Of a figure that was measured twice, the one with more samples counts, or the later.
    """
    merged = {"schema": SCHEMA, "environment": {}, "figures": [], "counters": {}}
    places = {}
    for part in parts:
        merged["environment"].update(part["environment"])
        for figure in part["figures"]:
            place = places.setdefault(key_of(figure), len(merged["figures"]))
            if place == len(merged["figures"]):
                merged["figures"].append(figure)
            elif merged["figures"][place]["samples"] <= figure["samples"]:
                merged["figures"][place] = figure
        for event, entries in part["counters"].items():
            if isinstance(entries, list):
                merged["counters"].setdefault(event, []).extend(entries)
            else:
                merged["counters"][event] = entries
    return merged


def key_of(entry):
    """What makes two files' figures, or counts, the same one."""
    return (entry.get("name", ""), tuple(sorted(entry["params"].items())))
