/* data_expr.h - expressions over the columns of a source: SQLite's language, read and checked here, evaluated by SQLite.
 * The text becomes a tree of our own, so nothing reaches SQLite that was not understood; operators that lose something in silence
 * there (numbers that overflow, text that counts as a number, decimals as binary numbers) become functions of ours that refuse.
 * Nothing here knows a handler: only the SDK, SQLite and GMP.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_EXPR_H
#define WBL_DATA_EXPR_H
#include <sqlite3.h>
#include <whimbrel/sdk.h>

enum { EXPR_TEXT_MAX = 16384, EXPR_DEPTH_MAX = 60, EXPR_NODES_MAX = 2000 };

enum data_kind {
	KIND_ANY,
	KIND_NULL,
	KIND_NUMBER,
	KIND_TRUTH,
	KIND_TEXT,
	KIND_BYTES,
	KIND_DECIMAL,
	KIND_TIME, /* instant or local time: ordered as a time, not as text */
};
enum data_node_kind {
	NODE_NUMBER,
	NODE_TEXT,
	NODE_BLOB,
	NODE_NULL,
	NODE_COLUMN,
	NODE_UNARY,
	NODE_BINARY,
	NODE_BETWEEN,
	NODE_IN,
	NODE_LIKE,
	NODE_IS_NULL,
	NODE_CASE, /* [operand] {when then} [else] */
	NODE_CAST,
	NODE_CALL,
};

/* What a function of an expression does with decimals, and what comes out. */
enum data_fn_flag {
	FN_TEXTS = 1,    /* takes the text of a decimal */
	FN_DECIMALS = 2, /* reckons with decimals; 1.50 among its arguments is a decimal, too */
	FN_PASSES = 4,   /* gives one of its arguments */
	FN_NUMBERS = 8,  /* its arguments are plain numbers */
	FN_TIMES = 16,   /* takes and gives times as text */
	FN_JSON = 32,    /* its arguments become JSON */
};
typedef void data_fn_call(sqlite3_context *ctx, int n, sqlite3_value **v);
struct data_fn {
	const char *name;
	int min, max;
	int flags;
	enum data_kind gives;
	data_fn_call *call;  /* NULL: SQLite's own */
	const char *instead; /* for decimals */
	int hidden;          /* stands for an operator: not to be called by name */
	int from;            /* the first argument that is passed on */
};
extern const struct data_fn data_fn_plain[], data_fn_decimal[], data_fn_date[];
const struct data_fn *data_fn_find(const char *name, size_t len);

struct data_node {
	enum data_node_kind kind;
	const char *op; /* operator; of NODE_IN, NODE_LIKE and others as it is written */
	const char *s;  /* its text in the expression, unquoted where it was a name or a string */
	size_t len, at;
	int negated, has_operand, has_else, column;
	const struct data_fn *fn;
	struct data_node *child, *next;
};

struct data_names {
	const char *const *names;
	const int32_t *types; /* WBL_TYPE_ of each */
	size_t n;
	const char *table; /* what source_table() says */
};
struct data_expr_error {
	char text[300], hint[200];
};
struct data_expr {
	char *text;
	struct data_node **nodes; /* all, to be freed */
	size_t nnodes;
	struct data_node *root;
	struct data_names names; /* the caller's, for its whole life */
	int *used;               /* indexes of columns; parameter n+1 of the statement is used[n] */
	uint8_t *plain; /* of each of used: 1 no decimal may come, 2 no text that is none */
	size_t nused;
	int condition; /* a filter: true or not */
	enum data_kind gives;
	char *sql;
};

/* condition: a filter. NULL, and why. */
struct data_expr *data_expr_new(const char *text, const struct data_names *names, int condition,
	struct data_expr_error *err);
void data_expr_free(struct data_expr *x);

struct data_node *data_expr_parse(struct data_expr *x, struct data_expr_error *err);
/* Finds columns and functions, refuses what would lose something, and writes x->sql. 0 or -1. */
int data_expr_check(struct data_expr *x, struct data_expr_error *err);
int data_expr_wrong(struct data_expr_error *err, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The most similar of a list; NULL when none is near. */
const char *data_name_near(const char *name, const char *const *list, size_t n);

/* The result keeps the class it has: what may be a decimal has to say so. 0 or -1. */
int data_expr_untyped(struct data_expr *x, struct data_expr_error *err);

/* One connection for the expressions of a flow: no tables, no files, no functions but ours and those allowed. */
struct data_eval;
struct data_eval *data_eval_new(void);
void data_eval_free(struct data_eval *v);
/* Made ready for rows. NULL and why. */
sqlite3_stmt *data_eval_prepare(
	struct data_eval *v, const struct data_expr *x, struct data_expr_error *err);
/* cells: of the names, in their order (at[n]: place of used[n]); the cell is appended to out. 0, or -1 and why
 * (valid until the next call). */
int data_eval_cell(struct data_eval *v, const struct data_expr *x, sqlite3_stmt *st,
	const struct wbl_cell *cells, const int *at, struct wbl_rows *out, const char **why);
/* 1 true, 0 false or NULL, -1 and why. */
int data_eval_truth(struct data_eval *v, const struct data_expr *x, sqlite3_stmt *st,
	const struct wbl_cell *cells, const int *at, const char **why);

/* For functions: an error text, and values as canonical text. */
void data_fn_refuse(sqlite3_context *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Appends the value as a cell; *ret is valid until the next change of *r. */
void data_fn_cell(sqlite3_value *v, struct wbl_rows *r, struct wbl_cell *ret);
void data_fn_result(sqlite3_context *ctx, const struct wbl_cell *c);
void data_fn_text(sqlite3_context *ctx, const char *s, size_t len);
/* 1: one of them is NULL, and so the result. */
int data_fn_null(sqlite3_context *ctx, int n, sqlite3_value **v);
/* The text of a value, in `o` where it has none of its own; NULL after a refusal (bytes). */
const char *data_fn_as_text(
	sqlite3_context *ctx, sqlite3_value *v, struct wbl_out *o, size_t *ret_len);
#endif
