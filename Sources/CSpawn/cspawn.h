#pragma once
#include <spawn.h>

// glibc 2.29 and 2.34 have these, but only for _GNU_SOURCE, without which Swift reads glibc's headers.
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
