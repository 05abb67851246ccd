/* tests/unit/module/note_module.c - a shared object that is never loaded: the linker places its note.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#define TEXT                                                                                       \
	"manifest = 1; module = \"note_module\"; id = \"org.example.note_module\"; version = "     \
	"\"1.0\";\n"                                                                               \
	"abi = { major = 1; minor = 0; }; handlers = ( { name = \"note_module\"; } );\n"

static const struct {
	uint32_t namesz, descsz, type;
	char name[12], text[(sizeof TEXT + 3) / 4 * 4];
} note __attribute__((section(".note.whimbrel"), used, aligned(4))) = { 9, sizeof note.text, 1,
	"Whimbrel", TEXT };

int note_module(void);

int note_module(void)
{
	return (int)note.type;
}
