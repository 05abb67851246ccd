/* data_sample.c - which rows a verification looks at: all of them, or those whose key falls into the sample.
 * In: the option `verify`.  Out: the same rows on both sides, in every process and every run with this seed, because only the key
 * decides; and words for what was not seen.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_verify.h"

#include <stdio.h>
#include <string.h>

void data_count_text(uint64_t n, struct wbl_out *o)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);

	for (int i = 0; i < len; i++)
		wbl_out_fmt(o, "%s%c", i && (len - i) % 3 == 0 ? "," : "", digits[i]);
}

void data_counts_tell(const struct data_counts *n, struct wbl_out *o)
{
	data_count_text(n->missing, o);
	wbl_out_fmt(o, " missing, ");
	data_count_text(n->extra, o);
	wbl_out_fmt(o, " extra, ");
	data_count_text(n->changed, o);
	wbl_out_fmt(o, " changed");
}

void data_sample_read(struct wbl_call *call, uint64_t total, struct data_sample *ret)
{
	uint64_t rows = (uint64_t)wbl_param_int(call, "verify.rows", 0);
	double part;

	*ret = (struct data_sample){
		.memory = (size_t)wbl_param_int(call, "verify.memory", 32 << 20),
		.seed = (uint64_t)wbl_param_int(call, "verify.seed", 1),
		.percent = (uint64_t)wbl_param_int(call, "verify.percent", 5),
		.rows = rows,
		.on = !strcmp(wbl_param_text(call, "verify.mode").s, "sample"),
	};
	part = rows && total ? (double)rows / (double)total : (double)ret->percent / 100;
	if (part >= 1)
		ret->on = 0;
	else
		ret->below = (uint64_t)(part * 18446744073709551616.0);
}

int data_sample_takes(const struct data_sample *s, uint64_t key_lo, uint64_t key_hi)
{
	uint64_t key[2] = { key_lo, key_hi }, lo, hi;

	if (!s->on)
		return 1;
	wbl_digest_128(key, sizeof key, s->seed, &lo, &hi);
	return hi < s->below;
}

static void tell_chance(double part, unsigned bad, struct wbl_out *o)
{
	double missed = 100;

	while (bad-- > 0)
		missed *= 1 - part;
	if (missed < 0.1)
		wbl_out_fmt(o, "less than 0.1 %%");
	else
		wbl_out_fmt(o, "%.3g %%", missed);
}

void data_sample_tell(const struct data_sample *s, uint64_t seen, uint64_t of, struct wbl_out *o)
{
	double part = (double)s->below / 18446744073709551616.0;

	wbl_out_fmt(o, "a sample by key (seed %llu, %.3g %% wanted); ", (unsigned long long)s->seed,
		part * 100);
	data_count_text(of > seen ? of - seen : 0, o);
	wbl_out_fmt(o, " rows were not looked at; 1 bad row is missed with a chance of ");
	tell_chance(part, 1, o);
	wbl_out_fmt(o, ", 10 with ");
	tell_chance(part, 10, o);
	wbl_out_fmt(o, ", 100 with ");
	tell_chance(part, 100, o);
}

const char *data_sample_risk(struct wbl_call *call, struct wbl_out *o)
{
	struct data_sample s;

	data_sample_read(call, 0, &s);
	wbl_out_reset(o);
	if (!s.on)
		return NULL;
	if (s.rows)
		wbl_out_fmt(o, "only about %llu rows are verified, chosen by their key",
			(unsigned long long)s.rows);
	else
		wbl_out_fmt(o, "only about %llu %% of the rows are verified, chosen by their key",
			(unsigned long long)s.percent);
	if (!s.rows) {
		wbl_out_fmt(o, "; one bad row is missed with a chance of ");
		tell_chance((double)s.percent / 100, 1, o);
	}
	return o->s;
}
