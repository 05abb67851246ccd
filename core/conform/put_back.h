/* conform/put_back.h - makes one folder equal to another, and leaves alone what is equal already.
 * A file that did not change keeps its inode: handlers may know a source by it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_PUT_BACK_H
#define WBL_CORE_CONFORM_PUT_BACK_H
#include <stdbool.h>

/* False: something in there cannot be put back like this (hard links, pipes, an error); `to` is in between. Sockets in
 * `from` are left out. */
bool wbl_put_back(const char *from, const char *to);
#endif
