# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What the figures look like in rows and columns, for the terminal and for the page."""

from benchfile import key_of

SECTIONS = (
    ("Registration", ("registration", "deregistration")),
    ("Fault", ("fault", "first_operation", "warm_operation")),
    ("Revoke", ("revoke",)),
    ("Revoke with the memory mapped by processes", ("revoke_mapped",)),
    ("Revoke with RDMA writes in flight",
     ("revoke", "revoke_to_error", "revoke_to_last_success")),
)
TITLES = {
    "registration": "register",
    "deregistration": "deregister",
    "fault": "fault",
    "first_operation": "first operation",
    "warm_operation": "warm operation",
    "revoke": "revoke",
    "revoke_mapped": "revoke",
    "revoke_to_error": "to first error",
    "revoke_to_last_success": "to last success",
}
PARAM_ORDER = ("trigger", "op", "side", "interface", "in_flight", "processes", "mrs",
               "op_size", "size")
PARAM_TITLES = {"mrs": "MRs", "size": "MR size", "op_size": "length", "in_flight": "in flight"}
QUANTILE_COLUMNS = (("min", "min"), ("p50", "median"), ("p99", "99%"), ("p999", "99.9%"),
                    ("max", "max"))
# The driver's health poll reads registers all the time, whatever is measured.
BACKGROUND = {"mmio.reads"}
DRIVER_WORK = ("commands", "umrs", "doorbells")
SAMPLES_FOR = {"p99": 100, "p999": 1000}


def size_text(size):
    for suffix, unit in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if size and size % unit == 0:
            return f"{size // unit}{suffix}"
    return str(size)


def microseconds(nanoseconds):
    value = nanoseconds / 1000
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.1f}"


def param_text(key, value):
    if key in ("size", "op_size") and isinstance(value, int):
        return size_text(value)
    return str(value)


def param_keys(entries):
    """Params in their usual order; without those that say the same in every row."""
    keys = {key for entry in entries for key in entry["params"]}
    varying = [key for key in keys
               if len({entry["params"].get(key) for entry in entries}) > 1 or key == "size"]
    return sorted(varying, key=lambda key: (PARAM_ORDER.index(key) if key in PARAM_ORDER
                                            else -1, key))


def sort_value(value):
    return (0, value, "") if isinstance(value, (int, float)) else (1, 0, str(value))


def sort_rows(entries, names):
    keys = param_keys(entries)
    return sorted(entries, key=lambda entry: (
        names.index(entry["name"]) if entry.get("name") in names else len(names),
        [sort_value(entry["params"].get(key, "")) for key in keys]))


def in_section(title, figure):
    in_flight = bool(figure["params"].get("in_flight"))
    if title == "Revoke":
        return not in_flight
    return in_flight or "in flight" not in title


def sections(figures):
    """(title, figures) of every section that has any; what nobody knows comes last."""
    placed, result = set(), []
    for title, names in SECTIONS:
        chosen = [figure for figure in figures
                  if figure["name"] in names and in_section(title, figure)]
        placed.update(map(id, chosen))
        if chosen:
            result.append((title, sort_rows(chosen, names)))
    rest = [figure for figure in figures if id(figure) not in placed]
    if rest:
        result.append(("Other figures", sort_rows(rest, ())))
    return result


def figure_table(figures):
    """Header and rows of texts; "-" for a quantile that so few samples cannot tell."""
    keys = param_keys(figures)
    header = (["figure"] + [PARAM_TITLES.get(key, key) for key in keys] + ["samples"]
              + [f"{title} [us]" for _, title in QUANTILE_COLUMNS])
    rows = []
    for figure in figures:
        row = [TITLES.get(figure["name"], figure["name"])]
        row += [param_text(key, figure["params"].get(key, "")) for key in keys]
        row.append(f"{figure['samples']:,}")
        for key, _ in QUANTILE_COLUMNS:
            row.append("-" if figure["samples"] < SAMPLES_FOR.get(key, 1)
                       else microseconds(figure[key]))
        rows.append(row)
    return header, rows


def counter_table(entries):
    names = sorted({name for entry in entries for name in entry["counts"]} - BACKGROUND)
    keys = param_keys(entries)
    header = ([PARAM_TITLES.get(key, key) for key in keys]
              + [name.replace("_", " ") for name in names])
    rows = [[param_text(key, entry["params"].get(key, "")) for key in keys]
            + [f"{entry['counts'].get(name, 0):,}" for name in names]
            for entry in sort_rows(entries, ())]
    return header, rows


def ratio(value, base):
    return f"{value / base:.2f}" if base > 0 and value > 0 else "-"


def compare_table(figures, stock_figures):
    """Patched over stock; figures that only one of them has are left out."""
    stock = {key_of(figure): figure for figure in stock_figures}
    pairs = [figure for figure in figures if key_of(figure) in stock]
    keys = param_keys(pairs) if pairs else []
    header = (["figure"] + [PARAM_TITLES.get(key, key) for key in keys]
              + ["patched median [us]", "stock median [us]", "median ratio", "99% ratio"])
    rows = []
    for figure in pairs:
        base = stock[key_of(figure)]
        rows.append([TITLES.get(figure["name"], figure["name"])]
                    + [param_text(key, figure["params"].get(key, "")) for key in keys]
                    + [microseconds(figure["p50"]), microseconds(base["p50"]),
                       ratio(figure["p50"], base["p50"]),
                       ratio(figure["p99"], base["p99"])
                       if min(figure["samples"], base["samples"]) >= SAMPLES_FOR["p99"] else "-"])
    return header, rows


def compare_counts(entries, stock_entries):
    """What the driver asked of the device, "patched / stock"; where both did nothing: "0"."""
    stock = {key_of(entry): entry["counts"] for entry in stock_entries}
    pairs = [entry for entry in entries if key_of(entry) in stock]
    if not pairs:
        return [], []
    keys = param_keys(pairs)
    header = [PARAM_TITLES.get(key, key) for key in keys] + list(DRIVER_WORK)
    rows = []
    for entry in sort_rows(pairs, ()):
        row = [param_text(key, entry["params"].get(key, "")) for key in keys]
        for name in DRIVER_WORK:
            patched, base = entry["counts"].get(name, 0), stock[key_of(entry)].get(name, 0)
            row.append(f"{patched:,} / {base:,}" if patched or base else "0")
        rows.append(row)
    return header, rows


def text_columns(header, rows):
    """Which columns hold words, which go to the left."""
    return [any(row[i][:1].isalpha() for row in rows) for i in range(len(header))]


def print_table(title, header, rows, out):
    widths = [max(len(row[i]) for row in [header] + rows) for i in range(len(header))]
    texts = text_columns(header, rows)
    out.write(f"\n{title}\n")
    for row in [header] + rows:
        cells = [cell.ljust(width) if text else cell.rjust(width)
                 for cell, width, text in zip(row, widths, texts)]
        out.write("  " + "  ".join(cells).rstrip() + "\n")
