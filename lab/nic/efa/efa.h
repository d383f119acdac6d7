/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The parts of the EFA model and what they ask of each other. Data flows one way:
 *
 *   doorbell -> turn -> send request -> peer's QP / receive queue -> memory region -> DMA
 *                                 |            |
 *                                 +-> completion queue -> event queue -> interrupt
 *
 * Everything runs in one thread; a slice of work (QP_SLICE_BYTES moved) is atomic towards the
 * host's commands, MMIO and DMA unmaps.
 */
#ifndef LAB_NIC_EFA_EFA_H
#define LAB_NIC_EFA_EFA_H

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

#include "../common/fabric.h"
#include "../common/id_table.h"
#include "../common/model_host.h"
#include "../common/turns.h"
#include "../control/control.h"
#include "../control/counters.h"
#include "../control/knobs.h"
#include "../vfio-user/dma_space.h"
#include "../vfio-user/pci_device.h"
#include "defs.h"

#define EFA_VENDOR_ID 0x1d0f
#define EFA_DEVICE_ID 0xefa2

enum efa_bar {
	EFA_REGISTER_BAR = 0,
	EFA_MSIX_BAR = 1,
	EFA_LLQ_BAR = 2, /* send queues: memory that user space maps and writes */
	EFA_DOORBELL_BAR = 4,
};

/* A QP's number has its slot in the low bits, as the provider expects, and above them how often
 * the slot has been used, so that the number of a destroyed QP finds nothing for a long time. */
#define EFA_LOG_QPS 9
#define EFA_MAX_QPS (1u << EFA_LOG_QPS)
#define EFA_MAX_CQS 1024u
#define EFA_MAX_EQS 32u
#define EFA_VECTORS (EFA_MAX_EQS + 1)
#define EFA_MAX_UARS 1024u
#define EFA_MAX_PDS 1024u
#define EFA_MAX_AHS 1024u
#define EFA_MAX_MRS 65536u
#define EFA_MAX_MR_PAGES (1u << 22)
#define EFA_LLQ_BYTES (64u << 10) /* for each QP */
#define EFA_MAX_SQ_DEPTH (EFA_LLQ_BYTES / 64)
#define EFA_MAX_RQ_DEPTH 8192u
#define EFA_MAX_CQ_DEPTH 32768u
#define EFA_MAX_EQ_DEPTH 4096u
#define EFA_MAX_SEND_SGES 2u
#define EFA_MAX_RECEIVE_SGES 3u
#define EFA_INLINE_64 32u	/* in a work request of 64 bytes */
#define EFA_INLINE_128 80u	/* in one of 128 bytes */
#define EFA_MTU 8928u		/* also the longest message */
#define EFA_MAX_RDMA (1u << 30)
#define EFA_GID_BYTES 16u
#define EFA_GRH_BYTES 40u
#define EFA_DOORBELL_PAGE 4096u /* one for each QP, then one for each CQ */
#define EFA_SQ_DOORBELL 0u
#define EFA_RQ_DOORBELL 8u
#define EFA_UNKNOWN_AH 0xffffu
#define QP_SLICE_BYTES (64u << 10)

enum admin_status {
	ADMIN_OK = EFA_ADMIN_SUCCESS,
	ADMIN_NO_RESOURCES = EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE,
	ADMIN_BAD_OPCODE = EFA_ADMIN_BAD_OPCODE,
	ADMIN_UNSUPPORTED = EFA_ADMIN_UNSUPPORTED_OPCODE,
	ADMIN_MALFORMED = EFA_ADMIN_MALFORMED_REQUEST,
	ADMIN_ILLEGAL = EFA_ADMIN_ILLEGAL_PARAMETER,
	ADMIN_UNKNOWN = EFA_ADMIN_UNKNOWN_ERROR,
	ADMIN_BUSY = EFA_ADMIN_RESOURCE_BUSY,
};

struct admin_queue;
struct efa_cq;
struct efa_eq;
struct efa_qp;
struct registers;

/* ---- device.c ------------------------------------------------------------------------------- */

struct efa_counters {
	u64 *commands, *commands_failed, *doorbells, *wqes, *cqes, *eqes, *cq_overflows;
	u64 *bytes_read, *bytes_written; /* payload moved through memory regions */
	u64 *rnr, *remote_access_errors, *local_protection_errors, *flushed, *lost;
	u64 *stale_keys; /* regions found mapping a window that went away */
};

/* What GET_STATS tells; from reset on. */
struct efa_statistics {
	struct efa_admin_basic_stats basic;
	struct efa_admin_messages_stats messages;
	struct efa_admin_rdma_read_stats read;
	struct efa_admin_rdma_write_stats write;
	struct efa_admin_network_stats network;
};

struct efa_device {
	struct pci_device *pci;
	struct dma_space *dma;
	struct counters *counters;
	struct efa_counters count;
	struct efa_statistics statistics;
	struct knobs *knobs;
	FILE *log;
	u64 guid;
	u8 gid[EFA_GID_BYTES];
	struct fabric_port *port;
	u32 api_version; /* of the admin commands: minor | major << 8 */

	struct id_table *uars, *pds, *ahs, *mrs, *eqs, *cqs, *qps;
	u16 qp_uses[EFA_MAX_QPS]; /* how often each slot has been used */
	u64 mr_pages;		  /* of all memory regions together */
	struct registers *registers;
	struct admin_queue *admin;
	struct turns *turns;
	u32 aenq_groups; /* enabled ones */
	u32 rnr_waiting; /* send requests that wait for a receive request */
	char host[32];	 /* the guest's kernel, if it said so */
};

struct efa_options {
	u64 guid;
	u32 api_version;
};

struct efa_device *efa_device_new(const struct efa_options *options,
				  const struct model_host *host);
void efa_device_free(struct efa_device *dev);
/* What the PCI function calls; for those who drive a device without a socket. */
const struct pci_device_ops *efa_device_ops(void);
/* All objects gone, all registers as new; DMA windows stay. */
void efa_device_reset(struct efa_device *dev);
#define efa_log(dev, ...) model_log((dev)->log, "efa", __VA_ARGS__)
/*
 * Entry of a ring in host memory; the first `head` bytes (4 or 8, with the phase bit) become visible
 * last, at once. 0 or what dma_write() says.
 */
int efa_publish(struct efa_device *dev, u64 address, const void *entry, u32 size, u32 head);

/* ---- registers.c ---------------------------------------------------------------------------- */

struct registers *registers_new(struct efa_device *dev);
void registers_free(struct registers *registers);
/* As after power-on. */
void registers_reset(struct registers *registers);
u32 registers_read(struct registers *registers, u64 offset);
void registers_write(struct registers *registers, u64 offset, u32 value);

/* ---- admin_queue.c: commands, and events that nobody asked for -------------------------------- */

#define ADMIN_PAYLOAD_BYTES 116u /* of the longer kind of entry; shorter ones are padded */

struct admin_command {
	u8 opcode;
	bool control_buffer, indirect; /* the payload points to data, or to a list of its pages */
	const void *in;		       /* ADMIN_PAYLOAD_BYTES, aligned to 8 */
	void *out;		       /* the response's structure, zeroed; the caller fills its head */
};

typedef enum admin_status (*admin_handler)(struct efa_device *dev,
					   const struct admin_command *command);

struct admin_entry {
	u8 opcode;
	const char *name, *counter;
	admin_handler handler;
};

/* Each subject offers its table; admin_queue.c joins them. Terminated by a NULL handler. */
extern const struct admin_entry feature_commands[];
extern const struct admin_entry protection_commands[];
extern const struct admin_entry memory_region_commands[];
extern const struct admin_entry event_queue_commands[];
extern const struct admin_entry completion_queue_commands[];
extern const struct admin_entry qp_commands[];

struct admin_ring {
	u64 base;
	u32 depth, entry_size, vector; /* depth 0: not there */
};

struct admin_queue *admin_queue_new(struct efa_device *dev);
void admin_queue_free(struct admin_queue *admin);
void admin_queue_reset(struct admin_queue *admin);
void admin_queue_set_submission(struct admin_queue *admin, struct admin_ring ring);
void admin_queue_set_completion(struct admin_queue *admin, struct admin_ring ring);
void admin_queue_set_events(struct admin_queue *admin, struct admin_ring ring);
void admin_queue_doorbell(struct admin_queue *admin, u32 producer);
void admin_queue_events_consumed(struct admin_queue *admin, u32 consumer);
/* Interrupts of commands and events; what came while they were masked is made up for. */
void admin_queue_mask(struct admin_queue *admin, bool masked);
/* One command's entry without a ring; what the doorbell comes down to. out: 64 bytes. */
enum admin_status admin_execute(struct efa_device *dev, u8 opcode, u8 flags, const void *payload,
				u32 len, void *out);
/* False if the ring is full or the group not enabled. */
bool admin_post_event(struct admin_queue *admin, u16 group, u16 syndrome);
/* A knob's held command may go on. False if that ticket is not a command's. */
bool admin_queue_release(struct admin_queue *admin, u64 ticket);

/* ---- protection.c: PDs, UARs, address handles ------------------------------------------------- */

/* A number that others use; it cannot go while they do. */
bool pd_get(struct efa_device *dev, u32 pd);
void pd_put(struct efa_device *dev, u32 pd);
bool uar_get(struct efa_device *dev, u32 uar);
void uar_put(struct efa_device *dev, u32 uar);
/* The address behind a handle of that PD; NULL if there is none. */
const u8 *ah_address(struct efa_device *dev, u32 ah, u32 pd);
/* The PD's handle for an address, or EFA_UNKNOWN_AH. */
u16 ah_find(struct efa_device *dev, const u8 address[16], u32 pd);

/* ---- memory_region.c ------------------------------------------------------------------------ */

enum access_kind {
	ACCESS_LOCAL_READ,
	ACCESS_LOCAL_WRITE,
	ACCESS_REMOTE_READ,
	ACCESS_REMOTE_WRITE,
};

enum access_result {
	ACCESS_OK,
	ACCESS_DENIED,	  /* key, bounds, rights, PD */
	ACCESS_BUS_ERROR, /* the region is right, but the IOVA is not mapped */
};

struct access {
	u32 key; /* lkey or rkey, by kind */
	u32 pd;
	u64 va, length;
	enum access_kind kind;
};

void mr_destroy(void *object);
/* Checks key, rights, bounds and PD. Nothing is wrong with no bytes at all. */
enum access_result mr_check(struct efa_device *dev, const struct access *access);
/* Moves the bytes: buf -> memory for a write, memory -> buf for a read. */
enum access_result mr_access(struct efa_device *dev, const struct access *access, void *buf);
/* DMA window [iova, iova + size) went away: counts regions that still point into it. */
void mr_oracle(struct efa_device *dev, u64 iova, u64 size);
/* A new object that describes the region, or NULL. */
json_t *mr_json(struct efa_device *dev, u32 key);

/* ---- event_queue.c -------------------------------------------------------------------------- */

void eq_destroy(void *object);
/* For as long as a CQ uses it. NULL if there is no such queue. */
struct efa_eq *eq_get(struct efa_device *dev, u32 eqn);
void eq_put(struct efa_eq *eq);
void eq_post_completion(struct efa_eq *eq, u16 cqn);
void eq_arm(struct efa_device *dev, u32 eqn);

/* ---- completion_queue.c --------------------------------------------------------------------- */

struct completion {
	bool receive;
	u8 operation; /* enum efa_io_send_op_type */
	u8 status;    /* enum efa_io_comp_status */
	u16 qpn;
	u64 request; /* its id, as the host gave it */
	/* of receives only */
	bool has_immediate, unsolicited;
	u32 immediate, length;
	u16 source_qpn, ah;
	u8 source[16];
};

void cq_destroy(void *object);
struct efa_cq *cq_get(struct efa_device *dev, u32 cqn);
void cq_put(struct efa_cq *cq);
/* Whether completions of send queues can carry requests' ids of 64 bits. */
bool cq_is_wide(const struct efa_cq *cq);
void cq_post(struct efa_cq *cq, const struct completion *completion);
void cq_doorbell(struct efa_device *dev, u32 cqn, u32 value);

/* ---- qp.c and the data path: qp.h ------------------------------------------------------------- */

void qp_destroy(void *object);
void qp_send_doorbell(struct efa_device *dev, u32 slot, u16 producer);
void qp_receive_doorbell(struct efa_device *dev, u32 slot, u16 producer);
/* A knob's held operation may go on. */
void data_path_release(struct efa_device *dev, u64 ticket);

#endif
