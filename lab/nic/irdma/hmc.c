/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Host memory cache: memory that the host lends the function for its objects, addressed in one flat
 * space of segments of 2 MiB. The model keeps its objects itself and reads nothing there but PBLEs,
 * the entries of physical buffer lists.
 */
#include <errno.h>

#include "irdma.h"

#define SEGMENT_SHIFT 21
#define SEGMENT_BYTES (1ull << SEGMENT_SHIFT)
#define SEGMENTS 1024u
#define BASE_UNIT 512u /* in which COMMIT_FPM_VAL counts */
#define QUERY_BYTES 176u
#define COMMIT_BYTES 176u
#define SEGMENT_INDEX_MASK GENMASK_ULL(11, 0)
#define APBVT_OFFSET 40u
#define APBVT_BYTES 8192u
#define MIN_STAG_BITS 14u
#define FIRMWARE_MAJOR 1u
#define FIRMWARE_MINOR 60u

/*
 * Objects by their place in the buffers of QUERY_FPM_VAL and COMMIT_FPM_VAL, how many there may be,
 * and how large one is. Where the query's size field has another meaning (how many objects one entry
 * of a free list covers) it is `block`. Sizes are the author's choice, kept small: the host allocates
 * all of it when the driver starts.
 */
struct object {
	const char *name;
	u16 query, commit;
	u32 most;
	u8 log_size, block;
};

enum { OBJECT_QP, OBJECT_CQ, OBJECT_MR, OBJECT_PBLE };

static const struct object objects[] = {
	[OBJECT_QP] = {"QP", 8, 0, 1024, 9, 0},
	[OBJECT_CQ] = {"CQ", 16, 8, 2048, 6, 0},
	[OBJECT_MR] = {"MR", 48, 48, 1u << MIN_STAG_BITS, 6, 0},
	[OBJECT_PBLE] = {"PBLE", 112, 112, 1u << 20, 3, 0},
	{"SRQ", 24, 16, 0, 6, 0},
	{"HTE", 32, 24, 4096, 6, 0},
	{"ARP", 40, 32, 1024, 6, 0},
	{"XF", 56, 56, 1u << 14, 6, 0},
	{"XFFL", 64, 64, 1u << 14, 2, 4},
	{"Q1", 72, 72, 1u << 18, 4, 0},
	{"Q1FL", 80, 80, 1u << 18, 2, 4},
	{"TIMER", 88, 88, 4096, 6, 0},
	{"FSIMC", 96, 96, 256, 7, 0},
	{"FSIAV", 104, 104, 1024, 6, 0},
	{"RRF", 128, 128, 1u << 15, 4, 0},
	{"RRFFL", 136, 136, 1u << 15, 2, 4},
	{"HDR", 144, 144, 1024, 6, 0},
	{"MD", 152, 152, 1024, 6, 0},
};

struct extent {
	u64 base;
	u32 count;
};

struct hmc {
	struct irdma_device *dev;
	u64 segment[SEGMENTS]; /* descriptors as the host gave them */
	struct extent extent[G_N_ELEMENTS(objects)];
};

struct hmc *hmc_new(struct irdma_device *dev)
{
	struct hmc *hmc = g_new0(struct hmc, 1);

	hmc->dev = dev;
	return hmc;
}

void hmc_free(struct hmc *hmc)
{
	g_free(hmc);
}

void hmc_reset(struct hmc *hmc)
{
	memset(hmc->segment, 0, sizeof(hmc->segment));
	memset(hmc->extent, 0, sizeof(hmc->extent));
}

u32 hmc_pbles(const struct hmc *hmc)
{
	return hmc->extent[OBJECT_PBLE].count;
}

u32 hmc_qps(const struct hmc *hmc)
{
	return hmc->extent[OBJECT_QP].count;
}

u32 hmc_cqs(const struct hmc *hmc)
{
	return hmc->extent[OBJECT_CQ].count;
}

u32 hmc_stag_mask(const struct hmc *hmc)
{
	u32 bits = MIN_STAG_BITS;

	while (bits < 24 && 1u << bits < hmc->extent[OBJECT_MR].count)
		bits++;
	return (1u << bits) - 1;
}

/* Host address of an address in the flat space. */
static int translate(struct hmc *hmc, u64 address, u64 *host)
{
	u64 index = address >> SEGMENT_SHIFT, descriptor, page;

	if (index >= SEGMENTS)
		return -EFAULT;
	descriptor = hmc->segment[index];
	if (!FIELD_GET(IRDMA_PFHMC_SDDATALOW_PMSDVALID, descriptor))
		return -EFAULT;
	if (FIELD_GET(IRDMA_PFHMC_SDDATALOW_PMSDTYPE, descriptor)) {
		*host = (descriptor & HOST_PAGE_MASK) + (address & (SEGMENT_BYTES - 1));
		return 0;
	}
	if (dma_read(hmc->dev->dma,
		     (descriptor & HOST_PAGE_MASK) +
			     (address & (SEGMENT_BYTES - 1)) / HOST_PAGE_BYTES * sizeof(page),
		     &page, sizeof(page)))
		return -EFAULT;
	*host = (page & HOST_PAGE_MASK) + address % HOST_PAGE_BYTES;
	return 0;
}

int hmc_read_pble(struct hmc *hmc, u32 index, u64 *page)
{
	const struct extent *pbles = &hmc->extent[OBJECT_PBLE];
	u64 host;

	if (index >= pbles->count || translate(hmc, pbles->base + index * sizeof(*page), &host))
		return -EFAULT;
	return dma_read(hmc->dev->dma, host, page, sizeof(*page)) ? -EFAULT : 0;
}

int ring_address(struct hmc *hmc, const struct ring *ring, u64 offset, u32 len, u64 *address)
{
	u64 page;

	if (offset + len > (u64)ring->count * ring->entry_bytes)
		return -EFAULT;
	if (!ring->by_pages) {
		*address = ring->base + offset;
		return 0;
	}
	if (offset % HOST_PAGE_BYTES + len > HOST_PAGE_BYTES ||
	    ring->base + offset / HOST_PAGE_BYTES > UINT32_MAX ||
	    hmc_read_pble(hmc, ring->base + offset / HOST_PAGE_BYTES, &page))
		return -EFAULT;
	*address = (page & HOST_PAGE_MASK) + offset % HOST_PAGE_BYTES;
	return 0;
}

static void query_features(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	u32 room = FIELD_GET(IRDMA_CQPSQ_QUERY_RDMA_FEATURES_BUF_LEN, wqe[CONTROL_HEADER]);
	u64 features[] = {
		FIELD_PREP(IRDMA_FEATURE_TYPE, FEATURE_FIRMWARE) |
			FIELD_PREP(IRDMA_FW_VER_MAJOR, FIRMWARE_MAJOR) |
			FIELD_PREP(IRDMA_FW_VER_MINOR, FIRMWARE_MINOR),
		FIELD_PREP(IRDMA_FEATURE_TYPE, FEATURE_HARDWARE),
	};

	features[0] |= FIELD_PREP(IRDMA_FEATURE_CNT, G_N_ELEMENTS(features));
	if (room < sizeof(features))
		result->code = CONTROL_BAD_PARAMETER;
	else if (dma_write(dev->dma, wqe[4], features, sizeof(features)))
		result->code = CONTROL_BAD_ADDRESS;
}

static void query_fpm(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	u64 answer[QUERY_BYTES / sizeof(u64)] = {};

	/* First segment 0. */
	answer[0] = FIELD_PREP(IRDMA_QUERY_FPM_MAX_PE_SDS, SEGMENTS);
	for (u32 i = 0; i < G_N_ELEMENTS(objects); i++) {
		const struct object *object = &objects[i];

		answer[object->query / sizeof(u64)] =
			object->most |
			(u64)(object->block ? object->block : object->log_size) << 32;
	}
	/* Only how many: the size of a PBLE is known to all. */
	answer[112 / sizeof(u64)] = objects[OBJECT_PBLE].most;
	answer[120 / sizeof(u64)] = FIELD_PREP(IRDMA_QUERY_FPM_MAX_CEQS, IRDMA_CEQS) |
				    FIELD_PREP(IRDMA_QUERY_FPM_HTMULTIPLIER, 1) |
				    FIELD_PREP(IRDMA_QUERY_FPM_TIMERBUCKET, 1);
	if (dma_write(dev->dma, wqe[4], answer, sizeof(answer)))
		result->code = CONTROL_BAD_ADDRESS;
}

static u64 round_up(u64 value, u64 to)
{
	return (value + to - 1) / to * to;
}

/* The host says how many of each; the function says where they begin. */
static void commit_fpm(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	u64 buffer[COMMIT_BYTES / sizeof(u64)], base = APBVT_BYTES;
	struct extent extent[G_N_ELEMENTS(objects)];

	if (dma_read(dev->dma, wqe[4], buffer, sizeof(buffer))) {
		result->code = CONTROL_BAD_ADDRESS;
		return;
	}
	/* PBLEs come last: the host backs them when they are needed. */
	for (u32 n = 0; n < G_N_ELEMENTS(objects); n++) {
		u32 i = (n + OBJECT_PBLE + 1) % G_N_ELEMENTS(objects);
		u64 *word = &buffer[objects[i].commit / sizeof(u64)];

		extent[i].count = (u32)*word;
		extent[i].base = base;
		*word = extent[i].count | base / BASE_UNIT << IRDMA_COMMIT_FPM_BASE_S;
		base = round_up(base + ((u64)extent[i].count << objects[i].log_size), BASE_UNIT);
	}
	if (base > SEGMENTS * SEGMENT_BYTES) {
		result->code = CONTROL_NO_RESOURCES;
		return;
	}
	buffer[APBVT_OFFSET / sizeof(u64)] = 1;
	if (dma_write(dev->dma, wqe[4], buffer, sizeof(buffer))) {
		result->code = CONTROL_BAD_ADDRESS;
		return;
	}
	memcpy(dev->hmc->extent, extent, sizeof(extent));
}

static bool set_segment(struct hmc *hmc, u64 command, u64 descriptor)
{
	u64 index = command & SEGMENT_INDEX_MASK;

	if (!(command & IRDMA_PFHMC_SDCMD_PMSDWR))
		return true;
	if (index >= SEGMENTS)
		return false;
	hmc->segment[index] = descriptor;
	return true;
}

/* Up to three descriptors lie in the WQE, up to fifteen more in memory. */
static void update_segments(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	u32 more = FIELD_GET(IRDMA_CQPSQ_UPESD_ENTRY_COUNT, wqe[CONTROL_HEADER]);
	u64 memory[15][2];
	bool fine = set_segment(dev->hmc, wqe[0], wqe[1]);

	if (more && dma_read(dev->dma, wqe[2] & ~GENMASK_ULL(5, 0), memory, more * 16)) {
		result->code = CONTROL_BAD_ADDRESS;
		return;
	}
	for (u32 i = 4; i <= 6; i += 2)
		if (wqe[i] & IRDMA_CQPSQ_UPESD_ENTRY_VALID)
			fine = set_segment(dev->hmc, wqe[i], wqe[i + 1]) && fine;
	for (u32 i = 0; i < more; i++)
		fine = set_segment(dev->hmc, memory[i][0], memory[i][1]) && fine;
	if (!fine)
		result->code = CONTROL_BAD_PARAMETER;
}

static void take_note(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	(void)dev;
	(void)wqe;
	(void)result;
}

const struct control_entry hmc_commands[] = {
	{IRDMA_CQP_OP_QUERY_RDMA_FEATURES, "QUERY_RDMA_FEATURES", "query_rdma_features",
	 query_features},
	{IRDMA_CQP_OP_QUERY_FPM_VAL, "QUERY_FPM_VAL", "query_fpm_val", query_fpm},
	{IRDMA_CQP_OP_COMMIT_FPM_VAL, "COMMIT_FPM_VAL", "commit_fpm_val", commit_fpm},
	{IRDMA_CQP_OP_UPDATE_PE_SDS, "UPDATE_PE_SDS", "update_pe_sds", update_segments},
	{IRDMA_CQP_OP_SHMC_PAGES_ALLOCATED, "SHMC_PAGES_ALLOCATED", "shmc_pages_allocated",
	 take_note},
	{},
};
