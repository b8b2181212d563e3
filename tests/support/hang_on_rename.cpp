// Loaded into a program with LD_PRELOAD: a file system that hangs when a file is to appear under
// its name. The file that EDGELOOP_TEST_HANGS names says that it does.
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

extern "C" int rename(const char*, const char*) {
    if (const char* sign = std::getenv("EDGELOOP_TEST_HANGS"))
        ::close(::open(sign, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    while (true) ::pause();
}
