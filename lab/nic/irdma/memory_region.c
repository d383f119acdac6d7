/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Stags: memory regions and windows. Every access asks for its stag anew, so that one which is gone
 * refuses from that moment on. Pages are read from the physical buffer list at each access too.
 */
#include <errno.h>

#include "irdma.h"

#define RIGHT_LOCAL_READ IRDMA_ACCESS_FLAGS_LOCALREAD
#define RIGHT_LOCAL_WRITE IRDMA_ACCESS_FLAGS_LOCALWRITE
#define RIGHT_REMOTE_READ IRDMA_ACCESS_FLAGS_REMOTEREAD_ONLY
#define RIGHT_REMOTE_WRITE IRDMA_ACCESS_FLAGS_REMOTEWRITE_ONLY

enum list_level { LIST_NONE = 0, LIST_ONE_LEVEL = 1, LIST_TWO_LEVELS = 3 };

struct stag {
	struct irdma_device *dev;
	u32 index; /* 24 bits, of which the lower ones choose the entry */
	u8 key;
	u32 pd;
	bool valid, is_window, type_1, whole, va_based, remote;
	u8 rights;
	u64 va, length, serial;
	/* of a region */
	u32 page_shift;
	enum list_level level;
	u64 address; /* without a list */
	u32 first_pble;
	u64 lowest, end; /* bus addresses */
	u32 windows;
	/* of a window */
	u32 parent, qpn;
	u64 parent_serial;
};

static struct stag *stag_at(struct irdma_device *dev, u32 index)
{
	return id_table_find(dev->stags, (index & hmc_stag_mask(dev->hmc)) + 1);
}

static struct stag *parent_of(const struct stag *window)
{
	struct stag *parent = stag_at(window->dev, window->parent);

	return parent && parent->serial == window->parent_serial ? parent : NULL;
}

static void unbind(struct stag *window)
{
	struct stag *parent = window->is_window && window->valid ? parent_of(window) : NULL;

	if (parent)
		parent->windows--;
	window->valid = false;
}

void stag_destroy(void *object)
{
	unbind(object);
	g_free(object);
}

static u64 page_bytes(const struct stag *stag)
{
	return 1ull << stag->page_shift;
}

/* Bus address of a page of a region; -EFAULT: its list cannot be read. */
static int page_address(const struct stag *stag, u64 number, u64 *address)
{
	struct hmc *hmc = stag->dev->hmc;
	u64 leaf = stag->first_pble, entry;

	if (stag->level == LIST_NONE) {
		*address = stag->address + (number << stag->page_shift);
		return 0;
	}
	if (stag->level == LIST_TWO_LEVELS) {
		if (hmc_read_pble(hmc, stag->first_pble + number / PBLES_IN_A_PAGE, &leaf))
			return -EFAULT;
		leaf = (u32)leaf;
		number %= PBLES_IN_A_PAGE;
	}
	if (leaf + number > UINT32_MAX || hmc_read_pble(hmc, leaf + number, &entry))
		return -EFAULT;
	*address = entry & ~(page_bytes(stag) - 1);
	return 0;
}

static u64 page_count(const struct stag *stag)
{
	if (stag->whole || !stag->length)
		return 0;
	return ((stag->va & (page_bytes(stag) - 1)) + stag->length - 1) / page_bytes(stag) + 1;
}

static u8 right_of(enum access_kind kind)
{
	switch (kind) {
	case ACCESS_LOCAL_READ:
		return RIGHT_LOCAL_READ;
	case ACCESS_LOCAL_WRITE:
		return RIGHT_LOCAL_WRITE;
	case ACCESS_REMOTE_READ:
		return RIGHT_REMOTE_READ;
	default:
		return RIGHT_REMOTE_WRITE;
	}
}

static bool is_local(enum access_kind kind)
{
	return kind == ACCESS_LOCAL_READ || kind == ACCESS_LOCAL_WRITE;
}

static bool is_write(enum access_kind kind)
{
	return kind == ACCESS_LOCAL_WRITE || kind == ACCESS_REMOTE_WRITE;
}

static u16 find(struct irdma_device *dev, u32 number, struct stag **found)
{
	struct stag *stag = stag_at(dev, number >> 8);

	if (!stag || !number)
		return IRDMA_AE_AMP_UNALLOCATED_STAG;
	if (stag->index != number >> 8)
		return IRDMA_AE_AMP_BAD_STAG_INDEX;
	if (stag->key != (u8)number)
		return IRDMA_AE_AMP_BAD_STAG_KEY;
	*found = stag;
	return 0;
}

static u16 check_bounds(const struct stag *stag, u64 va, u64 length)
{
	u64 start = stag->va_based ? stag->va : 0;

	if (va + length < va)
		return IRDMA_AE_AMP_TO_WRAP;
	if (stag->whole)
		return 0;
	if (va < start || va - start > stag->length || length > stag->length - (va - start))
		return IRDMA_AE_AMP_BOUNDS_VIOLATION;
	return 0;
}

/* Stag 0 of a privileged queue pair is found as NULL. */
static u16 check(struct irdma_device *dev, const struct access *access, struct stag **found)
{
	struct stag *stag;
	u16 event;

	*found = NULL;
	if (!access->stag && access->privileged && is_local(access->kind))
		return 0;
	event = find(dev, access->stag, &stag);
	if (event)
		return event;
	if (!stag->valid || (stag->is_window && is_local(access->kind)))
		return IRDMA_AE_AMP_INVALID_STAG;
	if (stag->pd != access->pd)
		return IRDMA_AE_AMP_BAD_PD;
	if (stag->is_window && !stag->type_1 && stag->qpn != access->qpn)
		return IRDMA_AE_AMP_BAD_QP;
	if (!(stag->rights & right_of(access->kind)))
		return IRDMA_AE_AMP_RIGHTS_VIOLATION;
	event = check_bounds(stag, access->va, access->length);
	if (event)
		return event;
	/* Through a window into the region below; a window without one has died with it. */
	*found = stag->is_window ? parent_of(stag) : stag;
	return *found && (*found)->valid ? 0 : IRDMA_AE_AMP_INVALID_STAG;
}

u16 stag_check(struct irdma_device *dev, const struct access *access)
{
	struct stag *stag;

	return access->length ? check(dev, access, &stag) : 0;
}

/* Offset in the region, for a window's addresses too. */
static u64 position(struct irdma_device *dev, const struct access *access, const struct stag *region)
{
	const struct stag *named = stag_at(dev, access->stag >> 8);
	u64 offset = named->va_based ? access->va - named->va : access->va;

	if (named != region)
		offset += named->va - (region->va_based ? region->va : 0);
	return offset + (region->va & (page_bytes(region) - 1));
}

static int move(struct irdma_device *dev, u64 address, void *buf, u64 len, bool write)
{
	return write ? dma_write(dev->dma, address, buf, len) : dma_read(dev->dma, address, buf, len);
}

static u16 move_pages(struct irdma_device *dev, const struct access *access,
		      const struct stag *region, u8 *buf)
{
	u64 at = position(dev, access, region), left = access->length;

	while (left) {
		u64 in_page = at & (page_bytes(region) - 1), page;
		u64 step = MIN(left, page_bytes(region) - in_page);

		if (page_address(region, at >> region->page_shift, &page) ||
		    move(dev, page + in_page, buf, step, is_write(access->kind)))
			return AE_BUS_ERROR;
		buf += step;
		at += step;
		left -= step;
	}
	return 0;
}

u16 stag_access(struct irdma_device *dev, const struct access *access, void *buf)
{
	bool write = is_write(access->kind);
	struct stag *region;
	u16 event;

	if (!access->length)
		return 0;
	event = check(dev, access, &region);
	if (event)
		return event;
	if (!region || region->whole)
		event = move(dev, access->va, buf, access->length, write) ? AE_BUS_ERROR : 0;
	else
		event = move_pages(dev, access, region, buf);
	if (!event)
		*(write ? dev->count.bytes_written : dev->count.bytes_read) += access->length;
	return event;
}

u16 stag_invalidate(struct irdma_device *dev, u32 number, u32 pd, bool remote)
{
	struct stag *stag;
	u16 event = find(dev, number, &stag);

	if (event)
		return event;
	if (!stag->valid)
		return IRDMA_AE_AMP_INVALID_STAG;
	if (stag->pd != pd)
		return IRDMA_AE_AMP_BAD_PD;
	if (stag->is_window && stag->type_1)
		return IRDMA_AE_AMP_INVALIDATE_TYPE1_MW;
	if (remote && !stag->remote && !stag->is_window)
		return IRDMA_AE_AMP_INVALIDATE_NO_REMOTE_ACCESS_RIGHTS;
	if (stag->windows)
		return IRDMA_AE_AMP_INVALIDATE_MR_WITH_BOUND_WINDOWS;
	unbind(stag);
	dev->statistics.invalidates++;
	return 0;
}

static u16 check_bind(const struct window_bind *bind, const struct stag *window,
		      const struct stag *parent)
{
	if (!window->is_window)
		return IRDMA_AE_AMP_MWBIND_OF_MR_STAG;
	if (window->type_1 != bind->type_1)
		return IRDMA_AE_AMP_MWBIND_WRONG_TYPE;
	if (window->pd != bind->pd || parent->pd != bind->pd)
		return IRDMA_AE_AMP_BAD_PD;
	if (parent->is_window)
		return IRDMA_AE_AMP_MWBIND_TO_MW_STAG;
	if (!parent->valid)
		return IRDMA_AE_AMP_MWBIND_TO_INVALID_PARENT;
	if (!bind->type_1 && window->valid)
		return IRDMA_AE_AMP_MWBIND_VALID_STAG;
	if (bind->rights & RIGHT_REMOTE_WRITE && !(parent->rights & RIGHT_LOCAL_WRITE))
		return IRDMA_AE_AMP_MWBIND_INVALID_RIGHTS;
	if (check_bounds(parent, bind->va, bind->length))
		return IRDMA_AE_AMP_MWBIND_INVALID_BOUNDS;
	return 0;
}

u16 stag_bind(struct irdma_device *dev, const struct window_bind *bind)
{
	struct stag *window = stag_at(dev, bind->window >> 8), *parent;
	u16 event = find(dev, bind->parent, &parent);

	if (event)
		return IRDMA_AE_AMP_MWBIND_TO_INVALID_PARENT;
	/* The bind gives the window its key. */
	if (!window || window->index != bind->window >> 8)
		return IRDMA_AE_AMP_UNALLOCATED_STAG;
	event = check_bind(bind, window, parent);
	if (event)
		return event;
	unbind(window);
	dev->statistics.binds++;
	window->key = (u8)bind->window;
	if (!bind->length)
		return 0;
	window->valid = true;
	window->va_based = bind->va_based;
	window->va = bind->va;
	window->length = bind->length;
	window->rights = bind->rights;
	window->qpn = bind->qpn;
	window->parent = parent->index;
	window->parent_serial = parent->serial;
	parent->windows++;
	return 0;
}

/* ---- commands ---------------------------------------------------------------------------------- */

static u32 pd_of(const u64 *wqe)
{
	return FIELD_GET(ICRDMA_CQPSQ_STAG_PDID, wqe[1]);
}

static u32 index_of(const u64 *wqe)
{
	return FIELD_GET(IRDMA_CQPSQ_STAG_IDX, wqe[2]);
}

static bool add(struct irdma_device *dev, struct stag *stag, struct control_result *result)
{
	static u64 serial;

	stag->dev = dev;
	stag->serial = ++serial;
	if (id_table_add_at(dev->stags, (stag->index & hmc_stag_mask(dev->hmc)) + 1, stag))
		return true;
	result->code = CONTROL_OBJECT_EXISTS;
	g_free(stag);
	return false;
}

/* The host fills a region of this kind later, by a work request that only kernels use. */
static void alloc_stag(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	struct stag *stag = g_new0(struct stag, 1);

	stag->index = index_of(wqe);
	stag->pd = pd_of(wqe);
	stag->is_window = !(wqe[CONTROL_HEADER] & IRDMA_CQPSQ_STAG_MR);
	stag->type_1 = wqe[CONTROL_HEADER] & IRDMA_CQPSQ_STAG_MWTYPE;
	stag->page_shift = 12;
	if (!stag->index) {
		result->code = CONTROL_BAD_PARAMETER;
		g_free(stag);
		return;
	}
	add(dev, stag, result);
}

static bool has_its_list(const struct stag *stag)
{
	u64 pages = page_count(stag), pbles = hmc_pbles(stag->dev->hmc);

	switch (stag->level) {
	case LIST_NONE:
		return true;
	case LIST_ONE_LEVEL:
		return stag->first_pble + pages <= pbles;
	case LIST_TWO_LEVELS:
		/* Each page has an entry of its own, and so has each page of entries. */
		return pages <= pbles &&
		       stag->first_pble + (pages + PBLES_IN_A_PAGE - 1) / PBLES_IN_A_PAGE <= pbles;
	default:
		return false;
	}
}

/* Where the region can point to: most windows that go away have nothing to do with it. */
static void find_extent(struct stag *stag)
{
	u64 page;

	if (stag->level == LIST_NONE) {
		u64 bytes = page_count(stag) * page_bytes(stag);

		stag->lowest = stag->address;
		stag->end = bytes > UINT64_MAX - stag->address ? UINT64_MAX : stag->address + bytes;
		return;
	}
	stag->lowest = UINT64_MAX;
	for (u64 i = 0; i < page_count(stag); i++) {
		if (page_address(stag, i, &page))
			continue;
		stag->lowest = MIN(stag->lowest, page);
		stag->end = MAX(stag->end, page + page_bytes(stag));
	}
}

static void register_region(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	static const u8 shifts[] = {12, 21, 30, 0};
	u64 header = wqe[CONTROL_HEADER];
	struct stag *stag = g_new0(struct stag, 1);

	stag->dev = dev;
	stag->index = index_of(wqe);
	stag->key = FIELD_GET(IRDMA_CQPSQ_STAG_KEY, wqe[2]);
	stag->pd = pd_of(wqe);
	stag->valid = true;
	stag->va = wqe[0];
	stag->length = FIELD_GET(IRDMA_CQPSQ_STAG_STAGLEN, wqe[1]);
	stag->whole = !stag->length;
	stag->va_based = header & IRDMA_CQPSQ_STAG_VABASEDTO;
	stag->remote = header & IRDMA_CQPSQ_STAG_REMACCENABLED;
	stag->rights = FIELD_GET(IRDMA_CQPSQ_STAG_ARIGHTS, header);
	stag->level = FIELD_GET(IRDMA_CQPSQ_STAG_LPBLSIZE, header);
	stag->page_shift = shifts[FIELD_GET(IRDMA_CQPSQ_STAG_HPAGESIZE, header)];
	stag->address = wqe[4] & HOST_PAGE_MASK;
	stag->first_pble = FIELD_GET(IRDMA_CQPSQ_STAG_FIRSTPMPBLIDX, wqe[6]);
	if (!stag->index || !stag->page_shift || stag->va + stag->length < stag->va ||
	    !has_its_list(stag)) {
		result->code = CONTROL_BAD_PARAMETER;
		g_free(stag);
		return;
	}
	find_extent(stag);
	add(dev, stag, result);
}

static void dealloc_stag(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	struct stag *stag = stag_at(dev, index_of(wqe));

	if (!stag || stag->index != index_of(wqe) || stag->pd != pd_of(wqe)) {
		result->code = CONTROL_STAG_INVALID;
		return;
	}
	id_table_remove(dev->stags, (stag->index & hmc_stag_mask(dev->hmc)) + 1);
}

const struct control_entry memory_region_commands[] = {
	{IRDMA_CQP_OP_ALLOC_STAG, "ALLOC_STAG", "alloc_stag", alloc_stag},
	{IRDMA_CQP_OP_REG_MR, "REG_MR", "reg_mr", register_region},
	{IRDMA_CQP_OP_DEALLOC_STAG, "DEALLOC_STAG", "dealloc_stag", dealloc_stag},
	{},
};

/* ---- what a test asks ---------------------------------------------------------------------------- */

struct lost_window {
	u64 start, end;
};

/* A page is reached as far as the region goes: a large one may have somebody else's memory in its rest. */
static bool points_into(const struct stag *stag, const struct lost_window *window)
{
	u64 before = stag->va & (page_bytes(stag) - 1), page;

	if (!stag->valid || stag->is_window || stag->whole || stag->lowest >= window->end ||
	    stag->end <= window->start)
		return false;
	for (u64 i = 0; i < page_count(stag); i++) {
		u64 end = MIN(page_bytes(stag), before + stag->length - i * page_bytes(stag));

		if (!page_address(stag, i, &page) && page + (i ? 0 : before) < window->end &&
		    page + end > window->start)
			return true;
	}
	return false;
}

static void look_for_stale(void *object, void *opaque)
{
	struct stag *stag = object;

	if (!points_into(stag, opaque))
		return;
	++*stag->dev->count.stale_keys;
	irdma_log(stag->dev, "stag index 0x%x maps a window that went away", stag->index);
}

void stag_oracle(struct irdma_device *dev, u64 iova, u64 size)
{
	struct lost_window window = {.start = iova, .end = iova + size};

	id_table_for_each(dev->stags, look_for_stale, &window);
}

json_t *stag_json(struct irdma_device *dev, u32 number)
{
	struct stag *stag = stag_at(dev, number >> 8);

	if (!stag || stag->index != number >> 8)
		return NULL;
	return json_pack("{s:i, s:i, s:i, s:b, s:b, s:I, s:I, s:I, s:i, s:i}", "index", stag->index,
			 "key", stag->key, "pd", stag->pd, "valid", stag->valid, "window",
			 stag->is_window, "va", stag->va, "length", stag->length, "page_bytes",
			 page_bytes(stag), "rights", stag->rights, "list_levels",
			 stag->level == LIST_TWO_LEVELS ? 2 : (int)stag->level);
}
