/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Numbers handed out to the host, oldest-freed last, and the objects they name. */
#ifndef LAB_NIC_COMMON_ID_TABLE_H
#define LAB_NIC_COMMON_ID_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct id_table;

/* Numbers first..last (first at least 1); destroy may be NULL. */
struct id_table *id_table_new(uint32_t first, uint32_t last, void (*destroy)(void *object));
/* Number of the new object, or 0 when the table is full. Never hands out 0. */
uint32_t id_table_add(struct id_table *table, void *object);
/* True if the number was free and now names the object (reserved numbers). */
bool id_table_add_at(struct id_table *table, uint32_t id, void *object);
void *id_table_find(struct id_table *table, uint32_t id);
/* Removes and destroys. False if there is no such object. */
bool id_table_remove(struct id_table *table, uint32_t id);
void id_table_clear(struct id_table *table);
void id_table_free(struct id_table *table);
void id_table_for_each(struct id_table *table, void (*fn)(void *object, void *opaque),
		       void *opaque);
/* An object that matches, or NULL. */
void *id_table_find_if(struct id_table *table,
		       bool (*matches)(const void *object, const void *opaque),
		       const void *opaque);
uint32_t id_table_count(struct id_table *table);

#endif
