/* fuzz: a manifest as text, as a good manifest with pieces replaced, and as a shared object with bytes replaced.
 * The first byte chooses. An edit is: position (2 bytes), bytes removed, bytes put in, those bytes.
 * req: H5 Q4
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/module/manifest.h"
#include "tests/unit/module/elf_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the strings that it has just read when a syntax error follows. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static const char sample[] =
	"manifest = 1; # one\nmodule = \"m\"; id = \"org.example.m\"; version = \"0.1.0\";\n"
	"abi = { major = 1; minor = 0; }; /* two */ needs = ( \"wbl.plan/1\" ); wants = [ "
	"\"wbl.fault/1\" ];\n"
	"handlers = ( { name = \"h\"; family = \"data\"; ops = ( \"put\" ); params = (\n"
	"{ name = \"a\"; type = \"path\"; required = true; example = 5; },\n"
	"{ name = \"b\"; type = \"enum\"; values = ( \"x\", \"y\" ); default = \"x\"; },\n"
	"{ name = \"c\"; type = \"size\"; default = \"64M\"; min = \"1K\"; max = 5000000000L; },\n"
	"{ name = \"d\"; type = \"duration\"; default = 90; min = \"1s\"; },\n"
	"{ name = \"e\"; type = \"string\"; pattern = \"^[a-z]{1,9}$\"; default = \"abc\"; max = "
	"5; },\n"
	"{ name = \"f\"; type = \"list\"; items = { type = \"group\"; params = ( { name = \"g\"; "
	"type = \"float\"; default = 1.5; } ); }; "
	"default = ( { g = 2; } ); },\n"
	"{ name = \"h\"; type = \"map\"; items = { type = \"url\"; }; default = { k = \"http://x\" "
	"\"/y\"; }; },\n"
	"{ name = \"i\"; type = \"peer\"; interface = \"wbl.store/1\"; }, { name = \"j\"; type = "
	"\"secret\"; } ); } );\n"
	"stores = ( { name = \"s\"; capabilities = ( \"write\" ); } ); transforms = ( { name = "
	"\"t\"; } );\n";

static void parse(const char *text, size_t len)
{
	struct wbl_manifest *m;
	struct wbl_error err;

	if (wbl_manifest_parse(text, len, "fuzz", &m, &err)) {
		if (!err.text[0])
			abort();
		return;
	}
	json_decref(wbl_manifest_json(m));
	wbl_manifest_free(m);
}

static void parse_edited(const uint8_t *p, size_t size)
{
	struct wbl_buf b = { 0 };

	wbl_buf_add(&b, sample, sizeof sample - 1);
	while (size >= 4) {
		size_t at = (size_t)(p[0] | p[1] << 8) % (b.len + 1), out = p[2] % 64,
		       in = p[3] % 64;
		struct wbl_buf next = { 0 };

		p += 4;
		size -= 4;
		in = in > size ? size : in;
		out = out > b.len - at ? b.len - at : out;
		wbl_buf_add(&next, b.data, at);
		wbl_buf_add(&next, p, in);
		wbl_buf_add(&next, b.data + at + out, b.len - at - out);
		wbl_buf_clear(&b);
		b = next;
		p += in;
		size -= in;
	}
	parse(b.data, b.len);
	wbl_buf_clear(&b);
}

static void read_object(const uint8_t *p, size_t size, unsigned how)
{
	struct wbl_manifest *m;
	struct wbl_error err;
	size_t len;
	unsigned char *so = elf_write(sample, how, &len);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	for (; size >= 3; p += 3, size -= 3) /* headers stand in the first and the last bytes */
		so[p[1] & 1 ? len - 1 - p[0] : p[0]] = p[2];
	if (size)
		len -= p[0] % len;
	if (fd >= 0 && !wbl_write_all(fd, so, len) && !wbl_manifest_read(fd, "fuzz.so", &m, &err))
		wbl_manifest_free(m);
	close(fd);
	free(so);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] % 4 == 0)
		parse((const char *)data + 1, size - 1);
	else if (data[0] % 4 == 1)
		read_object(data + 1, size - 1, data[0] & 4 ? ELF_BY_SECTIONS : 0);
	else
		parse_edited(data + 1, size - 1);
	return 0;
}
