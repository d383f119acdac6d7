/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The parts of the irdma model and what they ask of each other. Data flows one way:
 *
 *   doorbell -> turn -> send WQE -> peer's QP / receive WQE -> stag -> PBLEs -> DMA
 *                           |            |
 *                           +-> completion queue -> CEQ -> interrupt
 *                           +-> asynchronous event queue -> interrupt
 *
 * Everything runs in one thread; a slice of work (QP_SLICE_BYTES moved) is atomic towards the
 * host's commands, MMIO and DMA unmaps.
 */
#ifndef LAB_NIC_IRDMA_IRDMA_H
#define LAB_NIC_IRDMA_IRDMA_H

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
#include "layout.h"

#define IRDMA_VENDOR_ID 0x8086
#define IRDMA_DEVICE_ID 0x1592 /* E810-C, QSFP */
#define IRDMA_BAR_BYTES (8u << 20)
#define IRDMA_VECTORS 64u
#define IRDMA_CEQS 64u
#define QP_SLICE_BYTES (64u << 10)
#define MAX_MTU 4096u
#define MAX_STAG_INDEX 0xffffffu

struct admin_queue;
struct control_queue;
struct event_queues;
struct hmc;
struct irdma_qp;
struct registers;

/* ---- device.c ------------------------------------------------------------------------------- */

struct irdma_counters {
	u64 *commands, *commands_failed, *doorbells, *wqes, *packets, *cqes, *ceqes, *aeqes;
	u64 *bytes_read, *bytes_written; /* payload moved through stags */
	u64 *rnr_naks, *remote_access_errors, *local_protection_errors, *flushed;
	u64 *cq_overflows, *lost;
	u64 *stale_keys; /* found mapping a window that went away */
};

/* What GATHER_STATS tells; from reset on. */
struct irdma_statistics {
	u64 write_received, read_received, send_received, write_sent, read_sent, send_sent;
	u64 binds, invalidates;
};

struct irdma_device {
	struct pci_device *pci;
	struct dma_space *dma;
	struct counters *counters;
	struct irdma_counters count;
	struct irdma_statistics statistics;
	struct knobs *knobs;
	FILE *log;
	u8 mac[6];
	struct fabric_port *port;

	struct id_table *stags, *cqs, *qps, *ahs, *neighbours, *groups;
	struct registers *registers;
	struct hmc *hmc;
	struct event_queues *events;
	struct control_queue *control;
	struct admin_queue *admin;
	struct turns *turns;
};

struct irdma_options {
	u64 mac;
};

struct irdma_device *irdma_device_new(const struct irdma_options *options,
				      const struct model_host *host);
void irdma_device_free(struct irdma_device *dev);
/* What the PCI function calls; for those who drive a device without a socket. */
const struct pci_device_ops *irdma_device_ops(void);
/* All objects gone, all registers as new; DMA windows stay. */
void irdma_device_reset(struct irdma_device *dev);
/* The control queue goes: so do the objects it made. Registers stay. */
void irdma_device_teardown(struct irdma_device *dev);
#define irdma_log(dev, ...) model_log((dev)->log, "irdma", __VA_ARGS__)

/* ---- registers.c ---------------------------------------------------------------------------- */

struct registers *registers_new(struct irdma_device *dev);
void registers_free(struct registers *registers);
void registers_reset(struct registers *registers);
u32 registers_read(struct registers *registers, u64 offset);
void registers_write(struct registers *registers, u64 offset, u32 value);

/* ---- admin_queue.c: of the LAN side -------------------------------------------------------------- */

/* Where the E810 has them: the ring's address, its length and enable bit, head and tail. */
#define ADMIN_QUEUE_BASE_LOW 0x80000u
#define ADMIN_QUEUE_BASE_HIGH 0x80100u
#define ADMIN_QUEUE_LENGTH 0x80200u
#define ADMIN_QUEUE_HEAD 0x80300u
#define ADMIN_QUEUE_TAIL 0x80400u

struct admin_queue *admin_queue_new(struct irdma_device *dev);
void admin_queue_free(struct admin_queue *admin);
void admin_queue_reset(struct admin_queue *admin);
u32 admin_queue_read(const struct admin_queue *admin, u64 offset);
void admin_queue_write(struct admin_queue *admin, u64 offset, u32 value);

/* ---- control_queue.c ------------------------------------------------------------------------ */

#define CONTROL_WQE_QWORDS 8u
#define CONTROL_HEADER 3u /* the qword with operation and valid bit */

/*
 * Of a failed command. Major and minor codes are public where the driver names them; the others
 * are the author's reading and only have to be errors that the driver takes for real ones.
 */
enum control_error_code {
	CONTROL_OK = 0,
	CONTROL_STAG_INVALID = IRDMA_CQPSQ_MIN_STAG_INVALID,
	CONTROL_INVALID_STATE = 0x8002,
	CONTROL_BAD_OPCODE = 0x8101,
	CONTROL_BAD_PARAMETER = 0x8102,
	CONTROL_NO_OBJECT = 0x8103,
	CONTROL_OBJECT_EXISTS = 0x8104,
	CONTROL_BAD_ADDRESS = 0x8105,
	CONTROL_NO_RESOURCES = 0x8106,
	CONTROL_FAILED = 0x8107, /* by request of a test */
};

struct control_result {
	u16 code;  /* enum control_error_code; 0: done */
	u16 minor; /* of a command that is done: what FLUSH_WQES tells */
	u32 value;
};

typedef void (*control_handler)(struct irdma_device *dev, const u64 wqe[CONTROL_WQE_QWORDS],
				struct control_result *result);

struct control_entry {
	u8 opcode;
	const char *name, *counter;
	control_handler handler;
};

/* Each subject offers its table; control_queue.c joins them. Terminated by a NULL handler. */
extern const struct control_entry hmc_commands[];
extern const struct control_entry event_queue_commands[];
extern const struct control_entry completion_queue_commands[];
extern const struct control_entry memory_region_commands[];
extern const struct control_entry qp_commands[];
extern const struct control_entry network_commands[];
extern const struct control_entry multicast_commands[];

struct control_queue *control_queue_new(struct irdma_device *dev);
void control_queue_free(struct control_queue *control);
void control_queue_reset(struct control_queue *control);
/* The host gives the context's address, or 0 to end it. */
void control_queue_create(struct control_queue *control, u64 context);
void control_queue_doorbell(struct control_queue *control, u32 head);
/* The host zeroes the tail before it makes a queue. */
void control_queue_clear_tail(struct control_queue *control);
u32 control_queue_status(const struct control_queue *control);
u32 control_queue_tail(const struct control_queue *control);
u32 control_queue_error(const struct control_queue *control);
/* From now on (or no more) commands are completed in CQ 0 as well. */
void control_queue_set_completions(struct control_queue *control, bool on);
/* Executes one WQE without a ring; what the doorbell comes down to. */
void control_execute(struct irdma_device *dev, const u64 wqe[CONTROL_WQE_QWORDS],
		     struct control_result *result);
/* A knob's held command may go on. False if that ticket is not a command's. */
bool control_queue_release(struct control_queue *control, u64 ticket);

/* ---- hmc.c: host memory cache ------------------------------------------------------------------ */

struct hmc *hmc_new(struct irdma_device *dev);
void hmc_free(struct hmc *hmc);
void hmc_reset(struct hmc *hmc);
/* Address of a page that a physical buffer list names. 0 or -EFAULT. */
int hmc_read_pble(struct hmc *hmc, u32 index, u64 *page);
u32 hmc_pbles(const struct hmc *hmc);
/* Bits of a stag's index that choose the entry; the host uses those above as part of the key. */
u32 hmc_stag_mask(const struct hmc *hmc);
u32 hmc_qps(const struct hmc *hmc);
u32 hmc_cqs(const struct hmc *hmc);

/* A ring in host memory: contiguous, or pages that PBLEs name. */
struct ring {
	u64 base; /* address, or index of the first PBLE */
	bool by_pages;
	u32 count, entry_bytes;
};

/* Address of bytes [offset, offset + len) that lie in one page. 0 or -EFAULT. */
int ring_address(struct hmc *hmc, const struct ring *ring, u64 offset, u32 len, u64 *address);

/* ---- network.c: tables of the LAN side, statistics --------------------------------------------- */

struct address_handle {
	u32 index, pd;
	u32 ip[4], source_ip[4]; /* as the QP context has them: IPv4 in the last word */
	bool ipv4, loopback;
	u8 hop_limit, traffic_class;
	u32 flow_label;
	u32 neighbour; /* whose MAC address is the next hop's */
};

/* NULL if there is none of that number in the PD. */
const struct address_handle *address_handle_find(struct irdma_device *dev, u32 index, u32 pd);
/* Whether what is sent from there comes by that device. */
bool address_handle_leads(const struct address_handle *handle, const struct irdma_device *from,
			  const struct irdma_device *to);
/* From two qwords of a command. */
void read_address(u32 ip[4], bool ipv4, u64 low, u64 high);

/* ---- multicast.c ---------------------------------------------------------------------------- */

#define GROUP_QPS 8u

struct multicast_group {
	u32 ip[4];
	bool ipv4;
	u32 qpns[GROUP_QPS], count;
};

/* The group that the address names, or NULL. */
const struct multicast_group *multicast_group_find(struct irdma_device *dev,
						   const struct address_handle *handle);

/* ---- memory_region.c ------------------------------------------------------------------------ */

enum access_kind {
	ACCESS_LOCAL_READ,
	ACCESS_LOCAL_WRITE,
	ACCESS_REMOTE_READ,
	ACCESS_REMOTE_WRITE,
};

struct access {
	u32 stag;
	u32 pd;
	u32 qpn;	 /* a window of type 2 belongs to one */
	bool privileged; /* stag 0 is the bus */
	u64 va, length;
	enum access_kind kind;
};

/* Result of an access that is allowed and cannot be done: the bus address is not mapped. */
#define AE_BUS_ERROR IRDMA_AE_LCE_QP_CATASTROPHIC

void stag_destroy(void *object);
/* 0 or the code of the asynchronous event that the access earns. Nothing is wrong with no bytes. */
u16 stag_check(struct irdma_device *dev, const struct access *access);
/* Moves the bytes: buf -> memory for a write, memory -> buf for a read. Same results. */
u16 stag_access(struct irdma_device *dev, const struct access *access, void *buf);
/* By a work request; remote: of the peer's. Same results. */
u16 stag_invalidate(struct irdma_device *dev, u32 stag, u32 pd, bool remote);

struct window_bind {
	u32 window, parent, pd, qpn;
	u64 va, length;
	u8 rights;
	bool va_based, type_1;
};

u16 stag_bind(struct irdma_device *dev, const struct window_bind *bind);
/* DMA window [iova, iova + size) went away: counts stags that still point into it. */
void stag_oracle(struct irdma_device *dev, u64 iova, u64 size);
/* A new object that describes the stag, or NULL. */
json_t *stag_json(struct irdma_device *dev, u32 stag);

/* ---- event_queue.c -------------------------------------------------------------------------- */

struct async_event {
	u16 code; /* IRDMA_AE_* */
	u8 source; /* IRDMA_AE_SOURCE_* */
	u32 number; /* of the QP or CQ */
	u64 context;
	u16 wqe_index;
	u8 qp_state;
};

struct event_queues *event_queues_new(struct irdma_device *dev);
void event_queues_free(struct event_queues *events);
/* Queues are gone; with vectors: enables and causes as well. */
void event_queues_reset(struct event_queues *events, bool vectors);
void event_post_completion(struct event_queues *events, u32 ceq, u32 cqn);
/* False: no event is held by that ticket. */
bool event_queues_release(struct event_queues *events, u64 ticket);
void event_post_async(struct event_queues *events, const struct async_event *event);
void event_async_consumed(struct event_queues *events, u32 count);
bool event_ceq_exists(const struct event_queues *events, u32 ceq);
/* GLINT_DYN_CTL, GLINT_CEQCTL, PFINT_AEQCTL */
void event_set_vector(struct event_queues *events, u32 vector, u32 value);
void event_set_ceq_cause(struct event_queues *events, u32 ceq, u32 value);
void event_set_aeq_cause(struct event_queues *events, u32 value);

/* ---- completion_queue.c --------------------------------------------------------------------- */

struct completion {
	bool send, solicited, has_immediate, has_invalidated;
	bool ipv4, datagram;
	u8 op;
	u16 major, minor; /* 0: no error */
	u32 wqe_index;
	u32 length, qpn, source_qpn;
	u32 invalidated, immediate;
	u64 context;
	u32 value; /* of a command */
};

#define CONTROL_CQN 0u

void cq_destroy(void *object);
void cq_post(struct irdma_device *dev, u32 cqn, const struct completion *completion);
void cq_arm(struct irdma_device *dev, u32 cqn);

/* ---- qp.c and the data path: qp.h ------------------------------------------------------------- */

void qp_destroy(void *object);
void qp_doorbell(struct irdma_device *dev, u32 qpn);
/* A knob's held operation may go on. */
void data_path_release(struct irdma_device *dev, u64 ticket);

#endif
