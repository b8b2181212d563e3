#include "failure.hpp"

#include "edgeloop/core/error.hpp"

#include <exception>
#include <new>
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

Failure from_torch(const c10::Error& error) {
    const std::string text = first_line(error.what_without_backtrace());
    return {Status::failed, tells_of_memory(text) ? "out of memory: " + text : text};
}

}  // namespace

std::optional<Failure> attempt(const std::function<void()>& work) {
    try {
        work();
        return std::nullopt;
    } catch (const std::bad_alloc&) {
        return Failure{Status::failed, "out of memory: an allocation failed"};
    } catch (const c10::Error& error) {
        return from_torch(error);
    } catch (const Error& error) {
        const bool ours = error.exit_code() == ExitCode::environment;
        return Failure{ours ? Status::lost : Status::failed, first_line(error.what())};
    } catch (const std::exception& error) {
        return Failure{Status::failed, first_line(error.what())};
    }
}

std::optional<Failure> agree_on_failure(const Communicator& group,
                                        const std::optional<Failure>& own) {
    if (group.size() == 1) return own;
    if (group.all_reduce(own ? 1 : 0, Reduction::max) == 0) return std::nullopt;
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
