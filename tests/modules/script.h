/* script.h - what the handler "script" is made of: a call under way, and the words that its scripts may use.
 * Words are separated by spaces, commands by ";". In a word %p is the pass, %a the attempt, %e the epoch, %c the chunk,
 * %k the key. A file "x" lies in the world (parameter `dir`), "@x" in the control folder (parameter `ctl`).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SCRIPT_H
#define SCRIPT_H
#include <whimbrel/sdk.h>

#define SCRIPT_DONE 100 /* a command's word that the call is over, well */

struct script_job {
	struct wbl_call *call;
	const struct wbl_work *work;
	const struct wbl_run_service *run;
	int32_t probe; /* what `state` said */
};

/* WBL_OK and the script's text run to its end, or the first status other than WBL_OK. */
int32_t script_play(struct script_job *j, const char *text);
void script_path(struct script_job *j, const char *name, char out[4096]);

/* script_words.c: SCRIPT_DONE, WBL_OK to go on, or the call's status; -100 when there is no such word. */
int32_t script_word(struct script_job *j, char **w, int n);
/* script_flow.c: those about chunks, background steps, questions, values. */
int32_t script_flow_word(struct script_job *j, char **w, int n);
#endif
