# SPDX-License-Identifier: GPL-2.0-only OR MIT
# One result file out of a list of those of several programs, which may be empty.
# Of a figure that was measured twice, the one with more samples counts, or the later.
{
	schema: 2,
	environment: (map(.environment) | add // {lab: true}),
	counters: (map(.counters | to_entries) | add // []
		| group_by(.key)
		| map({key: .[0].key, value: (if .[0].value | type == "array"
			then map(.value) | add
			else .[-1].value end)})
		| from_entries),
	figures: [to_entries[] | .key as $part | .value.figures | to_entries[]
			| {place: [$part, .key], figure: .value}]
		| group_by([.figure.name, .figure.params])
		| map({place: .[0].place, figure: (map(.figure) | max_by(.samples))})
		| sort_by(.place)
		| map(.figure)
}
