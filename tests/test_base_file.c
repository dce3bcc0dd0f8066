#include "support_test.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"

static char folder[] = "/tmp/gradtool-test-XXXXXX";

static int make_folder(void **state)
{
    *state = arena_new(NULL);
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    file_remove_folder(folder);
    arena_free(*state);
    return 0;
}

static const char *in_folder(Arena *arena, const char *name)
{
    return path_join(arena, folder, name);
}

static int entries(const char *path)
{
    DIR *open = opendir(path);
    assert_non_null(open);
    int count = 0;
    while (readdir(open))
        count++;
    closedir(open);
    return count - 2;
}

static void assert_reads(Arena *arena, const char *path, const char *text)
{
    Bytes bytes;
    assert_true(file_read(arena, path, &bytes, error_new(arena)));
    assert_int_equal(bytes.count, strlen(text));
    assert_string_equal((const char *)bytes.at, text);
}

static void what_is_written_is_read_and_nothing_else_is_left(void **state)
{
    const char *path = in_folder(*state, "one/two/a.txt");
    Error *err = error_new(*state);
    assert_true(file_make_folder(in_folder(*state, "one/two/"), err));
    assert_true(file_make_folder(in_folder(*state, "one/two"), err));
    assert_true(file_write(path, "first", 5, err));
    assert_true(file_write(path, "", 0, err));
    assert_reads(*state, path, "");
    assert_true(file_write(path, "second", 6, err));
    assert_reads(*state, path, "second");
    assert_int_equal(entries(in_folder(*state, "one/two")), 1);
    assert_true(file_exists(path) && !file_is_folder(path) && file_is_folder(in_folder(*state, "one")));
    assert_int_equal(error_count(err), 0);
}

static void a_link_is_written_through_and_keeps_being_one(void **state)
{
    const char *target = in_folder(*state, "target"), *link = in_folder(*state, "link");
    Error *err = error_new(*state);
    assert_true(file_write(target, "old", 3, err));
    assert_int_equal(symlink("target", link), 0);
    assert_true(file_write(link, "new", 3, err));
    struct stat status;
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_reads(*state, target, "new");
}

static void a_device_is_written_to_and_not_replaced(void **state)
{
    Error *err = error_new(*state);
    assert_true(file_write("/dev/null", "text", 4, err));
    struct stat status;
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
    Bytes bytes;
    assert_true(file_read(*state, "/dev/null", &bytes, err));
    assert_int_equal(bytes.count, 0);
}

static void a_file_of_unknown_size_is_read_to_its_end(void **state)
{
    Bytes bytes;
    assert_true(file_read(*state, "/proc/self/status", &bytes, error_new(*state)));
    assert_true(bytes.count > 100);
    assert_int_equal(bytes.at[bytes.count], 0);
}

static void a_failure_says_why_in_plain_words(void **state)
{
    Error *err = error_new(*state);
    Bytes bytes;
    assert_false(file_read(*state, "configs/x.json", &bytes, err));
    assert_false(file_read(*state, "/tmp", &bytes, err));
    assert_false(file_write("/tmp/gradtool-no-such-folder/x", "", 0, err));
    assert_false(file_write("/tmp", "", 0, err));
    assert_false(file_read(*state, "/dev/null/x", &bytes, err));
    const char *file = in_folder(*state, "plain");
    assert_true(file_write(file, "", 0, err));
    assert_false(file_make_folder(file, err));
    assert_false(file_write("/dev/full", "x", 1, err));
    assert_string_equal(error_message(err, 0), "cannot read configs/x.json: no such file");
    assert_string_equal(error_message(err, 1), "cannot read /tmp: it is a folder");
    assert_string_equal(error_message(err, 2), "cannot write /tmp/gradtool-no-such-folder/x: no such folder");
    assert_string_equal(error_message(err, 3), "cannot write /tmp: it is a folder");
    assert_string_equal(error_message(err, 4), "cannot read /dev/null/x: a part of its path is not a folder");
    assert_non_null(strstr(error_message(err, 5), "a file of that name is in the way"));
    assert_string_equal(error_message(err, 6), "cannot write /dev/full: no space left on the disk");
}

static const char *write_gzip(Arena *arena, const char *name, const void *bytes, size_t count, const char *mode)
{
    const char *path = in_folder(arena, name);
    gzFile file = gzopen(path, mode);
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)count), (int)count);
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

static void gzip_is_unpacked_by_content_whatever_the_name(void **state)
{
    Arena *arena = *state;
    size_t count = 1 << 20;
    unsigned char *pixels = arena_try(arena, count);
    for (size_t i = 0; i < count; i++)
        pixels[i] = (unsigned char)(i * i >> 7);
    const char *path = write_gzip(arena, "packed", pixels, count, "wb");
    Error *err = error_new(arena);
    Bytes bytes;
    assert_true(file_read_gzip(arena, path, count, &bytes, err));
    assert_int_equal(bytes.count, count);
    assert_memory_equal(bytes.at, pixels, count);
    assert_false(file_read_gzip(arena, path, count - 1, &bytes, err));
    assert_non_null(strstr(error_message(err, 0), "it unpacks to more than 1048575 bytes"));
    write_gzip(arena, "packed", "tail", 4, "ab");
    assert_true(file_read_gzip(arena, path, SIZE_MAX / 4, &bytes, err));
    assert_int_equal(bytes.count, count + 4);
    assert_string_equal((const char *)bytes.at + count, "tail");
    const char *plain = in_folder(arena, "plain.gz");
    assert_true(file_write(plain, "plain", 5, err));
    assert_true(file_read_gzip(arena, plain, 100, &bytes, err));
    assert_string_equal((const char *)bytes.at, "plain");
    assert_true(file_read_gzip(arena, write_gzip(arena, "empty.gz", "", 0, "wb"), 0, &bytes, err));
    assert_int_equal(bytes.count, 0);
}

static void damaged_gzip_is_an_error(void **state)
{
    Arena *arena = *state;
    unsigned char text[5000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(i * i >> 3);
    Bytes packed, bytes;
    Error *err = error_new(arena);
    assert_true(file_read(arena, write_gzip(arena, "whole.gz", text, sizeof text, "wb"), &packed, err));
    const char *path = in_folder(arena, "damaged.gz");
    for (size_t count = 2; count < packed.count; count += 7) {
        err = error_new(arena);
        assert_true(file_write(path, packed.at, count, err));
        assert_false(file_read_gzip(arena, path, 1 << 20, &bytes, err));
        assert_non_null(strstr(error_message(err, 0), "the gzip data is cut off"));
    }
    unsigned char *broken = arena_grow(arena, packed.at, packed.count, packed.count);
    broken[packed.count - 6] ^= 1; /* the checksum */
    assert_true(file_write(path, broken, packed.count, err));
    err = error_new(arena);
    assert_false(file_read_gzip(arena, path, 1 << 20, &bytes, err));
    assert_non_null(strstr(error_message(err, 0), "damaged gzip data"));
}

static void paths_are_taken_apart_and_joined(void **state)
{
    assert_string_equal(path_folder(*state, "a/b/c.json"), "a/b");
    assert_string_equal(path_folder(*state, "c.json"), ".");
    assert_string_equal(path_folder(*state, "/c"), "/");
    assert_string_equal(path_folder(*state, "runs/a/"), "runs");
    assert_string_equal(path_name("a/b/c.json"), "c.json");
    assert_string_equal(path_name("c.json"), "c.json");
    assert_string_equal(path_join(*state, "a", "b"), "a/b");
    assert_string_equal(path_join(*state, "a/", "b"), "a/b");
    assert_string_equal(path_join(*state, ".", "b"), "b");
    assert_string_equal(path_join(*state, "a", "/b"), "/b");
    assert_string_equal(path_absolute(*state, "/a/./b//../c/"), "/a/c");
    assert_string_equal(path_absolute(*state, "/.."), "/");
    assert_string_equal(path_absolute(*state, "/.hidden/..x"), "/.hidden/..x");
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_string_equal(path_absolute(*state, "x/y"), path_join(*state, here, "x/y"));
}

static void a_path_over_a_link_keeps_its_dots(void **state)
{
    Error *err = error_new(*state);
    assert_true(file_make_folder(in_folder(*state, "deep/inner"), err));
    assert_true(file_write(in_folder(*state, "deep/file"), "", 0, err));
    assert_int_equal(symlink("deep/inner", in_folder(*state, "short")), 0);
    const char *path = in_folder(*state, "short/../file");
    assert_string_equal(path_absolute(*state, path), path);
}

static void a_folder_is_removed_with_all_in_it_but_not_what_links_point_to(void **state)
{
    Error *err = error_new(*state);
    const char *kept = in_folder(*state, "kept"), *gone = in_folder(*state, "gone");
    assert_true(file_make_folder(in_folder(*state, "gone/a/b"), err));
    assert_true(file_make_folder(kept, err));
    assert_true(file_write(in_folder(*state, "kept/file"), "", 0, err));
    assert_true(file_write(in_folder(*state, "gone/a/file"), "", 0, err));
    assert_int_equal(symlink(kept, in_folder(*state, "gone/link")), 0);
    file_remove_folder(gone);
    assert_false(file_exists(gone));
    assert_true(file_exists(in_folder(*state, "kept/file")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_and_nothing_else_is_left),
        cmocka_unit_test(a_link_is_written_through_and_keeps_being_one),
        cmocka_unit_test(a_device_is_written_to_and_not_replaced),
        cmocka_unit_test(a_file_of_unknown_size_is_read_to_its_end),
        cmocka_unit_test(a_failure_says_why_in_plain_words),
        cmocka_unit_test(gzip_is_unpacked_by_content_whatever_the_name),
        cmocka_unit_test(damaged_gzip_is_an_error),
        cmocka_unit_test(paths_are_taken_apart_and_joined),
        cmocka_unit_test(a_path_over_a_link_keeps_its_dots),
        cmocka_unit_test(a_folder_is_removed_with_all_in_it_but_not_what_links_point_to),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
