/* Which files at a path are logs, and of which run. */
#ifndef GRADTOOL_DIAGNOSE_FOREIGN_FIND_H
#define GRADTOOL_DIAGNOSE_FOREIGN_FIND_H

#include "diagnose/foreign_log.h"

extern const ForeignReader *const foreign_reader_table[];
extern const int foreign_reader_count;

/* The files of one run, in the order they are read. */
typedef struct ForeignSource {
    const char *path;            /* of the run, as a user would name it */
    const ForeignReader *reader; /* NULL: a run folder of our own */
    const char **file;
    const char **key; /* of each file: what PyTorch's add_scalars has put apart; NULL: nothing */
    int files, capacity;
} ForeignSource;

typedef struct ForeignSources {
    ForeignSource **at;
    int count, capacity;
} ForeignSources;

/* The reader of a file, by its name and first bytes; NULL when none knows it. */
const ForeignReader *foreign_reader_of(const char *path);
/* All runs at `path`, sorted by name. `format`: only those of this reader; NULL: all. False with an error when there is none.
 */
bool foreign_find(Arena *arena, const char *path, const char *format, ForeignSources *sources, Error *err);

#endif
