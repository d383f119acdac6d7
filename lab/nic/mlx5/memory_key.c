/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Memory keys: what a number may reach, and the way from a virtual address to the bus. A key's
 * translation is a list of pages (MTT) or of other keys (KLM, KSM), at most MLX5_MAX_INDIRECTION
 * deep. An access is resolved as a whole before the first byte moves.
 */
#include "device.h"
#include "memory_key.h"

#define MAX_PIECES 4096u

struct piece {
	u64 address; /* on the bus, unless `inside` or `nowhere` */
	u8 *inside;  /* memory of the device itself */
	u32 length;
	bool nowhere; /* the null key: zeros in, nothing out */
};

struct walk {
	struct mlx5_device *dev;
	const struct access *access;
	struct access_fault *fault;
	struct piece pieces[MAX_PIECES];
	u32 count;
};

static bool writes(enum access_kind kind)
{
	return kind == ACCESS_LOCAL_WRITE || kind == ACCESS_REMOTE_WRITE ||
	       kind == ACCESS_REMOTE_ATOMIC;
}

static bool remote(enum access_kind kind)
{
	return kind >= ACCESS_REMOTE_READ;
}

struct mlx5_mkey *memory_key_find(struct mlx5_device *dev, u32 index)
{
	return id_table_find(dev->mkeys, index);
}

static bool has_right(const struct mlx5_mkey *key, enum access_kind kind)
{
	switch (kind) {
	case ACCESS_LOCAL_READ:
		return key->local_read;
	case ACCESS_LOCAL_WRITE:
		return key->local_write;
	case ACCESS_REMOTE_READ:
		return key->remote_read;
	case ACCESS_REMOTE_WRITE:
		return key->remote_write;
	case ACCESS_REMOTE_ATOMIC:
		return key->remote_atomic;
	}
	return false;
}

static bool in_bounds(const struct mlx5_mkey *key, u64 va, u64 length)
{
	if (va + length < va)
		return false;
	if (key->mode == MKEY_DEVICE_MEMORY)
		return va <= key->length && length <= key->length - va;
	return key->length64 || (va >= key->start && length <= key->length &&
				 va - key->start <= key->length - length);
}

static const char *const kind_names[] = {
	[ACCESS_LOCAL_READ] = "local read",	  [ACCESS_LOCAL_WRITE] = "local write",
	[ACCESS_REMOTE_READ] = "remote read",	  [ACCESS_REMOTE_WRITE] = "remote write",
	[ACCESS_REMOTE_ATOMIC] = "remote atomic",
};

static void log_denied(struct mlx5_device *dev, u32 number, enum access_kind kind, u64 va,
		       u64 length, const char *why)
{
	mlx5_log(dev, "key 0x%x: %s of [0x%llx, +0x%llx) denied: %s", number, kind_names[kind],
		 (unsigned long long)va, (unsigned long long)length, why);
}

static const char *denial(const struct mlx5_mkey *key, u32 number, const struct access *access,
			  enum access_kind kind, u64 va, u64 length)
{
	if (!key)
		return "no such key";
	if (key->variant != (number & 0xff))
		return "an earlier life of the key";
	if (key->free)
		return "the key is free";
	if (key->mode == MKEY_NULL)
		return remote(kind) ? "the null key is local" : NULL;
	if (key->pd != access->pd)
		return "another protection domain";
	if (!has_right(key, kind))
		return "no such right";
	if (!in_bounds(key, va, length))
		return "out of bounds";
	if (remote(kind) && key->qpn != MKEY_ANY_QPN && access->qpn && key->qpn != access->qpn)
		return "a window of another QP";
	return NULL;
}

static struct mlx5_mkey *allowed_key(struct mlx5_device *dev, u32 number,
				     const struct access *access, enum access_kind kind, u64 va,
				     u64 length)
{
	struct mlx5_mkey *key = memory_key_find(dev, number >> 8);
	const char *why = denial(key, number, access, kind, va, length);

	if (!why)
		return key;
	log_denied(dev, number, kind, va, length, why);
	return NULL;
}

enum access_result memory_key_check(struct mlx5_device *dev, const struct access *access)
{
	if (!access->length)
		return ACCESS_OK;
	return allowed_key(dev, access->key, access, access->kind, access->va, access->length)
		       ? ACCESS_OK
		       : ACCESS_DENIED;
}

static enum access_result missing(struct walk *walk, u32 number, u64 va, u64 length)
{
	if (walk->fault)
		*walk->fault = (struct access_fault){
			.mkey = number,
			.va = va,
			.length = length,
			.write = writes(walk->access->kind),
			.origin = *walk->access,
		};
	return ACCESS_NOT_PRESENT;
}

static enum access_result add_piece(struct walk *walk, u64 address, u64 length, bool nowhere)
{
	struct piece *last = walk->count ? &walk->pieces[walk->count - 1] : NULL;

	if (last && !last->nowhere && !last->inside && !nowhere && last->address + last->length == address) {
		last->length += length;
		return ACCESS_OK;
	}
	/* A list of shorter pieces than any host makes: refused, as a list too deep is. */
	if (walk->count == MAX_PIECES)
		return ACCESS_DENIED;
	walk->pieces[walk->count++] =
		(struct piece){.address = address, .length = length, .nowhere = nowhere};
	return ACCESS_OK;
}

static enum access_result add_inside(struct walk *walk, u64 offset, u64 length)
{
	u8 *inside = device_memory_at(walk->dev->memory, offset, length);

	/* The key can outlive the memory. */
	if (!inside || walk->count == MAX_PIECES)
		return ACCESS_DENIED;
	walk->pieces[walk->count++] = (struct piece){.inside = inside, .length = length};
	return ACCESS_OK;
}

static u64 page_mask(const struct mlx5_mkey *key)
{
	return (1ull << key->log_page_size) - 1;
}

/* Offset from the start of the page in which the key starts. */
static u64 offset_in_table(const struct mlx5_mkey *key, u64 va)
{
	return va - (key->start & ~page_mask(key));
}

static enum access_result walk_mtt(struct walk *walk, const struct mlx5_mkey *key, u64 va,
				   u64 length)
{
	u64 needed = writes(walk->access->kind) ? MTT_WRITE : MTT_READ, mask = page_mask(key);
	enum access_result result;

	if (key->log_page_size < MLX5_PAGE_SHIFT)
		return ACCESS_DENIED;
	while (length) {
		u64 offset = offset_in_table(key, va), index = offset >> key->log_page_size;
		u64 step = MIN(length - 1, mask - (offset & mask)) + 1, entry = 0;

		if (index >= key->octowords * 2ull) {
			log_denied(walk->dev, memory_key_number(key), walk->access->kind, va,
				   length, "beyond the translation table");
			return ACCESS_DENIED;
		}
		if (key->translation)
			entry = key->translation[index];
		if (!(entry & needed))
			return missing(walk, memory_key_number(key), va, length);
		result = add_piece(walk, (entry & MTT_ADDRESS) + (offset & mask), step, false);
		if (result)
			return result;
		va += step;
		length -= step;
	}
	return ACCESS_OK;
}

static enum access_result walk_key(struct walk *walk, u32 number, enum access_kind kind, u64 va,
				   u64 length, unsigned int depth);

/* What a window or list grants is its own; the keys behind it must allow the local access. */
static enum access_result walk_child(struct walk *walk, u32 number, u64 va, u64 length,
				     unsigned int depth)
{
	struct mlx5_mkey *child = memory_key_find(walk->dev, number >> 8);

	/* A hole of an implicit key is the null key: the host fills it by a fault on the parent. */
	if (child && child->mode == MKEY_NULL && number == MLX5_NULL_MKEY)
		return missing(walk, walk->access->key, walk->access->va, walk->access->length);
	return walk_key(walk, number,
			writes(walk->access->kind) ? ACCESS_LOCAL_WRITE : ACCESS_LOCAL_READ, va,
			length, depth + 1);
}

static enum access_result walk_ksm(struct walk *walk, const struct mlx5_mkey *key, u64 va,
				   u64 length, unsigned int depth)
{
	enum access_result result;

	while (length) {
		u64 offset = offset_in_table(key, va), index = offset >> key->log_page_size;
		u64 mask = page_mask(key), step = MIN(length - 1, mask - (offset & mask)) + 1;

		if (index >= key->octowords || !key->translation) {
			log_denied(walk->dev, memory_key_number(key), walk->access->kind, va,
				   length, "beyond the list of keys");
			return ACCESS_DENIED;
		}
		result = walk_child(walk, (u32)key->translation[index * 2],
				    key->translation[index * 2 + 1] + (offset & mask), step, depth);
		if (result)
			return result;
		va += step;
		length -= step;
	}
	return ACCESS_OK;
}

static enum access_result walk_klm(struct walk *walk, const struct mlx5_mkey *key, u64 va,
				   u64 length, unsigned int depth)
{
	u64 offset = va - key->start;
	enum access_result result;

	for (u32 i = 0; i < key->octowords && length && key->translation; i++) {
		u64 bytes = key->translation[i * 2] >> 32, step;

		if (offset >= bytes) {
			offset -= bytes;
			continue;
		}
		step = MIN(length, bytes - offset);
		result = walk_child(walk, (u32)key->translation[i * 2],
				    key->translation[i * 2 + 1] + offset, step, depth);
		if (result)
			return result;
		offset = 0;
		length -= step;
	}
	return length ? ACCESS_DENIED : ACCESS_OK;
}

static enum access_result walk_key(struct walk *walk, u32 number, enum access_kind kind, u64 va,
				   u64 length, unsigned int depth)
{
	struct mlx5_mkey *key;

	if (depth > MLX5_MAX_INDIRECTION) {
		log_denied(walk->dev, number, kind, va, length, "lists of lists too deep");
		return ACCESS_DENIED;
	}
	key = allowed_key(walk->dev, number, walk->access, kind, va, length);
	if (!key)
		return ACCESS_DENIED;
	switch (key->mode) {
	case MKEY_PHYSICAL:
		return add_piece(walk, va, length, false);
	case MKEY_DEVICE_MEMORY:
		return add_inside(walk, key->start + va, length);
	case MKEY_MTT:
		return walk_mtt(walk, key, va, length);
	case MKEY_KSM:
		return walk_ksm(walk, key, va, length, depth);
	case MKEY_KLM:
		return walk_klm(walk, key, va, length, depth);
	case MKEY_NULL:
		return add_piece(walk, 0, length, true);
	}
	return ACCESS_DENIED;
}

static int move(struct mlx5_device *dev, const struct piece *piece, void *buf, bool write)
{
	if (piece->nowhere) {
		if (!write)
			memset(buf, 0, piece->length);
		return 0;
	}
	if (piece->inside) {
		memcpy(write ? piece->inside : buf, write ? buf : piece->inside, piece->length);
		return 0;
	}
	return write ? dma_write(dev->dma, piece->address, buf, piece->length)
		     : dma_read(dev->dma, piece->address, buf, piece->length);
}

static enum access_result resolve(struct walk *walk, struct mlx5_device *dev,
				  const struct access *access, struct access_fault *fault)
{
	walk->dev = dev;
	walk->access = access;
	walk->fault = fault;
	walk->count = 0;
	return walk_key(walk, access->key, access->kind, access->va, access->length, 0);
}

enum access_result memory_key_access(struct mlx5_device *dev, const struct access *access,
				     void *buf, struct access_fault *fault)
{
	static struct walk walk; /* one thread, and walks do not nest */
	bool write = writes(access->kind);
	enum access_result result;
	u8 *data = buf;

	if (!access->length)
		return ACCESS_OK;
	if (access->length > QP_SLICE_BYTES)
		return ACCESS_DENIED;
	result = resolve(&walk, dev, access, fault);
	if (result)
		return result;
	/* A stray access is let through to the bus, which counts and refuses it: nothing moves. */
	for (u32 i = 0; i < walk.count; i++)
		if (!walk.pieces[i].nowhere && !walk.pieces[i].inside &&
		    !dma_mapped(dev->dma, walk.pieces[i].address, walk.pieces[i].length))
			return move(dev, &walk.pieces[i], data, write) ? ACCESS_BUS_ERROR
								       : ACCESS_DENIED;
	for (u32 i = 0; i < walk.count; i++) {
		if (move(dev, &walk.pieces[i], data, write))
			return ACCESS_BUS_ERROR;
		data += walk.pieces[i].length;
	}
	if (write)
		*dev->count.bytes_written += access->length;
	else
		*dev->count.bytes_read += access->length;
	return ACCESS_OK;
}

bool memory_key_still_missing(struct mlx5_device *dev, const struct access_fault *fault)
{
	static struct walk walk;
	struct access_fault now;

	return resolve(&walk, dev, &fault->origin, &now) == ACCESS_NOT_PRESENT &&
	       now.mkey == fault->mkey && now.va == fault->va;
}

enum access_result memory_key_atomic(struct mlx5_device *dev, const struct access *access,
				     enum atomic_op op, u64 swap_or_add, u64 compare, u64 *old,
				     struct access_fault *fault)
{
	static struct walk walk;
	enum access_result result;
	u64 *target;

	if (access->length != sizeof(u64))
		return ACCESS_DENIED;
	result = resolve(&walk, dev, access, fault);
	if (result)
		return result;
	if (walk.count != 1 || walk.pieces[0].nowhere ||
	    (walk.pieces[0].address | (uintptr_t)walk.pieces[0].inside) % sizeof(u64))
		return ACCESS_DENIED;
	target = walk.pieces[0].inside
			 ? (void *)walk.pieces[0].inside
			 : dma_atomic_target(dev->dma, walk.pieces[0].address, sizeof(u64));
	if (!target)
		return ACCESS_BUS_ERROR;
	if (op == ATOMIC_FETCH_ADD) {
		*old = __atomic_fetch_add(target, swap_or_add, __ATOMIC_SEQ_CST);
	} else {
		*old = compare;
		__atomic_compare_exchange_n(target, old, swap_or_add, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
	}
	*dev->count.bytes_read += sizeof(u64);
	*dev->count.bytes_written += sizeof(u64);
	return ACCESS_OK;
}

bool memory_key_invalidate(struct mlx5_device *dev, u32 number, u32 pd, u32 qpn)
{
	struct mlx5_mkey *key = memory_key_find(dev, number >> 8);

	if (!key || key->variant != (number & 0xff) || key->free || !key->remote_invalidate ||
	    key->pd != pd || (key->qpn != MKEY_ANY_QPN && key->qpn != qpn))
		return false;
	key->free = true;
	key->qpn = MKEY_ANY_QPN;
	return true;
}

static void store_entry(struct mlx5_mkey *key, u64 index, u64 entry)
{
	u64 *slot = &key->translation[index], address = entry & MTT_ADDRESS;

	if (key->mode == MKEY_MTT) {
		key->present += !!(entry & MTT_PRESENT) - !!(*slot & MTT_PRESENT);
		if (entry & MTT_PRESENT) {
			key->lowest = MIN(key->lowest, address);
			key->highest = MAX(key->highest, address);
		}
		if (!key->present) {
			key->lowest = ~0ull;
			key->highest = 0;
		}
	}
	*slot = entry;
}

bool memory_key_load(struct mlx5_mkey *key, u64 octoword, const void *entries, u32 octowords,
		     u64 set_bits)
{
	u64 capacity = (key->octowords + TRANSLATION_ALIGNMENT - 1) & ~(TRANSLATION_ALIGNMENT - 1);

	if (octoword > capacity || octowords > capacity - octoword)
		return false;
	if (!key->translation) {
		key->translation = calloc(capacity, OCTOWORD_BYTES);
		if (!key->translation)
			return false;
	}
	for (u64 i = 0; i < octowords * 2ull; i++) {
		u64 entry = ifc_get64(entries, i * 64);

		store_entry(key, octoword * 2 + i, key->mode == MKEY_MTT ? entry | set_bits : entry);
	}
	return true;
}

void memory_key_destroy(void *object)
{
	struct mlx5_mkey *key = object;

	key->dev->translation_octowords -= key->octowords;
	free(key->translation);
	g_free(key);
}

void memory_key_add_reserved(struct mlx5_device *dev)
{
	struct mlx5_mkey *key = g_new0(struct mlx5_mkey, 1);

	key->dev = dev;
	key->index = MLX5_NULL_MKEY >> 8;
	key->variant = MLX5_NULL_MKEY & 0xff;
	key->mode = MKEY_NULL;
	key->qpn = MKEY_ANY_QPN;
	id_table_add_at(dev->mkeys, key->index, key);
}

struct window {
	struct mlx5_device *dev;
	u64 iova, size;
};

/* Entries behind the last page are left from a longer life of the key: nothing reaches them. */
static u64 reachable_entries(const struct mlx5_mkey *key)
{
	u64 all = key->octowords * 2ull, last;

	if (key->length64)
		return all;
	if (!key->length)
		return 0;
	last = offset_in_table(key, key->start + (key->length - 1)) >> key->log_page_size;
	return last < all ? last + 1 : all;
}

static bool points_into(const struct mlx5_mkey *key, const struct window *window)
{
	u64 last = window->iova + (window->size - 1);
	/* An entry reaches from its address to the end of its page. */
	u64 first = window->iova > page_mask(key) ? window->iova - page_mask(key) : 0;
	u64 entries;

	if (key->lowest > last || key->highest < first)
		return false;
	entries = reachable_entries(key);
	for (u64 i = 0; i < entries; i++) {
		u64 entry = key->translation[i], address = entry & MTT_ADDRESS;

		if (entry & MTT_PRESENT && address <= last && address >= first)
			return true;
	}
	return false;
}

static void check_window(void *object, void *opaque)
{
	struct window *window = opaque;
	struct mlx5_mkey *key = object;

	if (key->free || !key->present || !points_into(key, window))
		return;
	(*window->dev->count.stale_keys)++;
	mlx5_log(window->dev, "key 0x%x still maps [0x%llx, +0x%llx), which went away",
		 memory_key_number(key), (unsigned long long)window->iova,
		 (unsigned long long)window->size);
}

void memory_key_oracle(struct mlx5_device *dev, u64 iova, u64 size)
{
	struct window window = {.dev = dev, .iova = iova, .size = size};

	if (size)
		id_table_for_each(dev->mkeys, check_window, &window);
}
