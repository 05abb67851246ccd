/* host/crash.h - a crash of a handler tells where it happened before the process dies of it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_CRASH_H
#define WBL_CORE_HOST_CRASH_H

/* For SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, on a stack of its own: an overflowing stack can still report. */
void wbl_crash_install(void);
/* What runs now. Both texts stay the caller's and must outlive the call. */
void wbl_crash_note(const char *call, const char *handler);
#endif
