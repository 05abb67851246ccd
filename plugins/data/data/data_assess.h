/* data_assess.h - what is learnt of one column while a table is read once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_ASSESS_H
#define WBL_DATA_ASSESS_H
#include "data_impl.h"

/* What a value is: the tags of cells, and what texts look like. */
#define ASSESS_CLASSES                                                                             \
	X(NULL_, "null")                                                                           \
	X(INT, "int")                                                                              \
	X(DECIMAL, "decimal")                                                                      \
	X(REAL, "real")                                                                            \
	X(TEXT, "text")                                                                            \
	X(RAW, "text that is not UTF-8")                                                           \
	X(BYTES, "bytes")                                                                          \
	X(TIME, "time")                                                                            \
	X(DATE, "date")                                                                            \
	X(UUID, "uuid")                                                                            \
	X(JSON, "json")
enum assess_class {
#define X(symbol, name) ASSESS_##symbol,
	ASSESS_CLASSES
#undef X
		ASSESS_COUNT
};
/* Texts that could be something else. Each text is counted once, under the first that fits. */
#define ASSESS_LOOKS                                                                               \
	X(EMPTY, "empty text", NULL)                                                               \
	X(NOTHING, "a word for nothing (NULL, N/A, -)", NULL)                                      \
	X(INT, "whole numbers", "int")                                                             \
	X(CODE, "digits with zeros in front", NULL)                                                \
	X(DECIMAL, "decimal numbers", "decimal")                                                   \
	X(COMMA, "numbers with a decimal comma", NULL)                                             \
	X(ISO_DATE, "dates as 2026-11-21", "date")                                                 \
	X(ISO_TIME, "times as 2026-11-21T13:14:15Z", "instant")                                    \
	X(ISO_LOCAL, "times without a zone", "local")                                              \
	X(DOT_DATE, "dates as 21.11.2026", NULL)                                                   \
	X(SLASH_DATE, "dates as 11/21/2026 or 21/11/2026", NULL)                                   \
	X(UUID, "UUIDs", "uuid")                                                                   \
	X(JSON, "JSON", "json")                                                                    \
	X(WORDS, "other texts", NULL)
enum assess_look {
#define X(symbol, name, type) LOOKS_##symbol,
	ASSESS_LOOKS
#undef X
		LOOKS_COUNT
};
extern const char *const assess_class_names[], *const assess_look_names[],
						       *const assess_look_types[];

enum { ASSESS_REGISTERS = 1 << 12, ASSESS_EXACT = 512, ASSESS_KEPT = 64, ASSESS_EXAMPLES = 3 };

struct assess_value { /* for people; cut */
	char text[ASSESS_KEPT + 8];
};
/* The digests of all values, as long as there is room for them. */
struct assess_seen {
	uint64_t *slots;
	size_t cap, used;
	int given_up;
};
struct assess_column {
	const char *name;
	uint64_t rows, classes[ASSESS_COUNT], looks[LOOKS_COUNT];
	uint64_t blanks, beyond_binary, not_ascii, longest;
	struct assess_seen seen;
	uint64_t again; /* values that were there before, while all are remembered */
	uint8_t *registers;
	struct wbl_rows least, greatest; /* one cell each; len 0: none */
	struct assess_value raw, twice, blank, odd[LOOKS_COUNT];
};

void assess_column_init(struct assess_column *c, const char *name);
void assess_column_clear(struct assess_column *c);
/* room: how many digests may be kept in all beyond the first few; is taken from. */
void assess_column_add(struct assess_column *c, const struct wbl_cell *cell, size_t *room);
/* How many different values there are; *ret_exact: counted, else estimated to about 2 %. */
uint64_t assess_column_distinct(const struct assess_column *c, int *ret_exact);
/* All values that are there and are no empty text have this look; -1: they differ, or are no texts. */
int assess_column_look(const struct assess_column *c);
void assess_seen_clear(struct assess_seen *s);
/* 1: it was there before; 0: it is new, or no longer known. */
int assess_seen_add(struct assess_seen *s, uint64_t digest, size_t *room);
void assess_show(const struct wbl_cell *cell, struct assess_value *ret);

int32_t data_assess(void *self, struct wbl_call *call, const struct wbl_work *work);
#endif
