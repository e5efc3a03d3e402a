/* A file layer between a program and its files under $DISK_FOLDER, loaded by LD_PRELOAD.
 *
 * It writes down, in order, what the program changes and what it forces to the disk ($DISK_LOG, read by disk.py), so that
 * the folder can be made as a loss of power at any moment would leave it; and it refuses writes with ENOSPC while the file
 * $DISK_FULL exists. Records are `kind: u8, inode: u64, number: u64, length: u32` (LE) and `length` bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 'c', WRITE = 'w', TRUNCATE = 't', SYNC_BEGUN = 's', SYNC_DONE = 'S', RENAME = 'r', UNLINK = 'u', FOLDER = 'm' };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *full;
static size_t folder_length;
static int log_fd = -1;
static uint64_t syncs;

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("DISK_LOG");
    folder = getenv("DISK_FOLDER");
    full = getenv("DISK_FULL");
    folder_length = folder ? strlen(folder) : 0;
    if (folder && log) log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

#define REAL(name) ({ static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })

static void note(char kind, uint64_t inode, uint64_t number, const void *bytes, uint32_t length) {
    char head[21];
    if (log_fd < 0) return;
    head[0] = kind;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &number, 8);
    memcpy(head + 17, &length, 4);
    struct iovec parts[] = {{head, sizeof head}, {(void *)bytes, length}};
    if (syscall(SYS_writev, log_fd, parts, 2) != (long)(sizeof head + length)) abort();
}

static int ours(const char *path) {
    return folder && strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || !path[folder_length]);
}

/* The absolute path of `name` in the folder `at`. */
static int resolve(int at, const char *name, char *path) {
    char base[PATH_MAX], link[64];
    if (name[0] == '/') return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
    if (at == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return 0;
        base[length] = 0;
    }
    return snprintf(path, PATH_MAX, "%s/%s", base, name) < PATH_MAX;
}

/* The inode behind a descriptor, when it is a file or folder of ours. */
static int ours_fd(int fd, struct stat *status) {
    char path[PATH_MAX], link[64];
    int before = errno, found = 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = folder ? readlink(link, path, sizeof path - 1) : -1;
    if (length > 0) {
        path[length] = 0;
        found = ours(path) && fstat(fd, status) == 0 && (S_ISREG(status->st_mode) || S_ISDIR(status->st_mode));
    }
    errno = before;
    return found;
}

static int no_room(void) { return full && syscall(SYS_faccessat, AT_FDCWD, full, F_OK) == 0; }

static int open_file(int at, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    struct stat status;
    int here = (flags & (O_CREAT | O_TRUNC)) && resolve(at, name, path) && ours(path);
    if (!here) return syscall(SYS_openat, at, name, flags, mode);
    pthread_mutex_lock(&lock);
    int is_new = stat(path, &status) != 0;
    if (is_new && no_room()) { pthread_mutex_unlock(&lock); errno = ENOSPC; return -1; }
    int fd = syscall(SYS_openat, at, name, flags, mode), before = errno;
    if (fd >= 0 && fstat(fd, &status) == 0) {
        if (is_new) note(CREATE, status.st_ino, 0, path, strlen(path));
        else if (flags & O_TRUNC) note(TRUNCATE, status.st_ino, 0, "", 0);
    }
    pthread_mutex_unlock(&lock);
    errno = before;
    return fd;
}

#define OPEN(name) int name(const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
    return open_file(AT_FDCWD, path, flags, mode); }
#define OPENAT(name) int name(int at, const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
    return open_file(at, path, flags, mode); }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)

/* Writes at `offset`, or where the descriptor stands when that is negative. */
static ssize_t put(int fd, const void *bytes, size_t count, off_t offset) {
    struct stat status;
    if (fd <= 2 || !ours_fd(fd, &status))
        return offset < 0 ? syscall(SYS_write, fd, bytes, count) : syscall(SYS_pwrite64, fd, bytes, count, offset);
    pthread_mutex_lock(&lock);
    if (no_room()) { pthread_mutex_unlock(&lock); errno = ENOSPC; return -1; }
    off_t at = offset;
    if (offset < 0) {
        int flags = fcntl(fd, F_GETFL);
        fstat(fd, &status);
        at = flags & O_APPEND ? status.st_size : lseek(fd, 0, SEEK_CUR);
    }
    ssize_t done = offset < 0 ? syscall(SYS_write, fd, bytes, count) : syscall(SYS_pwrite64, fd, bytes, count, offset);
    int before = errno;
    if (done > 0) note(WRITE, status.st_ino, at, bytes, done);
    pthread_mutex_unlock(&lock);
    errno = before;
    return done;
}

ssize_t write(int fd, const void *bytes, size_t count) { return put(fd, bytes, count, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return put(fd, bytes, count, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) { return put(fd, bytes, count, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct stat status;
    if (fd <= 2 || !ours_fd(fd, &status)) return syscall(SYS_writev, fd, parts, count);
    ssize_t all = 0;
    for (int i = 0; i < count; i++) {
        ssize_t done = put(fd, parts[i].iov_base, parts[i].iov_len, -1);
        if (done < 0) return all ? all : -1;
        all += done;
        if ((size_t)done < parts[i].iov_len) break;
    }
    return all;
}

/* Nobody copies inside the kernel: a plain copy follows. */
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags) {
    (void)in; (void)from; (void)out; (void)to; (void)length; (void)flags;
    errno = ENOSYS;
    return -1;
}

static int cut(int fd, off_t length) {
    struct stat status;
    if (!ours_fd(fd, &status)) return syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&lock);
    int done = syscall(SYS_ftruncate, fd, length), before = errno;
    if (done == 0) note(TRUNCATE, status.st_ino, length, "", 0);
    pthread_mutex_unlock(&lock);
    errno = before;
    return done;
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

static int force(int fd, long call) {
    struct stat status;
    if (!ours_fd(fd, &status)) return syscall(call, fd);
    pthread_mutex_lock(&lock);
    uint64_t number = syncs++;
    note(SYNC_BEGUN, status.st_ino, number, "", 0);
    pthread_mutex_unlock(&lock);
    int done = syscall(call, fd), before = errno;
    pthread_mutex_lock(&lock);
    if (done == 0) note(SYNC_DONE, status.st_ino, number, "", 0);
    pthread_mutex_unlock(&lock);
    errno = before;
    return done;
}

int fsync(int fd) { return force(fd, SYS_fsync); }
int fdatasync(int fd) { return force(fd, SYS_fdatasync); }

static int move(int from_at, const char *from, int to_at, const char *to) {
    char paths[2 * PATH_MAX], target[PATH_MAX];
    if (!resolve(from_at, from, paths) || !resolve(to_at, to, target) || !ours(target))
        return syscall(SYS_renameat, from_at, from, to_at, to);
    pthread_mutex_lock(&lock);
    int done = syscall(SYS_renameat, from_at, from, to_at, to), before = errno;
    size_t length = strlen(paths) + 1;
    strcpy(paths + length, target);
    if (done == 0) note(RENAME, 0, 0, paths, length + strlen(target));
    pthread_mutex_unlock(&lock);
    errno = before;
    return done;
}

int rename(const char *from, const char *to) { return move(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return move(from_at, from, to_at, to); }

static int drop(int at, const char *name, int flags) {
    char path[PATH_MAX];
    if (!resolve(at, name, path) || !ours(path)) return syscall(SYS_unlinkat, at, name, flags);
    pthread_mutex_lock(&lock);
    int done = syscall(SYS_unlinkat, at, name, flags), before = errno;
    if (done == 0) note(UNLINK, 0, 0, path, strlen(path));
    pthread_mutex_unlock(&lock);
    errno = before;
    return done;
}

int unlink(const char *path) { return drop(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return drop(at, path, flags); }
int rmdir(const char *path) { return drop(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int at, const char *name, mode_t mode) {
    char path[PATH_MAX];
    struct stat status;
    if (!resolve(at, name, path) || !ours(path)) return syscall(SYS_mkdirat, at, name, mode);
    pthread_mutex_lock(&lock);
    if (no_room()) { pthread_mutex_unlock(&lock); errno = ENOSPC; return -1; }
    int done = syscall(SYS_mkdirat, at, name, mode), before = errno;
    if (done == 0 && stat(path, &status) == 0) note(FOLDER, status.st_ino, 0, path, strlen(path));
    pthread_mutex_unlock(&lock);
    errno = before;
    return done;
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
