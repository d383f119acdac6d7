/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Numbers of objects. The next number is searched after the last one given, so that a freed number
 * comes back as late as possible: a stale number in a guest's hands then finds nothing instead of
 * somebody else's object.
 */
#include "id_table.h"

#include <glib.h>

struct id_table {
	GHashTable *objects;
	uint32_t first, last, next;
	void (*destroy)(void *object);
};

struct id_table *id_table_new(uint32_t first, uint32_t last, void (*destroy)(void *object))
{
	struct id_table *table = g_new0(struct id_table, 1);

	table->objects = g_hash_table_new(g_direct_hash, g_direct_equal);
	table->first = first ? first : 1;
	table->last = last;
	table->next = table->first;
	table->destroy = destroy;
	return table;
}

uint32_t id_table_add(struct id_table *table, void *object)
{
	uint32_t id;

	if (id_table_count(table) > table->last - table->first)
		return 0;
	for (uint32_t tries = 0; tries <= table->last - table->first; tries++) {
		id = table->next;
		table->next = id == table->last ? table->first : id + 1;
		if (id_table_add_at(table, id, object))
			return id;
	}
	return 0;
}

bool id_table_add_at(struct id_table *table, uint32_t id, void *object)
{
	if (!id || g_hash_table_contains(table->objects, GUINT_TO_POINTER(id)))
		return false;
	g_hash_table_insert(table->objects, GUINT_TO_POINTER(id), object);
	return true;
}

void *id_table_find(struct id_table *table, uint32_t id)
{
	return g_hash_table_lookup(table->objects, GUINT_TO_POINTER(id));
}

bool id_table_remove(struct id_table *table, uint32_t id)
{
	void *object = id_table_find(table, id);

	if (!object)
		return false;
	g_hash_table_remove(table->objects, GUINT_TO_POINTER(id));
	if (table->destroy)
		table->destroy(object);
	return true;
}

void id_table_clear(struct id_table *table)
{
	g_autoptr(GList) objects = g_hash_table_get_values(table->objects);

	/* The table is empty before the first destructor runs: one may look others up. */
	g_hash_table_remove_all(table->objects);
	for (GList *item = objects; item && table->destroy; item = item->next)
		table->destroy(item->data);
}

void id_table_free(struct id_table *table)
{
	if (!table)
		return;
	id_table_clear(table);
	g_hash_table_destroy(table->objects);
	g_free(table);
}

void id_table_for_each(struct id_table *table, void (*fn)(void *object, void *opaque), void *opaque)
{
	GHashTableIter iter;
	void *object;

	g_hash_table_iter_init(&iter, table->objects);
	while (g_hash_table_iter_next(&iter, NULL, &object))
		fn(object, opaque);
}

void *id_table_find_if(struct id_table *table,
		       bool (*matches)(const void *object, const void *opaque),
		       const void *opaque)
{
	GHashTableIter iter;
	void *object;

	g_hash_table_iter_init(&iter, table->objects);
	while (g_hash_table_iter_next(&iter, NULL, &object))
		if (matches(object, opaque))
			return object;
	return NULL;
}

uint32_t id_table_count(struct id_table *table)
{
	return g_hash_table_size(table->objects);
}
