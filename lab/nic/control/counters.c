// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "counters.h"

#include <glib.h>
#include <string.h>

struct counters {
	GTree *by_name; /* sorted, so that dumps compare line by line */
};

static int compare_names(const void *a, const void *b, void *unused)
{
	(void)unused;
	return strcmp(a, b);
}

struct counters *counters_new(void)
{
	struct counters *counters = g_new0(struct counters, 1);

	counters->by_name = g_tree_new_full(compare_names, NULL, g_free, g_free);
	return counters;
}

void counters_free(struct counters *counters)
{
	if (!counters)
		return;
	g_tree_destroy(counters->by_name);
	g_free(counters);
}

uint64_t *counter(struct counters *counters, const char *name)
{
	uint64_t *value = g_tree_lookup(counters->by_name, name);

	if (!value) {
		value = g_new0(uint64_t, 1);
		g_tree_insert(counters->by_name, g_strdup(name), value);
	}
	return value;
}

const uint64_t *counters_find(struct counters *counters, const char *name)
{
	return g_tree_lookup(counters->by_name, name);
}

static gboolean add_to_json(void *name, void *value, void *object)
{
	json_object_set_new(object, name, json_integer(*(uint64_t *)value));
	return FALSE;
}

json_t *counters_json(struct counters *counters)
{
	json_t *object = json_object();

	g_tree_foreach(counters->by_name, add_to_json, object);
	return object;
}

static gboolean zero(void *name, void *value, void *unused)
{
	(void)name;
	(void)unused;
	*(uint64_t *)value = 0;
	return FALSE;
}

void counters_reset(struct counters *counters)
{
	g_tree_foreach(counters->by_name, zero, NULL);
}
