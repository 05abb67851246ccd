/* module/manifest.c - what a module says of itself: from the note's text to structs, all of it checked.
 * In: libconfig text.  Out: struct wbl_manifest, whose texts live in the JSON form of the manifest.
 * New settings: the tables of keys here, docs/manifest.md; those of parameters: param_schema.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/manifest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/module/conf_json.h"
#include "core/module/note.h"
#include "core/module/param_schema.h"

#define GRAMMAR 1

static const struct wbl_conf_key root_keys[] = {
	{ "manifest", WBL_CONF_INT, true },
	{ "module", WBL_CONF_TEXT, true },
	{ "id", WBL_CONF_TEXT, true },
	{ "version", WBL_CONF_TEXT, true },
	{ "abi", WBL_CONF_GROUP, true },
	{ "license", WBL_CONF_TEXT, false },
	{ "vendor", WBL_CONF_TEXT, false },
	{ "homepage", WBL_CONF_TEXT, false },
	{ "description", WBL_CONF_TEXT, false },
	{ "needs", WBL_CONF_TEXTS, false },
	{ "wants", WBL_CONF_TEXTS, false },
	{ "handlers", WBL_CONF_GROUPS, false },
	{ "stores", WBL_CONF_GROUPS, false },
	{ "routers", WBL_CONF_GROUPS, false },
	{ "transforms", WBL_CONF_GROUPS, false },
	{ NULL, WBL_CONF_ANY, false },
};
static const struct wbl_conf_key abi_keys[] = {
	{ "major", WBL_CONF_INT, true },
	{ "minor", WBL_CONF_INT, false },
	{ NULL, WBL_CONF_ANY, false },
};
static const struct wbl_conf_key provides_keys[] = {
	{ "name", WBL_CONF_TEXT, true },
	{ "family", WBL_CONF_TEXT, false },
	{ "description", WBL_CONF_TEXT, false },
	{ "ops", WBL_CONF_TEXTS, false },
	{ "fault_points", WBL_CONF_TEXTS, false },
	{ "capabilities", WBL_CONF_TEXTS, false },
	{ "upgrades_from", WBL_CONF_TEXTS, false },
	{ "assess", WBL_CONF_TEXTS, false },
	{ "magic", WBL_CONF_TEXTS, false },
	{ "suffixes", WBL_CONF_TEXTS, false },
	{ "params", WBL_CONF_GROUPS, false },
	{ NULL, WBL_CONF_ANY, false },
};
static const struct {
	const char *key, *interface, *discriminator;
} lists[] = {
	{ "handlers", "wbl.handler/1", NULL },
	{ "stores", "wbl.store/1", "store" },
	{ "routers", "wbl.router/1", "router" },
	{ "transforms", "wbl.transform/1", "transform" },
};

/* The manifest as the outside sees it, and what keeps it alive. */
struct owned {
	struct wbl_manifest m;
	struct wbl_conf *conf;
	struct wbl_schema schema;
};

static bool is_id(const char *s)
{
	bool dot = false;

	if (!islower((unsigned char)*s))
		return false;
	for (; *s; s++) {
		if (*s == '.' && (s[1] == '.' || !s[1] || s[1] == '-'))
			return false;
		dot = dot || *s == '.';
		if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) &&
			!strchr("._-", *s))
			return false;
	}
	return dot;
}

static bool is_version(const char *s)
{
	if (!isdigit((unsigned char)*s) || strlen(s) > 64)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(".+~-", *s))
			return false;
	return true;
}

/* "wbl.plan/1" */
static bool is_service(const char *s)
{
	size_t n = strcspn(s, "/");
	size_t digits = s[n] ? strspn(s + n + 1, "0123456789") : 0;

	return islower((unsigned char)*s) &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.") == n && digits && digits < 6 &&
	       !s[n + 1 + digits];
}

static int32_t check_services(
	struct owned *o, const char *key, const char *const *ids, struct wbl_error *err)
{
	size_t i;

	for (i = 0; ids[i]; i++) {
		WBL_AUTOFREE char *path = wbl_strf("%s[%zu]", key, i);

		if (!is_service(ids[i]))
			return wbl_conf_fail(o->conf, path,
				"Write a service and its revision: \"wbl.plan/1\".", err,
				"\"%s\" is not the id of a service", ids[i]);
	}
	return 0;
}

static int32_t check_root(struct owned *o, const json_t *j, struct wbl_error *err)
{
	const struct wbl_manifest *m = &o->m;
	int64_t grammar = wbl_json_int(j, "manifest", 0);
	int32_t rc;

	if (grammar != GRAMMAR)
		return wbl_conf_fail(o->conf, "manifest",
			"Use a newer Whimbrel, or write manifest = 1;", err,
			"grammar %lld is not known; this engine reads grammar %d",
			(long long)grammar, GRAMMAR);
	if (!wbl_name_valid(m->module))
		return wbl_conf_fail(o->conf, "module",
			"Use a small letter, then up to 31 of a-z, 0-9 and _.", err,
			"\"%s\" is not the name of a module", m->module);
	if (!is_id(m->id))
		return wbl_conf_fail(o->conf, "id",
			"Turn a domain of yours around: \"org.example.copy\".", err,
			"\"%s\" is not a reverse domain name", m->id);
	if (!is_version(m->version))
		return wbl_conf_fail(o->conf, "version", "Write a version such as \"1.2.0\".", err,
			"\"%s\" is not a version", m->version);
	if (m->abi_major < 1)
		return wbl_conf_fail(o->conf, "abi.major", "Write abi = { major = 1; minor = 0; };",
			err, "the ABI's major version cannot be %lld", (long long)m->abi_major);
	if (m->abi_minor < 0)
		return wbl_conf_fail(o->conf, "abi.minor", "Write abi = { major = 1; minor = 0; };",
			err, "the ABI's minor version cannot be %lld", (long long)m->abi_minor);
	rc = check_services(o, "needs", m->needs, err);
	return rc ? rc : check_services(o, "wants", m->wants, err);
}

static int32_t read_root(struct owned *o, struct wbl_error *err)
{
	const json_t *j = o->conf->json, *abi;
	struct wbl_manifest *m = &o->m;
	int32_t rc = wbl_conf_check(o->conf, j, "", root_keys, err);

	abi = json_object_get(j, "abi");
	if (!rc)
		rc = wbl_conf_check(o->conf, abi, "abi", abi_keys, err);
	if (rc)
		return rc;
	m->module = wbl_json_str(j, "module");
	m->id = wbl_json_str(j, "id");
	m->version = wbl_json_str(j, "version");
	m->license = wbl_json_str(j, "license");
	m->vendor = wbl_json_str(j, "vendor");
	m->homepage = wbl_json_str(j, "homepage");
	m->description = wbl_json_str(j, "description");
	m->abi_major = wbl_json_int(abi, "major", 0);
	m->abi_minor = wbl_json_int(abi, "minor", 0);
	m->needs = wbl_schema_texts(&o->schema, json_object_get(j, "needs"));
	m->wants = wbl_schema_texts(&o->schema, json_object_get(j, "wants"));
	return check_root(o, j, err);
}

static int32_t check_name(
	struct owned *o, const struct wbl_provides *p, const char *path, struct wbl_error *err)
{
	WBL_AUTOFREE char *inner = wbl_strf("%s.name", path);
	size_t i;

	if (!wbl_name_valid(p->name))
		return wbl_conf_fail(o->conf, inner,
			"Use a small letter, then up to 31 of a-z, 0-9 and _.", err,
			"\"%s\" is not a valid name", p->name);
	for (i = 0; i < o->m.nprovides; i++)
		if (!strcmp(o->m.provides[i].interface, p->interface) &&
			!strcmp(o->m.provides[i].name, p->name))
			return wbl_conf_fail(o->conf, inner, "Give each its own name.", err,
				"\"%s\" is provided twice", p->name);
	return 0;
}

static int32_t read_one(
	struct owned *o, size_t list, const json_t *j, const char *path, struct wbl_error *err)
{
	struct wbl_provides p = { .interface = lists[list].interface };
	int32_t rc = wbl_conf_check(o->conf, j, path, provides_keys, err);
	WBL_AUTOFREE char *params = wbl_strf("%s.params", path);

	if (rc)
		return rc;
	p.name = wbl_json_str(j, "name");
	p.family = wbl_json_str(j, "family");
	if (!p.family && list == 0)
		p.family = "custom";
	p.description = wbl_json_str(j, "description");
	p.ops = wbl_schema_texts(&o->schema, json_object_get(j, "ops"));
	p.fault_points = wbl_schema_texts(&o->schema, json_object_get(j, "fault_points"));
	p.capabilities = wbl_schema_texts(&o->schema, json_object_get(j, "capabilities"));
	p.upgrades_from = wbl_schema_texts(&o->schema, json_object_get(j, "upgrades_from"));
	p.assess = wbl_schema_texts(&o->schema, json_object_get(j, "assess"));
	p.magic = wbl_schema_texts(&o->schema, json_object_get(j, "magic"));
	p.suffixes = wbl_schema_texts(&o->schema, json_object_get(j, "suffixes"));
	rc = check_name(o, &p, path, err);
	if (!rc)
		rc = wbl_schema_params(&o->schema, json_object_get(j, "params"), params,
			lists[list].discriminator, &p.params, &p.nparams, err);
	if (rc)
		return rc;
	o->m.provides = wbl_grow(o->m.provides, o->m.nprovides, sizeof p);
	o->m.provides[o->m.nprovides++] = p;
	return 0;
}

static int32_t read_provides(struct owned *o, struct wbl_error *err)
{
	size_t list, i;
	json_t *j;

	for (list = 0; list < WBL_COUNT(lists); list++)
		json_array_foreach(json_object_get(o->conf->json, lists[list].key), i, j)
		{
			WBL_AUTOFREE char *path = wbl_strf("%s[%zu]", lists[list].key, i);
			int32_t rc = read_one(o, list, j, path, err);

			if (rc)
				return rc;
		}
	if (!o->m.nprovides)
		return wbl_conf_fail(o->conf, "", "Add handlers, stores, routers or transforms.",
			err, "the module provides nothing");
	return 0;
}

static int32_t parse(const char *text, size_t len, const char *where, unsigned flags,
	struct wbl_manifest **ret, struct wbl_error *err)
{
	struct owned *o = wbl_alloc(sizeof *o);
	int32_t rc = wbl_conf_parse(text, len, where, flags, &o->conf, err);

	o->schema.conf = o->conf;
	if (!rc)
		rc = read_root(o, err);
	if (!rc)
		rc = read_provides(o, err);
	if (rc) {
		wbl_manifest_free(&o->m);
		return rc;
	}
	o->m.text = wbl_strndup(text, len);
	*ret = &o->m;
	return 0;
}

int32_t wbl_manifest_parse(const char *text, size_t len, const char *where,
	struct wbl_manifest **ret, struct wbl_error *err)
{
	int32_t rc = parse(text, len, where, WBL_CONF_NO_PLACES, ret, err);

	/* Places cost more than all the rest, and only a wrong manifest needs them. */
	return rc ? parse(text, len, where, 0, ret, err) : 0;
}

int32_t wbl_manifest_read(
	int fd, const char *where, struct wbl_manifest **ret, struct wbl_error *err)
{
	WBL_AUTOFREE char *inside = wbl_strf("%s(manifest)", where);
	struct wbl_buf text = { 0 };
	int32_t rc = wbl_note_read(fd, where, &text, err);

	if (!rc)
		rc = wbl_manifest_parse(text.data, text.len, inside, ret, err);
	wbl_buf_clear(&text);
	return rc;
}

void wbl_manifest_free(struct wbl_manifest *m)
{
	struct owned *o = (struct owned *)m; /* its first member */

	if (!m)
		return;
	wbl_schema_clear(&o->schema);
	wbl_conf_free(o->conf);
	free(m->provides);
	free(m->text);
	free(o);
}

static json_t *texts_json(const char *const *texts)
{
	json_t *j = json_array();

	for (; *texts; texts++)
		json_array_append_new(j, json_string(*texts));
	return j;
}

static json_t *provides_json(const struct wbl_provides *p)
{
	json_t *j = json_object();

	wbl_json_put(j, "interface", p->interface);
	wbl_json_put(j, "name", p->name);
	wbl_json_put(j, "family", p->family);
	wbl_json_put(j, "description", p->description);
	json_object_set_new(j, "ops", texts_json(p->ops));
	json_object_set_new(j, "fault_points", texts_json(p->fault_points));
	json_object_set_new(j, "capabilities", texts_json(p->capabilities));
	json_object_set_new(j, "upgrades_from", texts_json(p->upgrades_from));
	json_object_set_new(j, "assess", texts_json(p->assess));
	json_object_set_new(j, "magic", texts_json(p->magic));
	json_object_set_new(j, "suffixes", texts_json(p->suffixes));
	json_object_set_new(j, "params", wbl_schema_json(p->params, p->nparams));
	return j;
}

json_t *wbl_manifest_json(const struct wbl_manifest *m)
{
	json_t *j = json_object(), *provides = json_array();
	size_t i;

	wbl_json_put(j, "module", m->module);
	wbl_json_put(j, "id", m->id);
	wbl_json_put(j, "version", m->version);
	wbl_json_put(j, "license", m->license);
	wbl_json_put(j, "vendor", m->vendor);
	wbl_json_put(j, "homepage", m->homepage);
	wbl_json_put(j, "description", m->description);
	json_object_set_new(j, "abi",
		json_pack("{s:I, s:I}", "major", (json_int_t)m->abi_major, "minor",
			(json_int_t)m->abi_minor));
	json_object_set_new(j, "needs", texts_json(m->needs));
	json_object_set_new(j, "wants", texts_json(m->wants));
	for (i = 0; i < m->nprovides; i++)
		json_array_append_new(provides, provides_json(&m->provides[i]));
	json_object_set_new(j, "provides", provides);
	return j;
}
