#include "failure.hpp"

#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <cstring>
#include <exception>
#include <new>
#include <system_error>
#include <vector>

#include <c10/util/Exception.h>

namespace edgeloop {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

bool tells_of_memory(const std::string& text) {
    return text.find("not enough memory") != std::string::npos ||
           text.find("out of memory") != std::string::npos ||
           text.find("can't allocate memory") != std::string::npos;
}

/// A broken accelerator or driver fails every design; LibTorch has no class of its own for it.
bool tells_of_device(const std::string& text) {
    for (const char* mark : {"CUDA error", "CUDA driver", "cuDNN error", "cudnn", "CUBLAS_STATUS",
                             "NCCL error", "HIP error", "no CUDA GPUs"})
        if (text.find(mark) != std::string::npos) return true;
    return false;
}

/// The operating system's own words for what no design can cause; some libraries pass on nothing
/// else.
bool tells_of_system(const std::string& text) {
    for (const int code :
         {ENOSPC, EDQUOT, EROFS, EIO, ESTALE, ENODEV, ENXIO, ENOTCONN, EMFILE, ENFILE})
        if (text.find(std::strerror(code)) != std::string::npos) return true;
    return false;
}

Failure from_text(const std::string& text) {
    if (tells_of_memory(text)) return {Status::failed, "out of memory: " + text};
    const bool ours = tells_of_device(text) || tells_of_system(text);
    return {ours ? Status::lost : Status::failed, text};
}

}  // namespace

std::optional<Failure> attempt(const std::function<void()>& work) {
    try {
        work();
        return std::nullopt;
    } catch (const std::bad_alloc&) {
        return Failure{Status::failed, "out of memory: an allocation failed"};
    } catch (const c10::Error& error) {
        return from_text(first_line(error.what_without_backtrace()));
    } catch (const Error& error) {
        const bool ours = error.exit_code() == ExitCode::environment;
        return Failure{ours ? Status::lost : Status::failed, first_line(error.what())};
    } catch (const std::system_error& error) {  // of files and threads
        return Failure{Status::lost, first_line(error.what())};
    } catch (const std::exception& error) {
        return from_text(first_line(error.what()));
    } catch (...) {
        return Failure{Status::failed, "something was thrown that is no exception"};
    }
}

std::optional<Failure> first_failure(const Communicator& group, const std::optional<Failure>& own) {
    if (group.size() == 1) return own;
    const std::vector<std::string> all = group.all_gather(
        own ? std::string(1, own->status == Status::lost ? 'l' : 'f') + own->reason : "");
    for (std::size_t rank = 0; rank < all.size(); ++rank)
        if (!all[rank].empty())
            return Failure{
                all[rank].front() == 'l' ? Status::lost : Status::failed,
                "rank " + std::to_string(rank) + " of the group: " + all[rank].substr(1)};
    return std::nullopt;
}

}  // namespace edgeloop
