#include "phases.hpp"

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

constexpr const char* names[] = {"opening the data",
                                 "building the network",
                                 "sharing the weights",
                                 "reading the saved state",
                                 "taking over the saved state",
                                 "starting an epoch",
                                 "training",
                                 "updating the weights",
                                 "starting the validation",
                                 "validating",
                                 "settling the ranks",
                                 "judging the epoch",
                                 "keeping the best weights",
                                 "saving the epoch",
                                 "writing files"};
static_assert(sizeof names / sizeof *names == phase_count, "each phase has a name");

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

const char* name_of(Phase phase) { return names[static_cast<std::size_t>(phase)]; }

void PhaseGuard::run(Phase phase, const std::function<void()>& work) {
    attempt(phase, {}, work);
    agree();
}

void PhaseGuard::attempt(Phase phase, const std::string& detail,
                         const std::function<void()>& work) {
    if (failure_) return;
    failure_ = edgeloop::attempt([&] {
        token_.at(detail.empty() ? name_of(phase) : name_of(phase) + (", " + detail));
        work();
    });
    // The data were whole when the run began: what keeps them from being opened is not the design.
    if (failure_ && phase == Phase::open_data) failure_->status = Status::lost;
}

bool PhaseGuard::agree(bool asks) const {
    double signs[2] = {failure_ ? 1.0 : 0.0, asks ? 1.0 : 0.0};
    group_.all_reduce(signs, 2, Reduction::max);
    if (signs[0] > 0) leave();
    return signs[1] > 0;
}

void PhaseGuard::leave() const {
    if (group_.size() == 1 && failure_) throw *failure_;
    const std::vector<std::string> all = group_.all_gather(
        failure_ ? std::string(1, failure_->status == Status::lost ? 'l' : 'f') + failure_->reason
                 : "");
    for (std::size_t rank = 0; rank < all.size(); ++rank)
        if (!all[rank].empty())
            throw EarlyEnd{
                all[rank].front() == 'l' ? Status::lost : Status::failed,
                "rank " + std::to_string(rank) + " of the group: " + all[rank].substr(1)};
    throw LogicError("ranks left a phase without a failure");
}

}  // namespace edgeloop
