/* Folders that appear whole or not at all, and what a killed writer left behind.
 *
 * A temporary folder is called NAME.tmp-PID-TRY and stands beside NAME; file_write's temporary files are .NAME.PID-TRY.tmp. */
#ifndef GRADTOOL_BASE_FOLDER_H
#define GRADTOOL_BASE_FOLDER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

/* The names in a folder, sorted, without "." and ".."; *count is 0 when it cannot be read. */
const char *const *folder_list(Arena *arena, const char *path, int *count);

/* An empty folder, to be filled with file_write and to become `path`. NULL with an error. */
const char *folder_begin(Arena *arena, const char *path, Error *err);
/* The filled folder becomes `path`, in place of one that stands there, and stays so when the power fails. On failure it is
 * removed, and `path` is as it was (or gone, where there was one and this is the moment in which it was taken away). */
bool folder_commit(const char *temporary, const char *path, Error *err);

/* Removes temporary files and folders in `path`: those of `name`, or of all names where it is NULL. The caller must know that
 * nobody is writing them. Best effort. */
void folder_remove_leftovers(Arena *scratch, const char *path, const char *name);

#endif
