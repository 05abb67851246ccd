/* engine/migrate.c - the flow on one page.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
