#pragma once
#include <stdint.h>

// The linker gives this symbol its address (Makefile, `--defsym`): 7 digits of the commit in the low 28 bits, then a bit for
// "there is a commit" and one for "files were changed since". A definition in the source would compile everything
// anew at each commit. Weak, so that a build without it links; its address is 0 then.
extern const char ironforge_commit __attribute__((weak));

static inline uint64_t if_commit(void) { return (uint64_t)(uintptr_t)&ironforge_commit; }
