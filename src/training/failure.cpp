#include "failure.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <new>
#include <system_error>
#include <vector>

#include <c10/util/Exception.h>

namespace edgeloop {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

bool has_any(const std::string& text, std::initializer_list<const char*> marks) {
    return std::any_of(marks.begin(), marks.end(),
                       [&](const char* mark) { return text.find(mark) != std::string::npos; });
}

EarlyEnd from_text(const std::string& text) {
    if (has_any(text, {"not enough memory", "out of memory", "can't allocate memory"}))
        return {Status::failed, "out of memory: " + text};
    // A broken accelerator or driver fails every design; LibTorch has no class of its own for it.
    bool ours = has_any(text, {"CUDA error", "CUDA driver", "cuDNN error", "cudnn", "CUBLAS_STATUS",
                               "NCCL error", "HIP error", "no CUDA GPUs"});
    // The operating system's own words for what no design can cause; some libraries pass on nothing
    // else.
    for (const int code :
         {ENOSPC, EDQUOT, EROFS, EIO, ESTALE, ENODEV, ENXIO, ENOTCONN, EMFILE, ENFILE})
        ours = ours || has_any(text, {std::strerror(code)});
    return {ours ? Status::lost : Status::failed, text};
}

}  // namespace

std::optional<EarlyEnd> attempt(const std::function<void()>& work) {
    try {
        work();
        return std::nullopt;
    } catch (const std::bad_alloc&) {
        return EarlyEnd{Status::failed, "out of memory: an allocation failed"};
    } catch (const c10::Error& error) {
        return from_text(first_line(error.what_without_backtrace()));
    } catch (const Error& error) {
        const bool ours = error.exit_code() == ExitCode::environment;
        return EarlyEnd{ours ? Status::lost : Status::failed, first_line(error.what())};
    } catch (const std::system_error& error) {  // of files and threads
        return EarlyEnd{Status::lost, first_line(error.what())};
    } catch (const std::exception& error) {
        return from_text(first_line(error.what()));
    } catch (...) {
        return EarlyEnd{Status::failed, "something was thrown that is no exception"};
    }
}

std::optional<EarlyEnd> first_failure(const Communicator& group,
                                      const std::optional<EarlyEnd>& own) {
    if (group.size() == 1) return own;
    const std::vector<std::string> all = group.all_gather(
        own ? std::string(1, own->status == Status::lost ? 'l' : 'f') + own->reason : "");
    for (std::size_t rank = 0; rank < all.size(); ++rank)
        if (!all[rank].empty())
            return EarlyEnd{
                all[rank].front() == 'l' ? Status::lost : Status::failed,
                "rank " + std::to_string(rank) + " of the group: " + all[rank].substr(1)};
    return std::nullopt;
}

}  // namespace edgeloop
